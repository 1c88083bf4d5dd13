"""``dms-relay metrics``: print all metrics for Prometheus, as the endpoint of ``dms-relay watch`` serves them.

Reads the queue, the state directory and, if no keeper runs, the inputs; writes nothing. On a machine without our
image, use it with node_exporter's textfile collector (docs/metrics.md).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(_arguments: Namespace, context: Context) -> int:
    """Print the metrics."""
    from dms_relay.metrics.page import page  # noqa: PLC0415 -- prometheus-client, only for this
    from dms_relay.metrics.queue import Queue  # noqa: PLC0415 -- the same
    from dms_relay.metrics.standing import postfix_version  # noqa: PLC0415 -- the same

    queue = Queue(context.paths)
    queue.read()
    text = page(context.paths, context.environ, queue, postfix_version(context.paths))
    context.say_text(text.decode().rstrip("\n"))
    return os.EX_OK
