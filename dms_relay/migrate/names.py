"""The names in a configuration: the senders and recipients whose mail has its own route or login.

Reads the lookup tables (``tables``). Each name gets its form in ``relay.yaml``, and an address that represents all that
it covers; a key that ``relay.yaml`` cannot have is a ``Left``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError
from dms_relay.explain.tables import Tables
from dms_relay.explain.views import View
from dms_relay.migrate.draft import Left, Name
from dms_relay.migrate.tables import Entry, Listed, TableReader
from dms_relay.model import NULL_SENDER
from dms_relay.model.values import field, frozen
from dms_relay.postfix import main_cf, master_cf
from dms_relay.postfix.nexthop import SyntaxProblem, check_domain
from dms_relay.sources.text import check_sender_key
from dms_relay.sources.wildcards import EVERYBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dms_relay.migrate.given import Given
    from dms_relay.postfix.programs import Postfix

#: The user that represents all users of a domain, and two addresses that nobody names (RFC 2606).
ANY_USER = "someone"
UNKNOWN_SENDER, UNKNOWN_RECIPIENT = "someone@sender.invalid", "someone@recipient.invalid"
SENDER_MAPS = ("sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps")
PASSWORD_MAPS, POLICY_MAPS, RECIPIENT_MAPS = "smtp_sasl_password_maps", "smtp_tls_policy_maps", "transport_maps"
_MAPS = (*SENDER_MAPS, PASSWORD_MAPS, POLICY_MAPS, RECIPIENT_MAPS)
_SILENT = "the table gives no answer here, so it was left out of the comparison"
_ASK = "import again where Postfix can use it"
_BY_SENDER = "smtp_sender_dependent_authentication"
_RELAY_DOMAINS = "relay_domains"


@frozen
class Named:
    """Senders and recipients by their keys. ``hidden`` are the recipients that only ``relay_domains`` names.

    ``view`` is the configuration with readable tables instead of those that give no answer; ``silent`` are tables that
    give no answer here and cannot be listed, which it omits.
    """

    view: View
    senders: Mapping[str, Name] = field(default_factory=dict)
    recipients: Mapping[str, Name] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    left: tuple[Left, ...] = ()
    silent: tuple[str, ...] = field(default=(), repr=False)


def named(given: Given) -> Named:
    """Return the names. Raises ``PostfixError``."""
    collector = _Collector(given)
    for parameter in SENDER_MAPS:
        collector.add_senders(parameter, collector.tables(parameter))
    logins = collector.tables(PASSWORD_MAPS)
    if any(map(main_cf.is_yes, _values(given.view, _BY_SENDER))):
        collector.add_senders(PASSWORD_MAPS, logins)
    list(collector.tables(POLICY_MAPS))
    for name in given.senders:
        collector.senders.setdefault(name.key.casefold(), name)
    collector.add_recipients(collector.tables(RECIPIENT_MAPS))
    collector.add_relay_domains()
    return collector.named()


class _Collector:
    def __init__(self, given: Given) -> None:
        self.given = given
        self.view = given.view
        self.reader = TableReader(given.postfix)
        self.senders: dict[str, Name] = {}
        self.recipients: dict[str, Name] = {}
        self.hidden: set[str] = set()
        self.left: list[Left] = []
        self.listed: dict[str, Listed] = {}

    def named(self) -> Named:
        broken = [listed for listed in self.listed.values() if listed.is_broken and listed.entries]
        silent = tuple(listed.table for listed in self.listed.values() if self._is_silent(listed))
        view = _with_texts(self.given, broken) if broken else self.view
        view = without(view, silent, self.given.postfix)
        left = tuple(dict.fromkeys([*self.left, *(one for listed in self.listed.values() for one in listed.left)]))
        left += tuple(Left(f"main.cf: {_kind(table)}", _SILENT, _ASK, is_note=True) for table in silent)
        return Named(view, self.senders, self.recipients, frozenset(self.hidden), left, silent)

    def _is_silent(self, listed: Listed) -> bool:
        """Return True if a table gives no answer, and nothing could replace it."""
        if listed.entries or not (listed.is_broken or main_cf.asks_server(listed.table)):
            return False
        if listed.is_endless:
            return True
        try:
            self.given.postfix.lookup(listed.table, [UNKNOWN_SENDER])
        except PostfixError:
            return True
        return False

    def tables(self, parameter: str) -> list[Listed]:
        """List the tables of a parameter, in main.cf and in services of master.cf."""
        words = (word for value in _values(self.view, parameter) for word in main_cf.split(value))
        found = []
        for table in dict.fromkeys(words):
            listed = self._from_text(table) or self.reader.listed(parameter, table)
            found.append(self.listed.setdefault(table, listed))
        return found

    def _from_text(self, table: str) -> Listed | None:
        """Return the entries of a table that ``apply`` would create: it is not on the disk."""
        texts = self.view.tables.texts
        text = texts.get(table.partition(":")[2])
        if text is None:
            return None
        pairs = (line.partition("\t") for line in text.split("\n") if line)
        origins = self.given.origins
        return Listed(table, tuple(Entry(key, value, origins.get(key.casefold(), table)) for key, _, value in pairs))

    def add_senders(self, parameter: str, tables: Iterable[Listed]) -> None:
        for entry in (entry for listed in tables for entry in listed.entries):
            if parameter == PASSWORD_MAPS and ("@" not in entry.key or entry.key == NULL_SENDER):
                continue  # the login of a nexthop
            self._add(self.senders, entry, self._sender)

    def add_recipients(self, tables: Iterable[Listed]) -> None:
        for entry in (entry for listed in tables for entry in listed.entries):
            self._add(self.recipients, entry, _recipient)

    def _add(self, names: dict[str, Name], entry: Entry, make: Callable[[str], tuple[str, str]]) -> None:
        try:
            key, address = make(entry.key)
        except SyntaxProblem as problem:
            text = f"its key cannot be written in relay.yaml: {problem.text}"
            self.left.append(Left(entry.origin, text, problem.remedy))
        else:
            names.setdefault(key.casefold(), Name(key, address, entry.origin))

    def _sender(self, text: str) -> tuple[str, str]:
        if text == NULL_SENDER:
            return NULL_SENDER, ""
        if text in EVERYBODY:
            raise SyntaxProblem(f"{text} matches nobody in Postfix here", "write default: in relay.yaml")
        key = text if "@" in text else f"{text}@{self.view.values.get('myorigin')}"
        check_sender_key(key)
        return key.removeprefix("@"), f"{ANY_USER}{key}" if key.startswith("@") else key

    def add_relay_domains(self) -> None:
        """Add the domains whose mail goes through the relay now, and would go directly without ``recipients``."""
        words = self.view.values.words(_RELAY_DOMAINS)
        plain = [word for word in words if not set(word) & set(":/!")]
        entries = [(word, self.given.origin(_RELAY_DOMAINS)) for word in plain]
        for word in words:
            if ":" in word and not word.startswith("!"):
                listed = self.listed.setdefault(word, self.reader.listed(_RELAY_DOMAINS, word))
                entries += [(entry.key, entry.origin) for entry in listed.entries]
        with_parents = self.view.domains.matches_parents(_RELAY_DOMAINS)
        for domain, origin in entries:
            for key in (domain, f".{domain}") if with_parents else (domain,):
                self._add_domain(key, origin)

    def _add_domain(self, key: str, origin: str) -> None:
        try:
            name = Name(*_recipient(key), origin)
        except SyntaxProblem:
            return
        if key.casefold() not in self.recipients:
            self.hidden.add(key.casefold())
            self.recipients[key.casefold()] = name


def _recipient(text: str) -> tuple[str, str]:
    if text in EVERYBODY:
        remedy = "remove the line from that table: it overrides the senders and the default of relay.yaml"
        raise SyntaxProblem(f"{text} means every recipient", remedy)
    if text.startswith("."):
        check_domain(text[1:])
        return text, f"{ANY_USER}@sub{text}"
    check_sender_key(text if "@" in text else f"@{text}")
    return (text, text) if text.find("@") > 0 else (text.removeprefix("@"), f"{ANY_USER}@{text.removeprefix('@')}")


def _values(view: View, parameter: str) -> Iterator[str]:
    """Yield the values that a parameter has, in main.cf and in services."""
    yield view.values.get(parameter)
    for service in master_cf.overriding(view.master, parameter):
        found = view.service(service.partition("/")[0])
        yield found[1].get(parameter) if found else ""


def _kind(table: str) -> str:
    """Return a table's name without what could be a login in it."""
    return f"{table.removeprefix('proxy:').partition(':')[0]}:…"


def without(view: View, tables: tuple[str, ...], postfix: Postfix) -> View:
    """Return a configuration without some tables."""
    if not tables:
        return view
    changes = {
        parameter: ", ".join(word for word in view.values.words(parameter) if word not in tables) for parameter in _MAPS
    }
    master = view.master
    for table in tables:
        master = master.replace(table, "inline:{}")
    return View(view.values.with_changes(changes), Tables(postfix, view.tables.texts), master)


def _with_texts(given: Given, broken: list[Listed]) -> View:
    """Return the configuration with text files in place of the tables that Postfix cannot use here."""
    view, texts, names = given.view, dict(given.view.tables.texts), {}
    for number, listed in enumerate(broken):
        path = str(Path("/nonexistent/dms-relay") / str(number))
        texts[path] = "\n".join(f"{entry.key}\t{entry.value}" for entry in listed.entries)
        names[listed.table] = f"texthash:{path}"
    changes, master = {}, view.master
    for parameter in _MAPS:
        words = view.values.words(parameter)
        if names.keys() & set(words):
            changes[parameter] = ", ".join(names.get(word, word) for word in words)
    for table, name in names.items():
        master = master.replace(table, name)
    return View(view.values.with_changes(changes), Tables(given.postfix, texts), master)
