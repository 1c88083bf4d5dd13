"""Resolves an envelope to a transport and its nexthop, as trivial-rewrite(8) does (resolve.c, transport.c).

The address class of the recipient's domain comes first (ADDRESS_CLASS_README). A transport may have its own nexthop; if
not, the sender and ``relayhost`` decide for outgoing mail. ``transport_maps`` overrides everything, except for virtual
aliases.

Known limits: source routes in addresses (``user%host``, ``host!user``) are not resolved; recipients without a domain, or at
an address in brackets, are not supported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dms_relay.explain.tables import Key, LookupFailedError, recipient_keys
from dms_relay.model import AS_DEFAULT

if TYPE_CHECKING:
    from dms_relay.explain.tables import Match
    from dms_relay.explain.views import View

#: Transports that deliver nothing: error(8).
ERROR, RETRY = "error", "retry"
#: The parameters whose tables are keyed by sender.
_BY_SENDER = ("sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps")
_UNDELIVERABLE = "Address is undeliverable"


@dataclass(frozen=True, slots=True)
class Step:
    """One parameter that Postfix consulted, with its value or the entry found in its tables.

    ``match`` is ``None`` if no table was searched, or no entry found; then ``value`` counts, or is empty.
    """

    parameter: str
    match: Match | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The route of a message, and the steps that led to it. ``failure`` says why it stays in the queue, if it does."""

    transport: str = ""
    nexthop: str = ""
    steps: tuple[Step, ...] = ()
    failure: str = ""


def resolve(view: View, sender: str, recipient: str) -> Resolution:
    """Return the route of a message; the null sender is ``""``."""
    resolver = _Resolver(view.of_resolver, sender, recipient)
    try:
        transport, nexthop = resolver.run()
    except LookupFailedError as error:
        return Resolution(steps=tuple(resolver.steps), failure=str(error))
    return Resolution(transport, nexthop, tuple(resolver.steps))


def sender_values(view: View, sender: str) -> tuple[str | None, ...]:
    """Return the values of a sender's entries, on which the route of its mail depends. Raises ``LookupFailedError``."""
    resolver = _Resolver(view, sender, "")
    found = (resolver.find_sender(maps) for maps in _BY_SENDER)
    return tuple(match.value if match else None for match in found)


def recipient_values(view: View, recipient: str) -> tuple[str | None, ...]:
    """Return the values of a recipient's entries, on which, with its domain, the route depends.

    Raises ``LookupFailedError``.
    """
    resolver = _Resolver(view, "", recipient)
    found = resolver.find_recipient(view.values.get("transport_maps")), resolver.find_moved()
    return tuple(match.value if match else None for match in found)


class _Resolver:
    """Resolves one message, step by step."""

    def __init__(self, view: View, sender: str, recipient: str) -> None:
        self.view = view
        self.values = view.values
        self.sender = sender
        self.recipient = recipient
        self.domain = recipient.rpartition("@")[2]
        self.steps: list[Step] = []

    def run(self) -> tuple[str, str]:
        """Return transport and nexthop."""
        if self._is("mydestination"):
            found = self._mapped(*self._own("local_transport"))
        elif self._is("virtual_alias_domains"):
            found = ERROR, "5.1.1 User unknown in virtual alias table"
        elif self._is("virtual_mailbox_domains"):
            found = self._mapped(*self._own("virtual_transport"))
        else:
            found = self._mapped(*self._leaving())
        return self._unless_moved(*found)

    def _is(self, parameter: str) -> bool:
        """Return True if the recipient's domain belongs to a class."""
        is_member = self.view.domains.has(parameter, self.domain)
        if is_member:
            self.steps.append(Step(parameter, value=self.domain))
        return is_member

    def _own(self, parameter: str) -> tuple[str, str]:
        value = self.values.get(parameter)
        self.steps.append(Step(parameter, value=value))
        transport, _, nexthop = value.partition(":")
        return transport, nexthop or self.domain

    def _leaving(self) -> tuple[str, str]:
        """Return transport and nexthop of outgoing mail, for ``relay_domains`` and for all other domains."""
        if self._is("relay_domains"):
            value = self._parameter("relay_transport")
        else:
            value = self._by_sender("sender_dependent_default_transport_maps", "default_transport")
        transport, _, nexthop = value.partition(":")
        return transport, nexthop or self._by_sender("sender_dependent_relayhost_maps", "relayhost") or self.domain

    def _by_sender(self, maps: str, parameter: str) -> str:
        """Return the sender's entry, else the parameter for all senders."""
        match = self.find_sender(maps)
        if match and match.value.upper() != AS_DEFAULT:
            return match.value
        return self._parameter(parameter)

    def _parameter(self, parameter: str) -> str:
        value = self.values.get(parameter)
        self.steps.append(Step(parameter, value=value))
        return value

    def find_sender(self, maps: str) -> Match | None:
        """Return the sender's entry in the tables of a parameter."""
        tables = self.values.get(maps)
        if not tables:
            return None
        match = self.view.tables.find(maps, tables, self._keys_of_sender(maps))
        if match and not match.value:
            raise LookupFailedError(f"{maps}: the entry of {match.key} in {match.shown_table} is empty")
        self.steps.append(Step(maps, match))
        return match

    def _keys_of_sender(self, maps: str) -> list[Key]:
        """Return the lookup keys of the sender; the null sender has its own."""
        if not self.sender:
            kind = "relayhost" if "relayhost" in maps else "default_transport"
            return [Key(self.values.get(f"empty_address_{kind}_maps_lookup_key"), is_partial=False)]
        return self.view.keys_of(self.sender)

    def _mapped(self, transport: str, nexthop: str) -> tuple[str, str]:
        """Return transport and nexthop after ``transport_maps`` (transport(5), "RESULT FORMAT")."""
        tables = self.values.get("transport_maps")
        match = self.find_recipient(tables)
        if match is None:
            return transport, nexthop
        new_transport, _, new_nexthop = match.value.partition(":")
        if not new_transport:
            return transport, new_nexthop or nexthop
        return new_transport, new_nexthop or (_UNDELIVERABLE if new_transport in {ERROR, RETRY} else self.domain)

    def _unless_moved(self, transport: str, nexthop: str) -> tuple[str, str]:
        """Return transport and nexthop after ``relocated_maps``: a bounce that names the new address."""
        if (match := self.find_moved()) is None:
            return transport, nexthop
        self.steps.append(Step("relocated_maps", match))
        return ERROR, f"5.1.6 User has moved to {match.value}"

    def find_moved(self) -> Match | None:
        """Return the recipient's entry in ``relocated_maps``."""
        tables = self.values.get("relocated_maps")
        keys = self.view.keys_of(self.recipient) if tables else []
        return self.view.tables.find("relocated_maps", tables, keys) if tables else None

    def find_recipient(self, tables: str) -> Match | None:
        """Return the recipient's entry in the tables of ``transport_maps``; ``None`` if there is none."""
        if not tables:
            return None
        with_parents = self.view.domains.matches_parents("transport_maps")
        keys = recipient_keys(self.recipient, self.values.get("recipient_delimiter"), with_parents=with_parents)
        match = self.view.tables.find("transport_maps", tables, keys)
        self.steps.append(Step("transport_maps", match))
        return match
