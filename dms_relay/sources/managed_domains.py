"""The mail domains that this server manages, which ``RELAY_HOST`` serves.

Reads ``vhost`` in Postfix's configuration directory where it is there; otherwise what docker-mailserver (DMS) would put
into it, from ``postfix-accounts.cf`` and ``postfix-virtual.cf``. Writes nothing. Domains that stand twice, letter case
ignored, are given once, in the order of their first mention; a warning names both places where a table made of them line
by line would have had two keys.

What is no domain is left out, with a warning: the files are those of the mail server, which can do without it.

Known limits: an account's hash is never looked at, and nothing of its line is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import Domain, Origin, Problem
from dms_relay.postfix.nexthop import SyntaxProblem, check_domain
from dms_relay.sources.text import TRIM, lines_of, read_text, split_entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dms_relay.model import Paths

VHOST = "vhost"
ACCOUNTS = "postfix-accounts.cf"
VIRTUAL = "postfix-virtual.cf"


def read_domains(paths: Paths, problems: list[Problem]) -> tuple[Domain, ...]:
    """Return each managed domain once, spelled as where it stands first."""
    domains = _Domains(problems)
    if domains.read(paths.vhost, VHOST, _whole_line, is_list=True):
        return domains.all()
    domains.read(paths.config_dir / ACCOUNTS, ACCOUNTS, _account_domain)
    domains.read(paths.config_dir / VIRTUAL, VIRTUAL, _alias_domain)
    return domains.all()


def _whole_line(line: str) -> str:
    return line


def _account_domain(line: str) -> str:
    return line.partition("|")[0].rpartition("@")[2] if "@" in line.partition("|")[0] else ""


def _alias_domain(line: str) -> str:
    alias, _ = split_entry(line)
    return alias.rpartition("@")[2] if "@" in alias else ""


class _Domains:
    """Collects domains; the first spelling of each stands."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.found: dict[str, Domain] = {}

    def all(self) -> tuple[Domain, ...]:
        return tuple(self.found.values())

    def read(self, path: Path, name: str, domain_of: Callable[[str], str], *, is_list: bool = False) -> bool:
        """Read one file; ``is_list`` says that a domain should stand there once. Say whether the file is there."""
        text = read_text(path, name, self.problems)
        if text is None:
            return False
        for line in lines_of(text):
            if domain := domain_of(line.text).strip(TRIM):
                self._add(domain, Origin(name, line.number), is_list=is_list)
        return True

    def _add(self, domain: str, origin: Origin, *, is_list: bool) -> None:
        key = domain.casefold()
        first = self.found.get(key)
        if first is None:
            self._add_new(key, domain, origin)
        elif is_list or first.name != domain:
            text = f"domain {domain} stands at {first.origin} already; this one is dropped"
            self.problems.append(Problem(origin, text, "name it once, in one spelling", is_error=False))

    def _add_new(self, key: str, domain: str, origin: Origin) -> None:
        try:
            check_domain(domain, show=origin.source != ACCOUNTS)
        except SyntaxProblem as problem:
            text = f"{problem.text}, so nothing is relayed for it"
            self.problems.append(Problem(origin, text, problem.remedy, is_error=False))
        else:
            self.found[key] = Domain(domain, origin)
