"""The directory that keeps tokens, and what the keeper says of itself: root's, and nobody else looks into it.

Part of the step ``postfix`` of ``boot``, since ``dms-relay apply`` keeps secrets there already. What is mounted empty (an
emptyDir, a tmpfs, a directory of the host's) may be anybody's, and everybody may write it. Reads ``DMS_RELAY_STATE_DIR``
(``/var/lib/dms-relay``). Sets the owner and the mode of that directory alone. Where they cannot be set that is a warning.
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
#: What must not be set in it: all rights of group and others.
_OTHERS = 0o077


def own(environ: Mapping[str, str], warn: Callable[[str], object]) -> None:
    """Give the directory to us, and only to us, where it is there: what needs it makes it."""
    directory = environ.get(STATE_DIR_VARIABLE) or str(Paths().state_dir)
    try:
        _own(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        remedy = (
            f"run chown root: and chmod {MODE:o} on what is mounted there, or let the container do so (CHOWN, FOWNER)"
        )
        warn(f"{directory} cannot be made root's alone, and tokens are kept there: {error.strerror} -- {remedy}")


def _own(directory: str) -> None:
    status = os.lstat(directory)
    if not S_ISDIR(status.st_mode):
        return
    # The mode comes first: for the owner it takes no capability.
    if S_IMODE(status.st_mode) & _OTHERS:
        os.chmod(directory, MODE)  # noqa: PTH101 -- a path object has no use here
    if status.st_uid != os.geteuid():
        os.chown(directory, os.geteuid(), os.getegid())
