"""Where the inputs are when nobody says so, and what is mounted where. Reads proc(5) and looks for files; writes nothing.

docker-mailserver (DMS) mounts its configuration at a place below /tmp, where on any other machine every user can make a
directory. So that place is taken in a container, or where something is mounted there; elsewhere it is ``HOST_DIRECTORY``.

Known limits: a container that none of ``_MARKERS`` tells, and into which nothing is mounted there, counts as a machine.
"""

from __future__ import annotations

import os

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where DMS, and our image, have their configuration directory; and where a machine without containers has it.
DMS_DIRECTORY, HOST_DIRECTORY = "/tmp/docker-mailserver", "/etc/dms-relay"  # noqa: S108 -- see above
#: What a container has and a machine has not: of Docker, of podman, of our image, and of DMS under any engine.
_MARKERS = ("/.dockerenv", "/run/.containerenv", "/docker-entrypoint.d", "/usr/local/bin/start-mailserver.sh")
#: Set in each container of a pod (kubernetes.io, "Discovering services").
_KUBERNETES = "KUBERNETES_SERVICE_HOST"
_MOUNTS = "/proc/self/mountinfo"
#: Names the configuration directory, as --config-dir does, which wins over it.
CONFIG_DIR_VARIABLE = "DMS_RELAY_CONFIG_DIR"
#: Names the state directory, whose default is ``Paths.state_dir``.
STATE_DIR_VARIABLE = "DMS_RELAY_STATE_DIR"


@frozen
class Mount:
    """What is mounted at a place. ``is_of_user``: by a user, through FUSE, which takes no rights (fusermount(1))."""

    number: str
    parent: str
    place: str
    is_of_user: bool


def default_config_dir() -> str:
    """Return the configuration directory where none is named."""
    return DMS_DIRECTORY if is_container() or is_mounted(DMS_DIRECTORY) else HOST_DIRECTORY


def is_container() -> bool:
    """Return True if this process is in a container, as far as that can be told."""
    return any(map(os.path.exists, _MARKERS)) or bool(os.environ.get(_KUBERNETES))


def lacks_mount(path: str) -> bool:
    """Return True if a directory is what a container has in the place of a configuration directory: empty, and no mount.

    What is written there is lost with the container.
    """
    try:
        is_empty = path == DMS_DIRECTORY and not os.listdir(path)  # noqa: PTH208 -- pathlib costs more
    except OSError:
        return False
    return is_empty and is_container() and not is_mounted(path)


def is_mounted(path: str) -> bool:
    """Return True if something is mounted at ``path``, and not by a user."""
    if not os.path.lexists(path):
        return False
    found = mount_of(path, mounts())
    return found is not None and found.place == path and not found.is_of_user


def mounts() -> list[Mount]:
    """Return all mounts that this process can see; none where they cannot be read."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 -- pathlib costs more
            return [_mount(line) for line in file]
    except (OSError, ValueError):
        return []


def _mount(line: str) -> Mount:
    """Read one line (proc_pid_mountinfo(5)): a blank, tab, line end or backslash in a place stands there in octal."""
    before, _, after = line.partition(" - ")
    number, parent, _, _, place, *_ = before.split(" ")
    for sign in " \t\n\\":
        place = place.replace(f"\\{ord(sign):03o}", sign)
    kind, _, options = after.rstrip("\n").split(" ", 2)
    users = [option for option in options.split(",") if option.startswith("user_id=")]
    return Mount(number, parent, place, kind.startswith("fuse") and users != ["user_id=0"])


def mount_of(path: str, known: Sequence[Mount]) -> Mount | None:
    """Return the mount that holds ``path``, which is absolute and free of links; ``None`` where that is not known.

    Followed from the root on, as the kernel does: a mount below a directory that was mounted over later does not count.
    """
    numbers = {mount.number for mount in known}
    found: Mount | None = None
    while True:
        on = [m for m in known if (m.parent == found.number if found else m.parent not in numbers) and m != found]
        near = [mount for mount in on if is_below(path, mount.place)]
        if not near:
            return found
        found = min(near, key=lambda mount: len(mount.place))


def is_below(path: str, directory: str) -> bool:
    """Return True if a path is a directory or something in it, as their names say."""
    return directory in {path, "/"} or path.startswith(f"{directory}/")
