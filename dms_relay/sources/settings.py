"""Reads the settings of the environment: the relay, the login there, and the routing (``environment.NAMES``).

Strongest first: the process environment; ``NAME__FILE`` or ``NAME_FILE`` in it, which name a file that contains the value;
``relay.env`` in the configuration directory, with the same names. Set but empty counts as not set. Reads the environment and
these files at each run, writes nothing. A mistake becomes a ``Problem`` that never shows a value of ``RELAY_USER`` or
``RELAY_PASSWORD``.
"""

from __future__ import annotations

from dms_relay.model import ROUTINGS, TLS_LEVELS, NexthopList, Origin, Problem, Setting
from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import SyntaxProblem, check_port, parse_nexthops
from dms_relay.postfix.relay_host import parse_relay_host
from dms_relay.postfix.table_types import TABLE_TYPES
from dms_relay.sources.environment import OAUTH2, Lookup, settings_of
from dms_relay.sources.packing import plain
from dms_relay.sources.relay_env import read_relay_env
from dms_relay.sources.sasl_password import check_login_part
from dms_relay.sources.service_links import without_links
from dms_relay.sources.wildcards import is_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dms_relay.model import Paths
    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.sources.text import Owner

#: The default port of a relay (relay.sh; RFC 5321, section 4.5.4.2).
DEFAULT_PORT = "25"
#: The values of RELAY_TLS_LEVEL: the environment has no place for fingerprints.
ENV_TLS_LEVELS = tuple(level for level in TLS_LEVELS if level != "fingerprint")


@frozen
class Settings:
    """The checked settings. ``wants_domains``: ``RELAY_HOST`` is set, even if its value is wrong.

    ``lookup`` finds any other variable in the same places.
    """

    default: tuple[NexthopList, Origin] | None
    relay: tuple[NexthopList, Origin] | None
    username: Setting | None
    password: Setting | None
    wants_domains: bool
    routing: Setting | None
    tls_level: Setting | None
    table_type: Setting | None
    oauth2: tuple[OAuth2, Origin] | None
    lookup: Lookup


def read_settings(paths: Paths, environ: Mapping[str, str], problems: list[Problem]) -> Settings:
    """Return each setting from its strongest source, checked."""
    owners: dict[str, Owner] = {}
    process, relay_env = without_links(settings_of(environ), problems), read_relay_env(paths, problems, owners)
    lookup = Lookup((process, relay_env), problems)
    lookup.owners.update(owners)
    reader = _Reader(problems)
    host, port = lookup.find("RELAY_HOST"), lookup.find("RELAY_PORT")
    username, password = lookup.find("RELAY_USER"), lookup.find("RELAY_PASSWORD")
    return Settings(
        default=reader.default(lookup.find("DEFAULT_RELAY_HOST")),
        relay=reader.relay(host, port),
        username=reader.login_part(username, is_username=True),
        password=reader.login_part(password, is_username=False),
        wants_domains=host is not None,
        routing=reader.word(lookup.find("RELAY_ROUTING"), ROUTINGS),
        tls_level=reader.word(lookup.find("RELAY_TLS_LEVEL"), ENV_TLS_LEVELS),
        table_type=reader.word(lookup.find("RELAY_TABLES"), TABLE_TYPES),
        oauth2=_oauth2(lookup, problems),
        lookup=lookup,
    )


def _oauth2(lookup: Lookup, problems: list[Problem]) -> tuple[OAuth2, Origin] | None:
    if not any(name.startswith(OAUTH2) for source in lookup.sources for name in source):
        return None
    from dms_relay.sources.oauth2_settings import read_oauth2  # noqa: PLC0415 -- only where it is set

    return read_oauth2(lookup, problems)


class _Reader:
    """Checks values; mistakes go to ``problems``."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def _try(self, origin: Origin, check: Callable[[], NexthopList | Setting | None]) -> NexthopList | Setting | None:
        try:
            return check()
        except SyntaxProblem as problem:
            self.problems.append(Problem(origin, problem.text, problem.remedy))
            return None

    def default(self, setting: Setting | None) -> tuple[NexthopList, Origin] | None:
        """Return ``DEFAULT_RELAY_HOST`` as a nexthop or a list of them; ``None`` if it is not set or wrong."""
        if setting is None:
            return None
        nexthops = self._try(setting.origin, lambda: parse_nexthops(plain(setting.value, "nexthop")))
        self._warn_of_word(setting)
        return (nexthops, setting.origin) if isinstance(nexthops, NexthopList) else None

    def relay(self, host: Setting | None, port: Setting | None) -> tuple[NexthopList, Origin] | None:
        """Return ``RELAY_HOST`` and ``RELAY_PORT`` as one nexthop; ``None`` if they are not set or wrong."""
        if host is None:
            self._check_unused_port(port)
            return None
        number = self._port(port) if port else DEFAULT_PORT
        self._warn_of_word(host)
        nexthop = self._try(host.origin, lambda: parse_relay_host(plain(host.value), number))
        return (nexthop, host.origin) if isinstance(nexthop, NexthopList) else None

    def _warn_of_word(self, setting: Setting) -> None:
        """Warn if the value is a word that means "no relay" in other products."""
        value = setting.value.strip(" \t")
        if is_word(value):
            text = f"{value} is not a keyword here: mail goes to a host of that name"
            remedy = "remove the variable if no relay is meant; write [host]:port otherwise"
            self.problems.append(Problem(setting.origin, text, remedy, is_error=False))

    def _check_unused_port(self, port: Setting | None) -> None:
        """Warn that a port without a host has no effect, unless it is 25. An invalid port is still an error."""
        if port is None or port.value == DEFAULT_PORT:
            return
        text, remedy = "RELAY_PORT has no effect without RELAY_HOST", "set RELAY_HOST, or remove RELAY_PORT"
        self.problems.append(Problem(port.origin, text, remedy, is_error=False, rule="setting-without-effect"))
        self._port(port)

    def _port(self, setting: Setting) -> str:
        def check() -> None:
            check_port(plain(setting.value))

        self._try(setting.origin, check)
        return setting.value.strip(" \t")

    def word(self, setting: Setting | None, words: tuple[str, ...]) -> Setting | None:
        """Return one of some words, in any letter case; ``None`` if it is not set or wrong."""
        if setting is None:
            return None
        found = self._try(setting.origin, lambda: _word(setting, words))
        return found if isinstance(found, Setting) else None

    def login_part(self, setting: Setting | None, *, is_username: bool) -> Setting | None:
        """Return a user name or password unchanged; ``None`` if it is not set or refused."""
        if setting is None:
            return None
        return setting if self._try(setting.origin, lambda: _login_part(setting, is_username=is_username)) else None


def _word(setting: Setting, words: tuple[str, ...]) -> Setting:
    value = plain(setting.value).lower()
    if value not in words:
        raise SyntaxProblem("the value is not one of those allowed", f"write one of {', '.join(words)}")
    return Setting(value, setting.origin)


def _login_part(setting: Setting, *, is_username: bool) -> Setting:
    check_login_part(setting.value, is_username=is_username)
    return setting
