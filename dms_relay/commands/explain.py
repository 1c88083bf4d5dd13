"""``dms-relay explain``: the route of a message in Postfix's current configuration, and why. Writes nothing.

Reads Postfix's configuration and the inputs. If they differ, it also shows the route after ``apply``. Exit code 1 means
that the message does not leave: it stays in the queue, or is returned.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from dms_relay.errors import ArgumentError, InputError
from dms_relay.explain.limits import limits
from dms_relay.explain.origins import Origins
from dms_relay.explain.report import lines, notes, route_document
from dms_relay.explain.views import view_after, view_now
from dms_relay.merge import merge
from dms_relay.model import NULL_SENDER, Origin, Problem
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.plan.unread import unread
from dms_relay.postfix.nexthop import is_domain
from dms_relay.postfix.programs import Postfix
from dms_relay.render import render
from dms_relay.sources import read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping

    from dms_relay.commands import Context
    from dms_relay.explain.document import MessageDocument, RouteDocument
    from dms_relay.model import Paths
    from dms_relay.model.configuration import Inputs, RelayConfig
    from dms_relay.plan import Plan
    from dms_relay.plan.found import Found

#: The exit code if a message does not leave.
EXIT_FAILURE = 1
#: A recipient that matches only entries for all recipients (RFC 2606).
_ANYBODY = "someone@recipient.invalid"


def run(arguments: Namespace, context: Context) -> int:
    """Print the route of the message; then raise ``InputError`` if the inputs are wrong."""
    message = (
        _sender(arguments.sender),
        _address(_ANYBODY if arguments.recipient is None else arguments.recipient, "RECIPIENT"),
    )
    document, error = explain(context.paths, context.environ, *message)
    if arguments.json:
        context.say_json(document)
    else:
        context.say(*_text(document))
    if error:
        raise error
    return EXIT_FAILURE if document["now"]["failure"] else os.EX_OK


def explain(
    paths: Paths, environ: Mapping[str, str], sender: str, recipient: str = _ANYBODY
) -> tuple[MessageDocument, InputError | None]:
    """Return the route of a message, and what is wrong with the inputs, or ``None``. Writes nothing.

    ``sender`` and ``recipient`` are addresses without angle brackets; an empty sender is the null sender.
    """
    explainer = _Explainer(paths, environ, (sender, recipient))
    return explainer.document(), explainer.error


class _Explainer:
    """Explains one message: sender, ``""`` for the null sender, and recipient."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], message: tuple[str, str]) -> None:
        self.paths = paths
        self.environ = environ
        self.message = message
        self.postfix = Postfix(paths.postfix_dir)
        self.error: InputError | None = None
        self.inputs: Inputs | None = None
        self.config: RelayConfig | None = None

    def document(self) -> MessageDocument:
        """Return the current route, and the one after ``apply`` if that is due."""
        found = find(self.paths)
        now = view_now(self.postfix)
        changes, origins = self._inputs(found)
        is_due = changes is not None and not changes.is_empty
        after = view_after(self.postfix, now, changes, self.paths) if changes and is_due else None
        sender, recipient = self.message
        way = route_document(now, origins, *self.message)
        later = route_document(after, origins, *self.message) if after else None
        return {
            "sender": sender or NULL_SENDER,
            "recipient": recipient,
            "now": way,
            "apply_is_due": is_due if changes else None,
            "after_apply": later,
            "notes": [*notes(now, sender, recipient), *self._limits(later or way), *self._unread(found)],
        }

    def _limits(self, route: RouteDocument) -> Iterator[str]:
        """Say what the way of routing cannot do for this message by the inputs, which may not be in force yet."""
        if self.config and self.inputs:
            yield from limits(self.config, self.inputs, route, self.message[0])

    def _unread(self, found: Found) -> Iterator[str]:
        """Yield a note for each change that the running Postfix has not read yet."""
        if files := [path.name for path in unread(self.paths, found, self.postfix.master_pid(found.parameters))]:
            names = f"{files[0]} and others" if files[1:] else files[0]
            yield f"the running Postfix has not read {names} since the last change; dms-relay apply reloads it"

    def _inputs(self, found: Found) -> tuple[Plan | None, Origins | None]:
        """Return what ``apply`` would change, and the origins; ``None`` for both if the inputs are wrong."""
        try:
            self.inputs = read(self.paths, self.environ)
            self.config = config = merge(self.inputs)
            wanted = render(config, self.paths)
            changes = plan(wanted, found)
        except InputError as error:
            self.error = error
            return None, None
        return changes, Origins(config, wanted, self.paths)


def _text(document: MessageDocument) -> Iterator[str]:
    yield f"from {document['sender']} to {document['recipient']}"
    now, after = document["now"], document["after_apply"]
    yield from (f"  {line}" for line in lines(now))
    yield from (f"  note: {note}" for note in document["notes"])
    if after == now:
        yield "apply is due (see dms-relay plan), but it does not change the route of this message"
    elif after:
        yield "apply is due; after dms-relay apply:"
        yield from (f"  {line}" for line in lines(after))


def _sender(text: str) -> str:
    """Return the sender's address; empty for the null sender."""
    return "" if text == NULL_SENDER else _address(text, "SENDER")


def _address(text: str, what: str) -> str:
    """Return an address without angle brackets. Raises ``ArgumentError`` if it is not one."""
    address = text.strip().removeprefix("<").removesuffix(">")
    local, _, domain = address.rpartition("@")
    if not local or not is_domain(domain) or any(c.isspace() or not c.isprintable() for c in address):
        remedy = "write user@example.com" + ", or <> for the null sender" * (what == "SENDER")
        raise ArgumentError([Problem(Origin(what), "it is not an address", remedy)])
    # Postfix keeps a local part without its quotes (RFC 5321, section 4.1.2).
    is_quoted = local.startswith('"') and local.endswith('"') and len(local) > 1
    bare = re.sub(r"\\(.)", r"\1", local[1:-1]) if is_quoted else local
    return f"{bare}@{domain}"
