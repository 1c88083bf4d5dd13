"""The steps of an import in order, from the given configuration to the draft and its proof.

Writes to a temporary directory only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.errors import InputError
from dms_relay.files.private import private_directory
from dms_relay.migrate.deliveries import Deliveries
from dms_relay.migrate.draft import Left
from dms_relay.migrate.drafting import Answers, draft
from dms_relay.migrate.names import UNKNOWN_RECIPIENT, UNKNOWN_SENDER, named, without
from dms_relay.migrate.proof import Proof, prove
from dms_relay.migrate.yaml_text import Passwords, files_of, relay_yaml
from dms_relay.model import RELAY_YAML
from dms_relay.model.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.explain.views import View
    from dms_relay.migrate.draft import Draft
    from dms_relay.migrate.given import Given
    from dms_relay.migrate.names import Named

#: Replaces a password whose file is not here, during the proof.
_STAND_IN = "not-here"


@frozen
class Imported:
    """A draft, what could not be imported, and the proof: ``None`` if the draft cannot be applied."""

    given: Given
    draft: Draft
    left: tuple[Left, ...]
    proof: Proof | None
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_the_same(self) -> bool:
        """True if all was imported, and all mail goes as before."""
        taken = all(left.is_note for left in self.left)
        return taken and self.proof is not None and not self.proof.differences


def import_(given: Given) -> Imported:
    """Import a configuration, and prove it. Raises ``PostfixError``."""
    names = named(given)
    found, left = _draft(given, names)
    parameters = dict(given.parameters)
    if given.direct and _goes_directly(found):
        parameters |= given.direct
        left = (*left, *([given.direct_note] if given.direct_note else []))
    try:
        proof = _prove(given, names, found, parameters)
    except InputError as error:
        left = (*left, *(Left(str(p.origin), p.text, p.remedy) for p in error.problems if p.is_error))
        return Imported(given, found, left, None, parameters)
    return Imported(given, found, left, proof, parameters)


def _goes_directly(found: Draft) -> bool:
    """Return True if some mail goes directly, or by settings that stay in main.cf."""
    routes = (*found.senders, *found.recipients, *([found.default] if found.default else []))
    return found.default is None or any(route.relay is None for route in routes)


def _draft(given: Given, names: Named) -> tuple[Draft, tuple[Left, ...]]:
    deliveries = Deliveries(given, names.view)
    senders, recipients = tuple(names.senders.values()), tuple(names.recipients.values())
    addresses = [name.address for name in (*senders, *recipients)]
    names.view.tables.expect([*addresses, UNKNOWN_SENDER, UNKNOWN_RECIPIENT])
    answers = Answers(
        default=deliveries.of(UNKNOWN_SENDER, UNKNOWN_RECIPIENT),
        null=deliveries.of("", UNKNOWN_RECIPIENT),
        senders=tuple((name, deliveries.of(name.address, UNKNOWN_RECIPIENT)) for name in senders),
        recipients=tuple((name, deliveries.of(UNKNOWN_SENDER, name.address)) for name in recipients),
        hidden=names.hidden,
    )
    parameter = "default_transport" if ":" in names.view.values.get("default_transport") else "relayhost"
    found = draft(answers, given.origin(parameter), given.keep)
    left = dict.fromkeys([*given.left, *names.left, *deliveries.left, *found.left])
    return found, tuple(left)


def _prove(given: Given, names: Named, found: Draft, parameters: Mapping[str, str]) -> Proof:
    with private_directory() as directory:
        after = without(_applied(given, found, directory, parameters), names.silent, given.postfix)
        return prove(names.view, after, names)


def _applied(given: Given, found: Draft, directory: Path, parameters: Mapping[str, str]) -> View:
    """Return Postfix's configuration after ``apply`` with a draft, whose files are written to a directory for that."""
    place = f"{directory}/secrets"
    passwords = Passwords(place, copied=True)
    Path(place).mkdir(0o700)
    for path, text in files_of(found, passwords, place):
        _write(Path(path), text or _STAND_IN)
    _write(directory / RELAY_YAML, relay_yaml(found, given.source, passwords))
    return given.after(directory, parameters)


def _write(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))  # as it will be written, whatever its encoding
