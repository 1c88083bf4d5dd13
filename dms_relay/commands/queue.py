"""``dms-relay queue``: what waits in Postfix's queue, by relay: how much, since when, why, and what to do. Writes nothing.

Reads the queue through postqueue(1), even if Postfix does not run; Postfix's configuration; and the inputs, to name
the place of a login. The exit code is 0, whatever waits.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dms_relay.errors import RelayError
from dms_relay.explain.origins import Origins
from dms_relay.log import printable
from dms_relay.mail_queue import by_relay, listing
from dms_relay.mail_queue.texts import age, iso, octets
from dms_relay.merge import merge
from dms_relay.postfix.programs import Postfix
from dms_relay.render import render
from dms_relay.sources import read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Mapping

    from dms_relay.commands import Context
    from dms_relay.mail_queue import Group, Waiting
    from dms_relay.model import Paths

_HEAD = ("RELAY", "MESSAGES", "RECIPIENTS", "SIZE", "OLDEST", "WHY")
_EMPTY = "the queue is empty"
_STOPPED = "Postfix does not run, so nothing is delivered -- start it: postfix start"


def run(arguments: Namespace, context: Context) -> int:
    """Print what waits, as a table with an explanation of each reason, or with ``--json`` as one JSON object."""
    document, groups = queue(context.paths, context.environ)
    if arguments.json:
        context.say_json(document)
    else:
        context.say(*_text(document, groups))
    return os.EX_OK


def queue(paths: Paths, environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Group]]:
    """Return what waits as one document, and by relay. Times in the document are in ISO 8601. Raises ``PostfixError``."""
    postfix = Postfix(paths.postfix_dir)
    counted = _Counted(listing(postfix))
    groups = by_relay(paths, counted, origins(paths, environ))
    document = {
        "at": iso(time.time()),
        "running": postfix.master_pid() is not None,
        "messages": counted.messages,
        "recipients": counted.recipients,
        "oldest": iso(min(group.oldest for group in groups)) if groups else None,
        "relays": [relay_document(group) for group in groups],
    }
    return document, groups


class _Counted:
    """Counts messages while they are read: one can wait for several relays."""

    def __init__(self, messages: Iterable[Waiting]) -> None:
        self._waiting = messages
        self.messages = self.recipients = 0

    def __iter__(self) -> Iterator[Waiting]:
        for message in self._waiting:
            self.messages += 1
            self.recipients += len(message.recipients)
            yield message


def origins(paths: Paths, environ: Mapping[str, str]) -> Origins | None:
    """Return the places of logins; ``None`` if the inputs are wrong, which other commands report."""
    with suppress(RelayError):
        config = merge(read(paths, environ))
        return Origins(config, render(config, paths), paths)
    return None


def relay_document(group: Group) -> dict[str, Any]:
    """Return what waits for one relay. The time is in ISO 8601."""
    return {
        "relay": group.relay,
        "messages": group.messages,
        "recipients": group.waiting,
        "size": group.size,
        "oldest": iso(group.oldest),
        "queues": group.queues,
        "senders": group.senders,
        "reasons": [
            {
                "what": reason.what,
                "recipients": reason.count,
                "example": reason.example or None,
                "remedy": reason.remedy,
            }
            for reason in group.reasons
        ],
    }


def _text(document: dict[str, Any], groups: list[Group]) -> Iterator[str]:
    if groups:
        yield from table(groups)
        for group in groups:
            yield from explanation(group)
    else:
        yield _EMPTY
    if not document["running"]:
        yield from ("", _STOPPED) if groups else (_STOPPED,)


def table(groups: list[Group]) -> Iterator[str]:
    """Yield a line for each relay."""
    now = time.time()
    rows = [_HEAD, *(_row(group, now) for group in groups)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, (*widths, 0), strict=True)).rstrip()


def _row(group: Group, now: float) -> tuple[str, ...]:
    why = ", ".join(f"{reason.what} ({reason.count})" for reason in group.reasons)
    counts = str(group.messages), str(group.waiting), octets(group.size)
    return (printable(group.relay), *counts, age(now - group.oldest), why)


def explanation(group: Group) -> Iterator[str]:
    """Yield each reason with an example and what to do."""
    for reason in group.reasons:
        yield ""
        yield f"{printable(group.relay)}: {reason.what}, {reason.count} recipient{'s' * (reason.count != 1)}"
        if reason.example:
            yield f"  example: {reason.example}"
        yield f"  remedy:  {reason.remedy}"
