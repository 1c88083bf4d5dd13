"""The default place of the inputs, and what is mounted where. Reads proc(5) and looks for files; writes nothing.

docker-mailserver (DMS) mounts its configuration below /tmp, where on any other machine every user can create a directory. So
we use that place only in a container, or if something is mounted there; elsewhere the default is ``HOST_DIRECTORY``.

Known limits: a container that has none of ``_MARKERS``, and nothing mounted there, counts as a machine.
"""

from __future__ import annotations

import os

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The configuration directory in DMS and in our image; and the one on a machine without containers.
DMS_DIRECTORY, HOST_DIRECTORY = "/tmp/docker-mailserver", "/etc/dms-relay"  # noqa: S108 -- see above
#: Files that only containers have: those of Docker, of podman, of our image, and of DMS under any engine.
_MARKERS = ("/.dockerenv", "/run/.containerenv", "/docker-entrypoint.d", "/usr/local/bin/start-mailserver.sh")
#: Set in each container of a pod (kubernetes.io, "Discovering services").
_KUBERNETES = "KUBERNETES_SERVICE_HOST"
_MOUNTS = "/proc/self/mountinfo"
#: Names the configuration directory; --config-dir wins over it.
CONFIG_DIR_VARIABLE = "DMS_RELAY_CONFIG_DIR"
#: Names the state directory, whose default is ``Paths.state_dir``.
STATE_DIR_VARIABLE = "DMS_RELAY_STATE_DIR"


@frozen
class Mount:
    """What is mounted at a place. ``is_of_user``: by a user, through FUSE, which needs no privileges (fusermount(1))."""

    number: str
    parent: str
    place: str
    is_of_user: bool


def default_config_dir() -> str:
    """Return the configuration directory to use if none is named."""
    return DMS_DIRECTORY if is_container() or is_mounted(DMS_DIRECTORY) else HOST_DIRECTORY


def is_container() -> bool:
    """Return True if this process is known to run in a container."""
    return any(map(os.path.exists, _MARKERS)) or bool(os.environ.get(_KUBERNETES))


def lacks_mount(path: str) -> bool:
    """Return True if this is a container and the directory is empty, with nothing mounted there.

    Files written there would be lost with the container.
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
    """Return all mounts that this process can see; none if they cannot be read."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 -- pathlib costs more
            return [_mount(line) for line in file]
    except (OSError, ValueError):
        return []


def _mount(line: str) -> Mount:
    """Read one line (proc_pid_mountinfo(5)): blanks, tabs, line feeds and backslashes in a path are in octal."""
    before, _, after = line.partition(" - ")
    number, parent, _, _, place, *_ = before.split(" ")
    for sign in " \t\n\\":
        place = place.replace(f"\\{ord(sign):03o}", sign)
    kind, _, options = after.rstrip("\n").split(" ", 2)
    users = [option for option in options.split(",") if option.startswith("user_id=")]
    return Mount(number, parent, place, kind.startswith("fuse") and users != ["user_id=0"])


def mount_of(path: str, known: Sequence[Mount]) -> Mount | None:
    """Return the mount that holds ``path``, which is absolute and free of links; ``None`` if that is not known.

    It is followed from the root, as the kernel does: a mount below a directory that was later mounted over does not count.
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
    """Return True if a path is the directory or something in it, judging by their names only."""
    return directory in {path, "/"} or path.startswith(f"{directory}/")
