"""The envelope as cleanup(8) leaves it, before a route or a login is looked up: canonical(5) and address masquerading.

From its source, and tested with 3.7: cleanup_addr.c (the order), cleanup_map11.c (repeated until nothing changes),
mail_addr_map.c (``@domain`` as a value, extensions), cleanup_masquerade.c. Sender Rewriting Scheme (SRS) is a
``sender_canonical_maps`` whose daemon is asked like any other table. ``smtp_generic_maps`` and ``sender_bcc_maps`` do not
change the sender by which routes and logins are looked up.

Known limits: changes by a milter, a content filter or aliases are not followed. Only the cleanup service that main.cf names
is followed, and a source route (``user%host``) is not resolved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.explain.routing import Step
from dms_relay.explain.tables import LookupFailedError, Match, without_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.explain.values import Values
    from dms_relay.explain.views import View

#: How often one parameter may map an address (cleanup_map11.c, ``MAX_RECURSION``).
_RECURSION_MAX = 1000
#: The two envelope addresses by class; for each, the parameters in Postfix's order, with the one that lists their classes.
SENDER, RECIPIENT = "envelope_sender", "envelope_recipient"
_MAPS = {
    SENDER: {"sender_canonical_maps": "sender_canonical_classes", "canonical_maps": "canonical_classes"},
    RECIPIENT: {"recipient_canonical_maps": "recipient_canonical_classes", "canonical_maps": "canonical_classes"},
}
_MASQUERADE = "masquerade_domains"
#: All parameters that are followed.
FOLLOWED = ("sender_canonical_maps", "recipient_canonical_maps", "canonical_maps", _MASQUERADE)


class NotFollowedError(Exception):
    """A table could not be searched, so the result for an address is not known; says which table, and why."""


class Rewriting:
    """What the cleanup service of one machine does to envelope addresses."""

    def __init__(self, view: View) -> None:
        """Store the view of the machine."""
        self._view = view
        service = view.service(view.values.get("cleanup_service_name") or "cleanup")
        self.values: Values = service[1] if service else view.values
        self._is_off = "no_address_mappings" in view.values.words("receive_override_options")

    def parameters(self, address_class: str) -> list[str]:
        """Return the parameters that rewrite a sender, or a recipient, in Postfix's order."""
        if self._is_off:
            return []
        found = [name for name, classes in _MAPS[address_class].items() if self._applies(name, classes, address_class)]
        is_masked = self._applies(_MASQUERADE, "masquerade_classes", address_class)
        return [*found, *([_MASQUERADE] if is_masked else [])]

    def _applies(self, name: str, classes: str, address_class: str) -> bool:
        return bool(self.values.get(name)) and address_class in self.values.words(classes)

    def of(self, address: str, address_class: str) -> tuple[str, tuple[Step, ...]]:
        """Return an address as it is looked up, and each change of it. The null sender is ``""``, mapped like any other.

        Raises ``NotFollowedError``.
        """
        steps: list[Step] = []
        for parameter in self.parameters(address_class):
            change = self._masqueraded if parameter == _MASQUERADE else self._mapped
            try:
                for step, changed in change(parameter, address):
                    steps.append(step)
                    address = changed
            except LookupFailedError as error:
                raise NotFollowedError(str(error)) from error
        return address, tuple(steps)

    def _mapped(self, parameter: str, address: str) -> Iterator[tuple[Step, str]]:
        """Yield each entry found, one after the other, until an address is not found or does not change."""
        for _ in range(_RECURSION_MAX):
            match = self._view.tables.find(parameter, self.values.get(parameter), self._view.keys_of(address))
            if match is None or not match.value:
                return
            changed = self._result(match, address)
            if changed.casefold() == address.casefold():
                return
            yield Step(parameter, match), changed
            address = changed
        raise LookupFailedError(f"{parameter}: the entries of {address} form a loop")

    def _result(self, match: Match, address: str) -> str:
        """Return the result of an entry for an address: ``@domain`` keeps the user.

        The extension is kept if the entry is for the address without it.
        """
        user, _, _ = address.rpartition("@")
        bare = without_extension(user, self.values.get("recipient_delimiter"))
        is_of_all = match.key.casefold() in {address.casefold(), user.casefold()} or match.key.startswith("@")
        extension = "" if is_of_all else user[len(bare) :]
        value = match.value.replace(",", " ").split()[0]
        local, _, domain = self._complete(f"{bare if extension else user}{value}" if value.startswith("@") else value)
        is_kept = "canonical" in self.values.words("propagate_unmatched_extensions")
        return f"{local}{extension if is_kept else ''}@{domain}"

    def _complete(self, address: str) -> tuple[str, str, str]:
        """Return user, ``@`` and domain; missing parts are added (trivial-rewrite(8))."""
        local, _, domain = address.rpartition("@") if "@" in address else (address, "@", self.values.get("myorigin"))
        if "." not in domain and self.values.is_yes("append_dot_mydomain"):
            domain = f"{domain}.{self.values.get('mydomain')}"
        return local, "@", domain

    def _masqueraded(self, parameter: str, address: str) -> Iterator[tuple[Step, str]]:
        """Yield the change to a parent domain; the first domain of the list that matches decides."""
        user, _, domain = address.rpartition("@")
        if user.casefold() in (word.casefold() for word in self.values.words("masquerade_exceptions")):
            return
        for word in self.values.words(parameter):
            parent = word.lstrip("!")
            is_left = (len(word) - len(parent)) % 2 == 1
            if not parent or not f".{domain}".casefold().endswith(f".{parent}".casefold()):
                continue
            if domain.casefold() != parent.casefold() and not is_left:
                changed = f"{user}@{domain[len(domain) - len(parent) :]}"
                yield Step(parameter, Match(parameter, parameter, address, changed)), changed
            return
