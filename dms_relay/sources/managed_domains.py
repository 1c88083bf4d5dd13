"""The mail domains that this server manages, which ``RELAY_HOST`` serves.

Reads ``vhost`` in Postfix's configuration directory if it exists; otherwise derives its content, as docker-mailserver (DMS)
would, from ``postfix-accounts.cf`` and ``postfix-virtual.cf``. Writes nothing. Repeated domains, in any letter case, are
returned once, in the order of their first mention; a warning names both places if a table made from them line by line would
have had two keys.

An entry that is no domain is left out, with a warning: the files belong to the mail server, which can do without it.

Known limits: an account's hash is never read, and no part of its line is shown.
"""

from __future__ import annotations

from dms_relay.model import Origin, Problem
from dms_relay.model.senders import ManagedDomains
from dms_relay.postfix.nexthop import SyntaxProblem, check_domain
from dms_relay.sources.text import TRIM, numbered_lines, read_text, split_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dms_relay.model import Paths

VHOST = "vhost"
ACCOUNTS = "postfix-accounts.cf"
VIRTUAL = "postfix-virtual.cf"


def read_domains(paths: Paths, problems: list[Problem]) -> ManagedDomains:
    """Return each managed domain once, in its first spelling."""
    domains = _Domains(problems)
    if not domains.read(paths.vhost, VHOST, _whole_line, is_list=True):
        domains.read(paths.config_dir / ACCOUNTS, ACCOUNTS, _account_domain)
        domains.read(paths.config_dir / VIRTUAL, VIRTUAL, _alias_domain)
    return domains.found


def _whole_line(line: str) -> str:
    return line


def _account_domain(line: str) -> str:
    _, at, domain = line.partition("|")[0].rpartition("@")
    return domain if at else ""


def _alias_domain(line: str) -> str:
    alias, _ = split_entry(line)
    return alias.rpartition("@")[2] if "@" in alias else ""


class _Domains:
    """Collects domains; the first spelling of each counts."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.found = ManagedDomains()

    def read(self, path: Path, name: str, domain_of: Callable[[str], str], *, is_list: bool = False) -> bool:
        """Read one file; return True if it exists. ``is_list``: each domain should be in it only once."""
        text = read_text(path, name, self.problems)
        if text is None:
            return False
        self.found.begin(name)
        for number, line in numbered_lines(text):
            if domain := domain_of(line).strip(TRIM):
                key = domain.casefold()
                if (first := self.found.name(key)) is None:
                    self._add(key, domain, name, number)
                elif is_list or first != domain:
                    self._again(key, domain, Origin(name, number))
        return True

    def _add(self, key: str, domain: str, source: str, line: int) -> None:
        try:
            check_domain(domain, show=source != ACCOUNTS)
        except SyntaxProblem as problem:
            text = f"{problem.text}, so no mail is relayed for it"
            self.problems.append(Problem(Origin(source, line), text, problem.remedy, is_error=False))
        else:
            self.found.add(key, domain, line)

    def _again(self, key: str, domain: str, origin: Origin) -> None:
        text = f"domain {domain} is already at {self.found.origin(key)}, so this line is ignored"
        self.problems.append(Problem(origin, text, "name it once, in one spelling", is_error=False))
