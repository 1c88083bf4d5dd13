"""Makes a private temporary directory, for programs of Postfix that read a main.cf from it.

The main.cf of such a program decides which libraries it loads, as root. So we make the directory only where nobody else can
replace it: in a pod, an ``emptyDir`` at /tmp is writable for all users, and not sticky. With a read-only root file system,
/tmp can be missing as well. Makes and removes a directory of mode 0700; a killed run leaves it behind. Raises ``WriteError``
if there is no place for it.
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

#: The usual places for temporary files, then those that every container has in memory (hier(7), shm_overview(7)).
_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 -- checked before use


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory that nobody else can read or replace, and remove it in the end."""
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
    raise WriteError(text, "mount a tmpfs at /tmp, or set TMPDIR to a directory owned by root")
