"""``relay.yaml``: relays that have a transport of their own, and who uses which.

Reads that file, the password files and variables that it names, and looks whether the certificate files are there. Writes
nothing. What is wrong becomes a ``Problem`` with line and column, all at once; no password is ever shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import DIRECT, NULL_SENDER, RELAY_YAML, Login, NexthopList, Origin, Problem, Setting
from dms_relay.model.oauth2 import NO_TOKEN, TOKEN_MECHANISMS
from dms_relay.model.relays import PasswordPlace, Recipient, Relay, RelayFile, Sender
from dms_relay.model.values import replace
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.shape import Complaint, LocatedValue
from dms_relay.shape.check import check
from dms_relay.sources.relay_yaml.keys import RELAY_FILE
from dms_relay.sources.relay_yaml.node import NOWHERE, read_node
from dms_relay.sources.relay_yaml.tls import hosts_of, tls_of
from dms_relay.sources.sasl_password import check_login_part
from dms_relay.sources.text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Paths
    from dms_relay.shape import Position
    from dms_relay.sources.environment import Lookup

NAME = RELAY_YAML
#: What is secret below ``oauth2``; ``client_certificate`` is not.
SECRETS = ("client_secret", "client_key", "refresh_token", "service_account")


def read_relay_yaml(paths: Paths, lookup: Lookup, problems: list[Problem]) -> RelayFile | None:
    """Return what the file says; ``None`` where there is no such file."""
    before = len(problems)
    text = read_text(paths.config_dir / NAME, NAME, problems, lookup.owners)
    if text is None:
        return None
    if any(problem.is_error for problem in problems[before:]):
        return RelayFile()
    file = _file(text, lookup, problems)
    # What stands at an anchor is read again for each alias of it.
    problems[before:] = dict.fromkeys(problems[before:])
    return file


def _file(text: str, lookup: Lookup, problems: list[Problem]) -> RelayFile:
    read = read_node(text, lambda node: check(RELAY_FILE, node, text))
    if isinstance(read, Complaint):
        problems.append(_problem(read))
        return RelayFile()
    found, complaints = read
    problems.extend(map(_problem, complaints))
    return _Reader(found, lookup, problems, is_sound=not complaints).file()


def _problem(complaint: Complaint) -> Problem:
    return Problem(Origin(NAME, *complaint.place), complaint.text, complaint.remedy)


class _Reader:
    """Makes values of what was found, and checks what takes more than one key to see."""

    def __init__(self, found: LocatedValue, lookup: Lookup, problems: list[Problem], *, is_sound: bool) -> None:
        self.found = found
        self.lookup = lookup
        self.problems = problems
        #: Where a key is wrong, what is missing may be there under another name: no more is said of it.
        self.is_sound = is_sound
        self.names: set[str] = set()
        self.has_oauth2 = False
        #: By place, ``NOWHERE`` for those that stand in the file itself.
        self.passwords: dict[Position, PasswordPlace] = {}
        #: The mechanisms that the logins at a relay say, by its name.
        self.mechanisms: dict[str, tuple[str, ...]] = {}

    def file(self) -> RelayFile:
        """Return the file's content."""
        named = list(self._table("relays"))
        self.names = {name.value for name, _ in named}
        relays = [self._relay(name, relay) for name, relay in named]
        default = self.found.get("default")
        senders = tuple(self._sender(key, value) for key, value in self._table("senders"))
        # In this order: ``passwords`` are complete when all others are there.
        return RelayFile(
            relays=tuple(replace(r, mechanisms=self.mechanisms.get(r.name, ())) for r in relays if r),
            default=(self._route(default), self._origin(default)) if default and default.value else None,
            senders=senders,
            recipients=tuple(
                Recipient(key.value.removeprefix("@"), self._route(value), self._origin(key))
                for key, value in self._table("recipients")
            ),
            passwords=tuple(self.passwords.values()),
            has_oauth2=self.has_oauth2,
        )

    def _table(self, name: str) -> Iterator[tuple[LocatedValue, LocatedValue]]:
        """Yield the pairs of a table, which can be had once: what was read of a large one goes while its values come."""
        table = self.found.get(name)
        pairs = list(reversed(table.value.values())) if table else []
        if table:
            table.value.clear()
        while pairs:
            yield pairs.pop()

    def _origin(self, found: LocatedValue) -> Origin:
        return Origin(NAME, *found.place)

    def _error(self, found: LocatedValue, text: str, remedy: str, *, is_missing: bool = False) -> None:
        self.problems.append(Problem(self._origin(found), text, remedy, is_missing=is_missing))

    # Who uses which.

    def _route(self, found: LocatedValue) -> str | None:
        """Return the relay that is named; ``None`` is no relay, and so is one that is not there, which is said."""
        name = str(found.value)
        if not name or name == DIRECT:
            return None
        if name not in self.names:
            from difflib import get_close_matches  # noqa: PLC0415 -- 11 ms, and only for what is wrong

            known = [*sorted(self.names), DIRECT]
            near = get_close_matches(name, known, n=1)
            remedy = f"write {near[0]}" if near else f"write {' or '.join(known)}, or add it to relays"
            self._error(found, "there is no relay of this name", remedy)
        return name

    def _sender(self, key: LocatedValue, value: LocatedValue) -> Sender:
        name = str(key.value)
        sender = name if "@" in name or name == NULL_SENDER else f"@{name}"
        if isinstance(value.value, str):
            return Sender(sender, self._route(value), self._origin(key))
        relay, login = value.get("relay"), value.get("login")
        route = self._route(relay) if relay else None
        if login:
            self._take_mechanisms(route, login)
        if login and relay and relay.value == DIRECT:
            self._error(login, f"mail that goes {DIRECT} would offer this login to every server", "remove it")
        if login and sender == NULL_SENDER:
            self._error(login, "the null sender cannot have its own login", "remove it: the relay's login applies")
        return Sender(
            sender,
            route,
            self._origin(key),
            self._login(login) if login else None,
            self._origin(login) if login else None,
        )

    # Logins.

    def _take_mechanisms(self, relay: str | None, login: LocatedValue) -> None:
        """Take note of a login's mechanisms. They count for all logins at the relay: Postfix has one list for a service."""
        if found := login.get("mechanisms"):
            names = [str(item.value).lower() for item in found.value or ()]
            self._check_mechanisms(found, names, is_token=login.get("oauth2") is not None)
            if relay:
                self.mechanisms[relay] = tuple(dict.fromkeys((*self.mechanisms.get(relay, ()), *names)))

    def _check_mechanisms(self, found: LocatedValue, names: list[str], *, is_token: bool) -> None:
        wrong = [name for name in names if (name in TOKEN_MECHANISMS) != is_token]
        if wrong and is_token:
            self._error(found, f"{wrong[0]} takes no token", f"write {' or '.join(TOKEN_MECHANISMS)}, or leave it out")
        elif wrong:
            self._error(found, f"{wrong[0]} uses a token, not a password", "write oauth2: instead of the password")

    def _login(self, found: LocatedValue) -> Login | None:
        self._note_place(found)
        username, oauth2 = found.get("username"), found.get("oauth2")
        if oauth2:
            self.has_oauth2 = True
            from dms_relay.sources.relay_yaml.oauth2 import OAuth2Reader  # noqa: PLC0415 -- only where there is such

            how = OAuth2Reader(oauth2, self.lookup, self.problems, is_sound=self.is_sound).oauth2()
            return Login(username.value, NO_TOKEN, how) if username and username.value and how else None
        password = self._password(found)
        return Login(username.value, password) if username and username.value and password else None

    def _note_place(self, login: LocatedValue) -> None:
        """Take note where a login's password is, whether it can be used or not; of OAuth2, where its secrets are."""
        oauth2 = login.get("oauth2")
        for found, name in [(login, "password")] + [(oauth2, name) for name in SECRETS if oauth2 and oauth2.value]:
            self._note_secret(found, name)

    def _note_secret(self, among: LocatedValue, name: str) -> None:
        if among.get(name):
            if NOWHERE not in self.passwords:
                self.passwords[NOWHERE] = PasswordPlace(Origin(NAME))
        elif file := among.get(f"{name}_file"):
            self.passwords[file.place] = PasswordPlace(self._origin(file), file=file.value)
        elif variable := among.get(f"{name}_env"):
            self.passwords[variable.place] = PasswordPlace(self._origin(variable), variable=variable.value)

    def _password(self, found: LocatedValue) -> str:
        if (inline := found.get("password")) and inline.value:
            return str(inline.value)
        if (file := found.get("password_file")) and file.value:
            return self._checked(file, self._from_file(file))
        if (variable := found.get("password_env")) and variable.value:
            return self._checked(variable, self._from_variable(variable))
        return ""

    def _from_file(self, file: LocatedValue) -> Setting | None:
        before = len(self.problems)
        setting = self.lookup.from_file(Setting(file.value, self._origin(file)), "name another")
        if setting is None and not any(problem.is_error for problem in self.problems[before:]):
            # A warning for a variable, which may be empty; not so for a password.
            problem = Problem(self._origin(file), "the file that it names is empty", "write the password into it")
            self.problems[before:] = [problem]
        return setting

    def _from_variable(self, variable: LocatedValue) -> Setting | None:
        """Return its value. The name of a variable that is not set is not shown: it may be a misplaced password."""
        before = len(self.problems)
        setting = self.lookup.find(variable.value)
        if setting is None and not any(problem.is_error for problem in self.problems[before:]):
            self._error(variable, "the variable it names is not set", "set it, or name another")
        return setting

    def _checked(self, found: LocatedValue, setting: Setting | None) -> str:
        if setting is None:
            return ""
        try:
            check_login_part(setting.value, is_username=False)
        except SyntaxProblem as problem:
            self._error(found, problem.text, problem.remedy)
            return ""
        return setting.value

    # Relays.

    def _relay(self, name: LocatedValue, found: LocatedValue) -> Relay | None:
        hosts = list(hosts_of(found, self._error))
        tls = tls_of(found, hosts, self._error, is_sound=self.is_sound, owner=self.lookup.owners.get(NAME))
        login = found.get("login")
        own = self._login(login) if login else None
        if login:
            self._take_mechanisms(str(name.value), login)
        if not hosts:
            return None
        nexthops = [host.nexthop for host in hosts]
        # In reverse, so that of two that are alike the place of the first stays.
        places = {host.nexthop: self._origin(host.place) for host in reversed(hosts)}
        return Relay(
            name=str(name.value),
            nexthops=NexthopList(", ".join(nexthops), tuple(dict.fromkeys(nexthops))),
            tls=tls,
            origin=self._origin(name),
            login=own,
            login_origin=self._origin(login) if login else None,
            host_origins=tuple(places[nexthop] for nexthop in dict.fromkeys(nexthops)),
        )
