"""Runs Postfix's checks before its start in one process: the step ``quick-start`` of ``boot``, after all hooks.

``postfix start-fg`` runs some 68 programs before Postfix runs: they create missing directories of the queue, repair the
queue itself (postsuper(1)), and warn of owners and modes. If a file ``quick-start`` is in the queue directory, it skips
all of that, once (postfix-script). This step

1. gives the data directory to Postfix, and an empty queue directory to root: a tmpfs or an emptyDir may be mounted there;
2. removes such a file, whoever left it there;
3. looks for whatever those programs would create, report or refuse;
4. runs postsuper(1) as they do, **at each start**: on a queue that a killed container left, or that came from a backup,
   it renames and moves what is misplaced, and on one that is in order it takes 4 ms. So it does not matter how
   Postfix ended last time;
5. creates the file if 3 found nothing and postsuper succeeded.

In every other case, and whenever something is not understood, Postfix does it all itself and reports what it finds, as
it would without this step. This step never ends in an error: a failure of 1 is a warning. LOG_LEVEL=debug logs the
reason.

Known limits: a Postfix in ``MAIL_CONFIG`` always starts with its own checks. ``postfix-script`` may gain checks; those
here are of Postfix 3.7 and 3.10 (tests/container/test_quick_start.py compares them with the real one).
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
from pathlib import Path
from stat import S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK

from dms_relay.container.installation import INSTALLATION, Installation, differs, directories
from dms_relay.container.settings import cool, has_chroot
from dms_relay.errors import RelayError
from dms_relay.log import log_of
from dms_relay.postfix import background, main_cf
from dms_relay.postfix.programs import Postfix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Read and removed by ``postfix start`` (postfix-script).
NAME = "quick-start"
#: Mode bits that let a group or everybody write.
_OTHERS_WRITE = 0o022
#: What postqueue(1) and postdrop(1) need: set-gid, and executable for all.
_SET_GID = 0o2111
#: Directories of the queue in which everything belongs to the queue's owner (postfix-script, check-warn). Not
#: maildrop, where each user's mail is that user's.
_OWNED = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "private",
    "public",
    "saved",
    "trace",
)
#: A chroot's files in the queue directory; Postfix compares them with the machine's own.
_CHROOT = ("bin", "etc", "lib", "sbin", "usr")
#: Names that make Debian's configure-instance.sh refuse to start.
_REFUSED = frozenset({"debian.org", "ubuntu.com"})


#: What a new file system may contain.
LOST_AND_FOUND = "lost+found"
#: Mode of the data directory (postfix-files), and of the queue's.
_DATA_MODE, _QUEUE_MODE = 0o700, 0o755


class _DoubtError(Exception):
    """Postfix's own start may have something to do or to report."""


def run(environ: Mapping[str, str]) -> int:
    """Run the step. It never fails."""
    try:
        own(INSTALLATION)
    except (OSError, KeyError) as error:
        remedy = (
            "give the container the capabilities CHOWN, DAC_OVERRIDE and FOWNER, and make its root own the directory"
        )
        log_of(environ).warn(f"a directory that Postfix needs cannot be given its owner and mode: {error} -- {remedy}")
    reason = prepare(INSTALLATION, environ)
    if environ.get("LOG_LEVEL", "").lower() in {"debug", "trace"}:
        log = log_of(environ)
        log.debug(
            f"Postfix starts with its own checks: {reason}" if reason else "Postfix starts without its own checks"
        )
    return os.EX_OK


def prepare(installation: Installation, environ: Mapping[str, str]) -> str:
    """Make Postfix skip its checks if they would find nothing. Return why it cannot; empty if it can."""
    file = installation.queue_directory / NAME
    try:
        file.unlink(missing_ok=True)
        if environ.get("MAIL_CONFIG", "") not in {"", str(installation.config_directory)}:
            return "MAIL_CONFIG is set"
        check(installation)
        file.touch(mode=0o600)
    except (_DoubtError, RelayError, OSError, ValueError, KeyError) as error:
        return str(error) or type(error).__name__
    return ""


def own(installation: Installation) -> None:
    """Give the data directory to Postfix's user, and an empty queue directory to root; nobody else may write them.

    What is in them stays as it is. Raises ``OSError`` and ``KeyError``.
    """
    _give(installation.data_directory, installation.mail_owner, _DATA_MODE)
    with os.scandir(installation.queue_directory) as entries:
        is_empty = all(entry.name == LOST_AND_FOUND for entry in entries)
    if is_empty:
        _give(installation.queue_directory, "root", _QUEUE_MODE)


def _give(directory: Path, owner: str, mode: int) -> None:
    status, user = directory.lstat(), pwd.getpwnam(owner)
    if not S_ISDIR(status.st_mode):
        return
    # The mode first: the owner needs no capability to set it.
    if status.st_uid != user.pw_uid or status.st_mode & _OTHERS_WRITE:
        directory.chmod(mode)
    if status.st_uid != user.pw_uid:
        os.chown(directory, user.pw_uid, user.pw_gid)


def check(installation: Installation) -> None:
    """Run the checks of Postfix's start, and raise an error if one would do more than look.

    Raises ``_DoubtError``, ``RelayError``, ``OSError``, ``ValueError`` or ``KeyError`` (a missing user).
    """
    postfix = Postfix(installation.config_directory)
    cool(postfix)
    _check_configuration(installation, postfix)
    _check_not_running(installation)
    owner, group = pwd.getpwnam(installation.mail_owner).pw_uid, grp.getgrnam(installation.setgid_group).gr_gid
    _check_directories(installation)
    _check_programs(installation, group)
    # postconf warns of unknown parameters, as the start does; its output is of no interest.
    warner = background.begin(installation.command_directory / "postconf", postfix.directory, data_to_nowhere=True)
    repairer = background.begin(installation.command_directory / "postsuper", postfix.directory)
    try:
        _check_trees(installation, owner)
    finally:
        background.end(warner)
        repaired = background.end(repairer)
    if repaired != 0:
        raise _DoubtError("postsuper failed")


def _check_configuration(installation: Installation, postfix: Postfix) -> None:
    values = main_cf.values(postfix.read_main_cf())
    master = postfix.read_master_cf()
    if name := differs(installation, values):
        raise _DoubtError(f"main.cf sets {name}")
    if values.get("myorigin", "$myhostname") != "$myhostname" or values.get("myhostname", "").lower() in _REFUSED:
        raise _DoubtError("Postfix may refuse myorigin")
    if has_chroot(master):
        raise _DoubtError("a service runs in the chroot")
    if values.get("maillog_file") and not any(
        line.split()[:2] == ["postlog", "unix-dgram"] for line in master.splitlines()
    ):
        raise _DoubtError("there is no service postlog")


def _check_not_running(installation: Installation) -> None:
    """Leave a queue alone if a Postfix uses it, perhaps in another container: master(8) holds a lock on this file."""
    try:
        descriptor = os.open(installation.queue_directory / "pid/master.pid", os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _check_directories(installation: Installation) -> None:
    for directory in directories(installation):
        status = directory.path.lstat()
        if not directory.path.is_dir() or S_ISLNK(status.st_mode):
            raise _DoubtError(f"{directory.path} is not a directory")
        if status.st_uid != pwd.getpwnam(directory.owner).pw_uid:
            raise _DoubtError(f"{directory.path} has another owner")
        if directory.group and status.st_gid != grp.getgrnam(directory.group).gr_gid:
            raise _DoubtError(f"{directory.path} has another group")
        if directory.owner == "root":
            _require(directory.path, status, 0)


def _check_programs(installation: Installation, group: int) -> None:
    for name in ("postqueue", "postdrop"):
        status = (installation.command_directory / name).lstat()
        if status.st_gid != group or status.st_mode & _SET_GID != _SET_GID:
            raise _DoubtError(f"{name} is not set-gid")
    sendmail = Path("/usr/sbin/sendmail"), Path("/usr/lib/sendmail")
    if all(path.is_file() for path in sendmail) and not sendmail[0].samefile(sendmail[1]):
        raise _DoubtError("there are two sendmail programs")


def _check_trees(installation: Installation, owner: int) -> None:
    queue = installation.queue_directory
    own = {installation.config_directory, installation.meta_directory}
    own |= {installation.daemon_directory, installation.shlib_directory}
    for path, status in _walk(path for path in own if own.isdisjoint(path.parents)):
        _require(path, status, 0)
    for path, status in _walk([installation.data_directory]):
        _require(path, status, owner)
    for path, status in _walk(queue / name for name in _OWNED):
        if status.st_uid != owner and not S_ISFIFO(status.st_mode) and not S_ISSOCK(status.st_mode):
            raise _DoubtError(f"{path} has another owner")
        if S_ISREG(status.st_mode) and path.startswith(f"{queue}/corrupt/"):
            raise _DoubtError("there is a damaged message")
    _check_chroot(queue)


def _check_chroot(queue: Path) -> None:
    """Compare Debian 12's chroot files in the queue directory with the machine's own, as Postfix does."""
    for path, status in _walk(queue / name for name in _CHROOT if (queue / name).is_dir()):
        if S_ISLNK(status.st_mode) or status.st_uid != 0:
            raise _DoubtError(f"{path} has another owner, or is a link")
        own = Path("/", Path(path).relative_to(queue))
        if S_ISREG(status.st_mode) and own.is_file() and own.read_bytes() != Path(path).read_bytes():
            raise _DoubtError(f"{path} and {own} differ")


def _require(path: str | Path, status: os.stat_result, owner: int) -> None:
    """Raise an error unless a file or directory belongs to ``owner``, only ``owner`` may write it, and it is no link."""
    # Debian's Postfix 3.7 has this one link, and skips it by name.
    if S_ISLNK(status.st_mode) and not str(path).endswith("/makedefs.out"):
        raise _DoubtError(f"{path} is a link")
    if status.st_uid != owner:
        raise _DoubtError(f"{path} has another owner")
    if status.st_mode & _OTHERS_WRITE and not S_ISLNK(status.st_mode):
        raise _DoubtError(f"{path} can be written by others")


def _walk(tops: Iterable[Path]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield directories and all their contents, in no order. Strings: a queue may contain a hundred thousand files."""
    left = []
    for top in tops:
        yield str(top), top.lstat()
        left.append(str(top))
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                yield entry.path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
