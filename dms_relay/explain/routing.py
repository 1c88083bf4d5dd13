"""From an envelope to a transport and its nexthop, as trivial-rewrite(8) resolves it (resolve.c, transport.c).

The class of the recipient's domain comes first (ADDRESS_CLASS_README); a transport may carry its own nexthop; where it does
not, sender and ``relayhost`` say it for mail that leaves; ``transport_maps`` has the last word, but for virtual aliases.

Known limits: addresses are taken as they are; old forms of routing in them (``user%host``, ``host!user``) are not resolved.
A recipient without a domain, or at an address in brackets, is not looked at.
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
_UNDELIVERABLE = "Address is undeliverable"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: a parameter, and its value or the entry that was found in its tables.

    ``match`` is ``None`` where no table was asked, or none has an entry; ``value`` is what counts then, or empty.
    """

    parameter: str
    match: Match | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a message goes, and by which steps. ``failure`` says why it stays in the queue, where it does."""

    transport: str = ""
    nexthop: str = ""
    steps: tuple[Step, ...] = ()
    failure: str = ""


def resolve(view: View, sender: str, recipient: str) -> Resolution:
    """Return the way of a message; the null sender is ``""``."""
    resolver = _Resolver(view, sender, recipient)
    try:
        transport, nexthop = resolver.run()
    except LookupFailedError as error:
        return Resolution(steps=tuple(resolver.steps), failure=str(error))
    return Resolution(transport, nexthop, tuple(resolver.steps))


class _Resolver:
    """Goes through the steps for one message."""

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
        """Return True if the recipient's domain is of a class."""
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
        """Return what is said of mail that leaves, for the domains of ``relay_domains`` and for all others."""
        if self._is("relay_domains"):
            value = self._parameter("relay_transport")
        else:
            value = self._by_sender("sender_dependent_default_transport_maps", "default_transport")
        transport, _, nexthop = value.partition(":")
        return transport, nexthop or self._by_sender("sender_dependent_relayhost_maps", "relayhost") or self.domain

    def _by_sender(self, maps: str, parameter: str) -> str:
        """Return what the sender's entry says, else the parameter for everybody."""
        match = self._find_sender(maps)
        if match and match.value.upper() != AS_DEFAULT:
            return match.value
        return self._parameter(parameter)

    def _parameter(self, parameter: str) -> str:
        value = self.values.get(parameter)
        self.steps.append(Step(parameter, value=value))
        return value

    def _find_sender(self, maps: str) -> Match | None:
        tables = self.values.get(maps)
        if not tables:
            return None
        match = self.view.tables.find(maps, tables, self._keys_of_sender(maps))
        if match and not match.value:
            raise LookupFailedError(f"{maps}: the entry of {match.key} in {match.shown_table} is empty")
        self.steps.append(Step(maps, match))
        return match

    def _keys_of_sender(self, maps: str) -> list[Key]:
        """Return the keys of the sender; the null sender has one of its own."""
        if not self.sender:
            kind = "relayhost" if "relayhost" in maps else "default_transport"
            return [Key(self.values.get(f"empty_address_{kind}_maps_lookup_key"), is_partial=False)]
        return self.view.keys_of(self.sender)

    def _mapped(self, transport: str, nexthop: str) -> tuple[str, str]:
        """Return what ``transport_maps`` makes of it (transport(5), "RESULT FORMAT")."""
        tables = self.values.get("transport_maps")
        match = self._find_recipient(tables) if tables else None
        if match is None:
            return transport, nexthop
        new_transport, _, new_nexthop = match.value.partition(":")
        if not new_transport:
            return transport, new_nexthop or nexthop
        return new_transport, new_nexthop or (_UNDELIVERABLE if new_transport in {ERROR, RETRY} else self.domain)

    def _unless_moved(self, transport: str, nexthop: str) -> tuple[str, str]:
        """Return what ``relocated_maps`` makes of it: a bounce that names the new address."""
        tables = self.values.get("relocated_maps")
        keys = self.view.keys_of(self.recipient)
        match = self.view.tables.find("relocated_maps", tables, keys) if tables else None
        if match is None:
            return transport, nexthop
        self.steps.append(Step("relocated_maps", match))
        return ERROR, f"5.1.6 User has moved to {match.value}"

    def _find_recipient(self, tables: str) -> Match | None:
        with_parents = self.view.domains.matches_parents("transport_maps")
        keys = recipient_keys(self.recipient, self.values.get("recipient_delimiter"), with_parents=with_parents)
        match = self.view.tables.find("transport_maps", tables, keys)
        self.steps.append(Step("transport_maps", match))
        return match
