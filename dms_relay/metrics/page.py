"""All metrics as one text: the queue, the counts from the log, and the state of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.metrics.counted import add_counted
from dms_relay.metrics.sheet import Sheet
from dms_relay.metrics.standing import add_postfix, add_standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.metrics.queue import Queue
    from dms_relay.model import Paths


def page(paths: Paths, environ: Mapping[str, str], queue: Queue, version: str) -> bytes:
    """Return the text; ``version`` is Postfix's, which the caller reads once."""
    sheet = Sheet()
    add_counted(sheet, paths.state_dir)
    queue.add(sheet)
    add_standing(sheet, paths, environ)
    add_postfix(sheet, paths, version)
    return sheet.text()
