"""``relay.yaml``: relays that have a transport of their own, and who uses which.

Reads that file, the password files and variables that it names, and looks whether the certificate files are there. Writes
nothing. What is wrong becomes a ``Problem`` with line and column, all at once; no password is ever shown.

Known limits: what a certificate file holds is looked at for the begin of a certificate only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.model import (
    AUTHORITY_LEVELS,
    DIRECT,
    IMPLICIT_TLS_PORTS,
    NULL_SENDER,
    RELAY_YAML,
    SYSTEM_AUTHORITIES,
    Login,
    NexthopList,
    Origin,
    Problem,
    Setting,
)
from dms_relay.nexthop import SyntaxProblem, check_nexthop, is_address, is_ipv6
from dms_relay.relays import (
    CLEARTEXT_LEVELS,
    Recipient,
    Relay,
    RelayFile,
    Sender,
    Tls,
)
from dms_relay.shape import Found, Place, check, place_of
from dms_relay.sources.relay_shape import IMPLICIT, RELAY_FILE
from dms_relay.sources.sasl_password import check_login_part
from dms_relay.sources.text import read_file, read_text, remedy_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from yaml.events import Event
    from yaml.nodes import Node

    from dms_relay.model import Paths
    from dms_relay.sources.environment import Lookup

NAME = RELAY_YAML
#: The port of message submission (RFC 6409), and of mail servers (RFC 5321).
SUBMISSION_PORT, MX_PORT = 587, 25
_PEM = b"-----BEGIN "
#: How deep mappings and lists may stand in each other; more than twice of what is known here. PyYAML's C code has no limit
#: of its own, and dies.
_DEPTH_MAX = 16
#: Octets of a certificate file that are looked at; the system's has some 220 KB.
_PEM_MAX = 1 << 22


def read_relay_yaml(paths: Paths, lookup: Lookup, problems: list[Problem]) -> RelayFile | None:
    """Give what the file says; ``None`` where there is no such file."""
    text = read_text(paths.config_dir / NAME, NAME, problems)
    if text is None:
        return None
    node = _node(text, problems)
    if node is None:
        return RelayFile()
    found, complaints = check(RELAY_FILE, node, text)
    problems.extend(Problem(Origin(NAME, *c.place), c.text, c.remedy) for c in complaints)
    return _Reader(found, lookup, problems, is_sound=not complaints).file()


def _node(text: str, problems: list[Problem]) -> Node | None:
    import yaml  # noqa: PLC0415 -- 50 ms, and only where the file is there

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if (deep := _too_deep(yaml.parse(text, Loader=loader))) is not None:
            problems.append(Problem(Origin(NAME, *deep), "nested too deeply", "write it as docs/relay-yaml.md shows"))
            return None
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        place = place_of(error.problem_mark) if error.problem_mark else (0, 0)
        # What PyYAML quotes could be a part of a password: an alias, a tag, an escape.
        what = str(error.problem or "").partition("'")[0].strip()
        problems.append(Problem(Origin(NAME, *place), f"YAML cannot read this: {what}", "mend it, or put it in quotes"))
        return None
    except yaml.YAMLError:
        problems.append(Problem(Origin(NAME), "holds a character that YAML does not know", "take it out"))
        return None
    if node is None:
        problems.append(Problem(Origin(NAME), "is empty", "write version: 1 and relays, or take the file away"))
    return node


def _too_deep(events: Iterable[Event]) -> Place | None:
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind in {"MappingStartEvent", "SequenceStartEvent"}
        depth -= kind in {"MappingEndEvent", "SequenceEndEvent"}
        if depth > _DEPTH_MAX:
            return place_of(event.start_mark)
    return None


class _Reader:
    """Makes values of what was found, and checks what takes more than one key to see."""

    def __init__(self, found: Found, lookup: Lookup, problems: list[Problem], *, is_sound: bool) -> None:
        self.found = found
        self.lookup = lookup
        self.problems = problems
        #: Where a key is wrong, what is missing may be there under another name: no more is said of it.
        self.is_sound = is_sound
        self.names: set[str] = set()

    def file(self) -> RelayFile:
        """Give the file's content."""
        tables = {name: self._table(name) for name in ("relays", "senders", "recipients")}
        self.names = {name.value for name, _ in tables["relays"]}
        relays = [self._relay(name, relay) for name, relay in tables["relays"]]
        default = self.found.get("default")
        return RelayFile(
            relays=tuple(relay for relay in relays if relay),
            default=(self._route(default), self._origin(default)) if default and default.value else None,
            senders=tuple(self._sender(key, value) for key, value in tables["senders"]),
            recipients=tuple(
                Recipient(key.value.removeprefix("@"), self._route(value), self._origin(key))
                for key, value in tables["recipients"]
            ),
        )

    def _table(self, name: str) -> list[tuple[Found, Found]]:
        table = self.found.get(name)
        return list(table.value.values()) if table else []

    def _origin(self, found: Found) -> Origin:
        return Origin(NAME, *found.place)

    def _error(self, found: Found, text: str, remedy: str) -> None:
        self.problems.append(Problem(self._origin(found), text, remedy))

    def _warn(self, found: Found, text: str, remedy: str) -> None:
        self.problems.append(Problem(self._origin(found), text, remedy, is_error=False))

    # Who uses which.

    def _route(self, found: Found) -> str | None:
        """Give the relay that is named; ``None`` is no relay, and so is one that is not there, which is said."""
        name = str(found.value)
        if not name or name == DIRECT:
            return None
        if name not in self.names:
            from difflib import get_close_matches  # noqa: PLC0415 -- 11 ms, and only for what is wrong

            near = get_close_matches(name, [*self.names, DIRECT], n=1)
            known = ", ".join([*sorted(self.names), DIRECT])
            remedy = f"write {near[0]}" if near else f"write one of {known}"
            self._error(found, "no relay of this name is there", remedy)
        return name

    def _sender(self, key: Found, value: Found) -> Sender:
        name = str(key.value)
        sender = name if "@" in name or name == NULL_SENDER else f"@{name}"
        if isinstance(value.value, str):
            return Sender(sender, self._route(value), self._origin(key))
        relay, login = value.get("relay"), value.get("login")
        route = self._route(relay) if relay else None
        if login and relay and relay.value == DIRECT:
            self._error(login, f"a login for mail that goes {DIRECT}: it would be offered to strangers", "take it away")
        if login and sender == NULL_SENDER:
            self._error(login, "the null sender has no login of its own", "it uses the relay's: take this one away")
        return Sender(
            sender,
            route,
            self._origin(key),
            self._login(login) if login else None,
            self._origin(login) if login else None,
        )

    # Logins.

    def _login(self, found: Found) -> Login | None:
        username, password = found.get("username"), self._password(found)
        return Login(username.value, password) if username and username.value and password else None

    def _password(self, found: Found) -> str:
        if (inline := found.get("password")) and inline.value:
            return str(inline.value)
        if (file := found.get("password_file")) and file.value:
            return self._secret(file, self.lookup.from_file(Setting(file.value, self._origin(file))), "the file")
        if (variable := found.get("password_env")) and variable.value:
            return self._secret(variable, self.lookup.find(variable.value), str(variable.value))
        return ""

    def _secret(self, found: Found, setting: Setting | None, name: str) -> str:
        if setting is None:
            self._error(found, f"{name} gives no password", "set it, or name another place")
            return ""
        try:
            check_login_part(setting.value, is_username=False)
        except SyntaxProblem as problem:
            self._error(found, problem.text, problem.remedy)
            return ""
        return setting.value

    # Relays.

    def _relay(self, name: Found, found: Found) -> Relay | None:
        hosts = list(self._hosts(found))
        tls = self._tls(found, hosts)
        login = found.get("login")
        if not hosts:
            return None
        text = ", ".join(nexthop for nexthop, _, _ in hosts)
        return Relay(
            name=str(name.value),
            nexthops=NexthopList(text, tuple(dict.fromkeys(nexthop for nexthop, _, _ in hosts))),
            tls=tls,
            origin=self._origin(name),
            login=self._login(login) if login else None,
            login_origin=self._origin(login) if login else None,
        )

    def _hosts(self, found: Found) -> Iterator[tuple[str, str, Found]]:
        """Give each nexthop, with its port, and its host's place."""
        mx, port, single, several = (found.get(key) for key in ("mx", "port", "host", "hosts"))
        is_mx = bool(mx and mx.value)
        default = str(port.value if port and port.value else MX_PORT if is_mx else SUBMISSION_PORT)
        for place in [single] if single and single.value else several.value if several else []:
            host, own = _host_and_port(place.value)
            if single and own:
                self._error(place, "the host has a port in it", f"write host: {host} and port: {own}")
            nexthop = f"{host}:{own or default}" if is_mx else f"[{host}]:{own or default}"
            try:
                check_nexthop(nexthop)
            except SyntaxProblem as problem:
                self._error(place, problem.text, problem.remedy if "[" not in problem.remedy else "write host:port")
                continue
            if is_mx and is_address(host):
                self._error(place, "mx with an address: only a domain has MX hosts", "take mx away")
            yield nexthop, own or default, place

    def _tls(self, relay: Found, hosts: list[tuple[str, str, Found]]) -> Tls:
        found = relay.get("tls") or Found({}, relay.place)
        fingerprints = tuple(_with_colons(item.value) for item in _items(found, "fingerprints"))
        match = tuple(item.value for item in _items(found, "match"))
        written = found.get("level")
        level = str(written.value) if written and written.value else "fingerprint" if fingerprints else "secure"
        self._check_fingerprints(found, level)
        if fingerprints and level == "secure":
            level = "fingerprint"
        cleartext = found.get("allow_cleartext_login")
        tls = Tls(
            level=level,
            implicit=self._is_implicit(found, relay, hosts),
            ca_file=self._ca_file(found, level),
            match=match,
            fingerprints=fingerprints,
            allow_cleartext_login=bool(cleartext and cleartext.value),
        )
        self._check_tls(tls, found, hosts)
        return tls

    def _check_fingerprints(self, found: Found, level: str) -> None:
        fingerprints = found.get("fingerprints")
        if level == "fingerprint" and not fingerprints and self.is_sound:
            self._error(found, "level fingerprint without fingerprints", "write fingerprints: [AB:CD:…]")
        elif fingerprints and level not in {"fingerprint", "secure"}:
            self._error(fingerprints, f"fingerprints are not looked at, at level {level}", "write level: fingerprint")

    def _is_implicit(self, found: Found, relay: Found, hosts: list[tuple[str, str, Found]]) -> bool:
        mode = found.get("mode")
        if mode and mode.value:
            return bool(mode.value == IMPLICIT)
        are_implicit = {port in IMPLICIT_TLS_PORTS for _, port, _ in hosts}
        if len(are_implicit) > 1:
            text = "port 465 beside another: TLS from the first octet is a matter of the whole relay"
            self._error(relay, text, "write two relays, or tls: {mode: implicit}")
        return True in are_implicit

    def _ca_file(self, found: Found, level: str) -> str | None:
        ca_file = found.get("ca_file")
        if not ca_file or not ca_file.value:
            if level in AUTHORITY_LEVELS and not Path(SYSTEM_AUTHORITIES).is_file():
                text = f"no authority is known: {SYSTEM_AUTHORITIES} is not there"
                self._error(found, text, "install ca-certificates, or write tls: {ca_file: …}")
            return None
        try:
            content = read_file(Path(ca_file.value), _PEM_MAX)
        except OSError as error:
            text = f"the file it names cannot be read: {error.strerror}"
            remedy = remedy_for(error, "mount the file, or name another")
            self.problems.append(Problem(self._origin(ca_file), text, remedy, is_missing=True))
        else:
            if _PEM not in content:
                self._error(
                    ca_file, "the file it names holds no certificate in PEM", "name a file with BEGIN CERTIFICATE"
                )
        return str(ca_file.value)

    def _check_tls(self, tls: Tls, found: Found, hosts: list[tuple[str, str, Found]]) -> None:
        if tls.implicit and tls.level in CLEARTEXT_LEVELS:
            text = f"TLS from the first octet (port 465) cannot be at level {tls.level}"
            self._error(found, text, "write level: encrypt or a stronger one, or tls: {mode: starttls}")
        if tls.match and tls.level not in AUTHORITY_LEVELS:
            self._error(found, f"match is not looked at, at level {tls.level}", "write level: secure, or take it away")
        if tls.level == "dane-only" or (tls.level in AUTHORITY_LEVELS and not tls.match):
            for nexthop, _, place in hosts:
                if is_address(_bare(nexthop)):
                    text = f"level {tls.level} for an address: no certificate can pass it"
                    remedy = "write the host's name" + (
                        ""
                        if tls.level == "dane-only"
                        else ", or tls: {match: [name in the certificate]} or fingerprints"
                    )
                    self._error(place, text, remedy)


def _items(found: Found, name: str) -> list[Found]:
    items = found.get(name)
    return list(items.value) if items else []


def _host_and_port(text: str) -> tuple[str, str]:
    """Split ``host``, ``host:port``, ``[host]`` and ``[host]:port``; the colons of an IPv6 address are no port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if is_ipv6(text):
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _bare(nexthop: str) -> str:
    return nexthop[1:].partition("]")[0] if nexthop.startswith("[") else nexthop.rpartition(":")[0]


def _with_colons(fingerprint: str) -> str:
    digits = fingerprint.replace(":", "").upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
