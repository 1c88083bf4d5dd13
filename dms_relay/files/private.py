"""A private directory for a moment, for programs of Postfix that read a main.cf from it.

What such a program finds in its main.cf decides which libraries it loads, as root. So the directory lies only where nobody
else can put another one in its place: in a pod, an ``emptyDir`` at /tmp is for all users, and not sticky. With a root file
system that is read-only, /tmp can be missing as well. Makes and removes a directory of mode 0700; a run that is killed
leaves it behind. Raises ``WriteError`` where there is no place for it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dms_relay.errors import WriteError
from dms_relay.files.trust import require_believed

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where programs put temporary files, and then what every container has in memory (hier(7), shm_overview(7)).
_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 -- looked at before it is used


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory that nobody else can see into or replace, and remove it in the end."""
    with ExitStack() as stack:
        yield Path(_made(stack))


def _made(stack: ExitStack) -> str:
    reason = ""
    for place in filter(None, (os.environ.get("TMPDIR"), *_PLACES)):
        try:
            require_believed(os.path.abspath(place))  # noqa: PTH100 -- names
            return stack.enter_context(TemporaryDirectory(prefix="dms-relay-", dir=place))
        except OSError as error:
            reason = reason or f"{place}: {error.strerror}"
    text = f"there is no place for temporary files ({reason})"
    raise WriteError(text, "mount a tmpfs at /tmp, or name a directory of root's by TMPDIR")
