"""The directory of the tokens and the keeper's status: it belongs to root, and only root can read it.

Part of the step ``postfix`` of ``boot``, since ``dms-relay apply`` writes secrets there soon after. An empty mount (an
emptyDir, a tmpfs, a directory of the host) may belong to anybody and be writable by everybody. Reads
``DMS_RELAY_STATE_DIR`` (``/var/lib/dms-relay``). Sets the owner and the mode of that directory only. Warns if it cannot.
"""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISDIR

from dms_relay.model import Paths
from dms_relay.model.places import STATE_DIR_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The mode of the directory.
MODE = 0o700
#: Mode bits that must not be set: all rights of group and others.
_OTHERS = 0o077


def own(environ: Mapping[str, str], warn: Callable[[str], object]) -> None:
    """Make an existing directory ours, and closed to others. A missing one is created by what needs it."""
    directory = environ.get(STATE_DIR_VARIABLE) or str(Paths().state_dir)
    try:
        _own(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        remedy = (
            f"run chown root: and chmod {MODE:o} on what is mounted there, or let the container do so (CHOWN, FOWNER)"
        )
        warn(f"{directory} is for tokens, but cannot be closed to other users: {error.strerror} -- {remedy}")


def _own(directory: str) -> None:
    status = os.lstat(directory)
    if not S_ISDIR(status.st_mode):
        return
    # The mode first: the owner needs no capability to set it.
    if S_IMODE(status.st_mode) & _OTHERS:
        os.chmod(directory, MODE)  # noqa: PTH101 -- a path object has no use here
    if status.st_uid != os.geteuid():
        os.chown(directory, os.geteuid(), os.getegid())
