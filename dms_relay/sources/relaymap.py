"""``postfix-relaymap.cf``: the nexthop for each sender's mail, and the domains that opt out of ``RELAY_HOST``.

Lines: ``@domain nexthop``, ``user@domain nexthop``, ``<> nexthop`` (the null sender: bounces and vacation replies), and
``@domain`` alone, an opt-out. Reads that file, writes nothing; a mistake becomes a ``Problem``.
"""

from __future__ import annotations

from dms_relay.model import AS_DEFAULT, NULL_SENDER, Domain, Problem, Relaymap, Route
from dms_relay.postfix.nexthop import parse_nexthops
from dms_relay.sources.text import check_sender_key, read_entries
from dms_relay.sources.wildcards import EVERYBODY, directly, is_word, refuse_everybody, refuse_transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Origin, Paths

NAME = "postfix-relaymap.cf"
_DEFAULT = "set DEFAULT_RELAY_HOST, which serves every other sender"


def read_relaymap(paths: Paths, problems: list[Problem]) -> Relaymap | None:
    """Return mappings and opt-outs in the order of the file; ``None`` if there is no such file."""
    reader = _Reader(problems)
    found = read_entries(paths.config_dir / NAME, NAME, problems, reader.entry)
    return Relaymap(tuple(reader.routes), tuple(reader.opt_outs)) if found else None


class _Reader:
    """Sorts the lines into mappings and opt-outs."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.routes: list[Route] = []
        self.opt_outs: list[Domain] = []

    def entry(self, key: str, value: str, origin: Origin) -> None:
        if "@" not in key and '"' not in key and key != NULL_SENDER:
            self._without_effect(key, origin)
            return
        if key != NULL_SENDER:
            refuse_everybody(key, _DEFAULT)
            check_sender_key(key)
        if value:
            self._route(key, value, origin)
        elif key.startswith("@"):
            self.opt_outs.append(Domain(key[1:], origin))
        else:
            self._warn(origin, "an address without a nexthop has no effect", "only a domain can opt out: @domain")

    def _without_effect(self, key: str, origin: Origin) -> None:
        text, remedy = "the key has no @, so the line has no effect", "write @domain or user@domain"
        if key in EVERYBODY:
            text, remedy = f"{key} is not a wildcard here, so the line has no effect", _DEFAULT
        elif key.startswith((".", "*.", "%.")):
            remedy = "name each subdomain: @domain"
        self._warn(origin, text, remedy)

    def _route(self, key: str, value: str, origin: Origin) -> None:
        refuse_transport(value, key)
        if is_word(value) and value.upper() != AS_DEFAULT:
            text = f"{value} is not a keyword here: the mail goes to a host of that name, so it waits or is returned"
            self._warn(origin, text, directly(key))
        self.routes.append(Route(key, parse_nexthops(value), origin))
        if key.startswith("*@"):
            self._warn(origin, "* is not a wildcard here", f"write {key[1:]} for every sender of the domain")

    def _warn(self, origin: Origin, text: str, remedy: str) -> None:
        self.problems.append(Problem(origin, text, remedy, is_error=False))
