"""Describes an import, as text and as a document for programs. Shows no password."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from dms_relay.mask import mask_parameter
from dms_relay.migrate.yaml_text import Passwords, relay_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dms_relay.migrate.draft import Left
    from dms_relay.migrate.importing import Imported
    from dms_relay.migrate.proof import Proof

_INDENT = "  "
#: Maximum number of differences in the text.
_SHOWN_MAX = 20
#: The placeholder for the directory in the next steps.
_PLACE = "DIR"
#: Parameters generated here that name domains, though their tables could contain secrets.
_SHOWN = frozenset({"smtpd_recipient_restrictions", "local_header_rewrite_clients"})


def text(imported: Imported, passwords: Passwords, written: Sequence[str], output: str) -> Iterator[str]:
    """Yield the report: the files if they were not written, what was not imported, the proof, and the next steps.

    ``output`` is the directory to which they were written.
    """
    if not written:
        yield from relay_yaml(imported.draft, imported.given.source, passwords).removesuffix("\n").split("\n")
        yield from _block("# postfix-main.cf:", (f"{name} = {value}" for name, value in _parameters(imported)))
        variables = imported.given.variables.items()
        yield from _block("# variables of the container:", (f"{name}={value}" for name, value in variables if value))
    yield from _block("written:", written)
    yield from _block("not taken:", _lines(imported.left, is_note=False))
    yield from _block("worth knowing:", _lines(imported.left, is_note=True))
    yield from proof_text(imported.proof)
    if written:
        yield from _block("then:", (line.replace(_PLACE, quote(output)) for line in imported.given.then))


def proof_text(proof: Proof | None) -> Iterator[str]:
    """Yield the number of messages compared, and each that goes another way."""
    if proof is None:
        yield "not compared: dms-relay would refuse this relay.yaml, see above"
        return
    compared = f"compared by explain, before and after: {proof.compared} messages"
    if proof.skipped:
        compared += f" ({proof.skipped} pairs of a named sender and a named recipient were left out)"
    if not proof.differences:
        yield f"{compared}, and all go as before"
        return
    count = len(proof.differences)
    yield f"{compared}, and {count} {'goes' if count == 1 else 'go'} another way:"
    for one in proof.differences[:_SHOWN_MAX]:
        yield f"{_INDENT}{one.message.shown}"
        yield f"{_INDENT * 2}before  {one.before}"
        yield f"{_INDENT * 2}after   {one.after}"
    if count > _SHOWN_MAX:
        yield f"{_INDENT}… and {count - _SHOWN_MAX} more, all of which --json lists"
    if any(one.is_login_alone for one in proof.differences):
        yield f"{_INDENT}(relay.yaml offers a login at the relay that it is for, and at no other server)"


def document(imported: Imported, passwords: Passwords, written: Sequence[str]) -> dict[str, Any]:
    """Return the same for programs."""
    proof = imported.proof
    return {
        "from": imported.given.source,
        "relay_yaml": relay_yaml(imported.draft, imported.given.source, passwords),
        "postfix_main_cf": dict(_parameters(imported)),
        "variables": {name: value for name, value in imported.given.variables.items() if value},
        "written": list(written),
        "not_taken": [_left(left) for left in imported.left if not left.is_note],
        "notes": [_left(left) for left in imported.left if left.is_note],
        "compared": proof.compared if proof else None,
        "differences": [
            {
                "sender": one.message.sender or "<>",
                "recipient": one.message.recipient,
                "before": one.before,
                "after": one.after,
            }
            for one in (proof.differences if proof else ())
        ],
        "is_the_same": imported.is_the_same,
    }


def _parameters(imported: Imported) -> Iterator[tuple[str, str]]:
    for name, value in imported.parameters.items():
        yield name, value if name in _SHOWN else mask_parameter(name, value)


def _left(left: Left) -> dict[str, str]:
    return {"origin": left.origin, "text": left.text, "remedy": left.remedy}


def _lines(left: Iterable[Left], *, is_note: bool) -> Iterator[str]:
    yield from (str(one) for one in left if one.is_note == is_note)


def _block(title: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if not number:
            yield title
        yield f"{_INDENT}{line}" if not title.startswith("#") else line
