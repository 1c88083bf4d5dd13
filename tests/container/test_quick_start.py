"""``quick_start``, held against what Postfix's own start does and says on the same directories."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dms_relay.container import quick_start, settings
from dms_relay.container.installation import INSTALLATION, Installation, differs, directories
from testbed import Postfix, layout
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: What the start of a Postfix without a mistake says: nothing.
QUIET: tuple[str, list[str]] = ("", [])


@pytest.fixture(scope="module", autouse=True)
def _postfix_is_there() -> None:
    """Hold every test of this module to what it needs."""
    require_postfix()


class Private(NamedTuple):
    """A Postfix of a test's own, and where its parts are."""

    postfix: Postfix
    installation: Installation

    @property
    def queue(self) -> Path:
        """The queue directory."""
        return self.installation.queue_directory

    @property
    def file(self) -> Path:
        """What has Postfix leave its checks out."""
        return self.queue / quick_start.NAME

    def checks(self) -> tuple[str, list[str]]:
        """Have Postfix make its checks; return what it says, and what it makes in its directories."""
        before = self._names()
        log = self.postfix.layout.log
        log.write_text("")
        said = self.postfix.command("postfix", "check", check=False).stderr
        return said + log.read_text(), sorted(self._names() - before)

    def _names(self) -> set[str]:
        tops = (self.queue, self.installation.data_directory)
        return {str(path) for top in tops for path in (top, *top.rglob("*")) if path.exists()}

    def prepare(self) -> str:
        """Take the step; return the reason why Postfix makes its checks itself."""
        reason = quick_start.prepare(self.installation, {})
        assert self.file.exists() == (not reason)
        return reason


@pytest.fixture
def private() -> Iterator[Private]:
    """Yield a Postfix as the image has it: without chroot, its directories made."""
    postfix = Postfix()
    (postfix.layout.queue / "etc").unlink()
    master = postfix.config / "master.cf"
    layout.write_old(master, master.read_text().replace(" y ", " n "))
    place = INSTALLATION._replace(
        config_directory=postfix.config,
        queue_directory=postfix.layout.queue,
        data_directory=postfix.layout.data,
    )
    put(postfix.layout.log)  # postsuper writes there as the queue's owner
    try:
        yield Private(postfix, place)
    finally:
        postfix.stop()
        postfix.layout.remove()


def own(path: Path, user: str) -> None:
    """Give a file away."""
    os.chown(path, pwd.getpwnam(user).pw_uid, -1)


def put(path: Path, user: str = "postfix", mode: int = 0o600) -> None:
    """Lay a file down."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    own(path, user)
    path.chmod(mode)


def put_message(directory: Path, user: str = "postfix") -> Path:
    """Lay a message down under a name that Postfix could have given it: it ends with the inode."""
    put(directory / "new", user, 0o700)
    path = directory / f"A1234{(directory / 'new').stat().st_ino:X}"
    return (directory / "new").rename(path)


def set_main_cf(private: Private, line: str) -> None:
    """Add a line to main.cf."""
    path = private.postfix.config / "main.cf"
    layout.write_old(path, path.read_text() + line + "\n")


def without_postlog(private: Private) -> None:
    """Take a service out of master.cf."""
    path = private.postfix.config / "master.cf"
    layout.write_old(
        path, "".join(line for line in path.read_text().splitlines(True) if not line.startswith("postlog"))
    )


#: What may be wrong with a queue, a configuration or a data directory, so that Postfix's start does or says something.
WRONG: dict[str, Callable[[Private], object]] = {
    "a directory is missing": lambda p: (p.queue / "deferred").rmdir(),
    "all directories are missing": lambda p: deque(map(shutil.rmtree, p.queue.iterdir())),
    "the data directory is missing": lambda p: shutil.rmtree(p.installation.data_directory),
    "a directory of root's": lambda p: own(p.queue / "active", "root"),
    "maildrop of root's": lambda p: own(p.queue / "maildrop", "root"),
    "maildrop of another group": lambda p: os.chown(p.queue / "maildrop", -1, 0),
    "public of another group": lambda p: os.chown(p.queue / "public", -1, 0),
    "a queue that is not root's": lambda p: own(p.queue, "postfix"),
    "a queue that others may write": lambda p: p.queue.chmod(0o775),
    "pid that others may write": lambda p: (p.queue / "pid").chmod(0o777),
    "pid that is not root's": lambda p: own(p.queue / "pid", "postfix"),
    "a message of root's": lambda p: put(p.queue / "hold" / "3cZKZz4LhGzT", "root"),
    "a message of root's, further down": lambda p: put(p.queue / "defer" / "A" / "A12345", "root"),
    "a damaged message": lambda p: put(p.queue / "corrupt" / "3cZKZz4LhGzT"),
    "a data file of root's": lambda p: put(p.installation.data_directory / "cache.db", "root"),
    "a data file that others may write": lambda p: put(p.installation.data_directory / "cache.db", mode=0o666),
    "a data directory of root's": lambda p: own(p.installation.data_directory, "root"),
    "main.cf of another's": lambda p: own(p.postfix.config / "main.cf", "postfix"),
    "a table of another's": lambda p: put(p.postfix.config / "relay.d" / "one", "postfix"),
    "a table that others may write": lambda p: put(p.postfix.config / "one", "root", 0o620),
    "a link out of the configuration": lambda p: (p.postfix.config / "one").symlink_to("/etc/hosts"),
    "a file for a chroot": lambda p: put(p.queue / "etc" / "hosts", "root"),
    "a chroot that is not root's": lambda p: put(p.queue / "usr" / "x", "postfix"),
    "no master.cf": lambda p: (p.postfix.config / "master.cf").unlink(),
    "no service postlog": without_postlog,
    "a relative path": lambda p: set_main_cf(p, "manpage_directory = man"),
}

#: What may look odd, and Postfix's start neither does nor says anything.
RIGHT: dict[str, Callable[[Private], object]] = {
    "as it is": lambda _: None,
    "a disk of its own": lambda p: (p.queue / "lost+found").mkdir(0o700),
    "an empty chroot": lambda p: (p.queue / "usr").mkdir(),
    "a chroot with the machine's own file": lambda p: shutil.copytree("/etc/default", p.queue / "etc" / "default"),
    "a chroot with a file that the machine has not": lambda p: put(p.queue / "etc" / "nowhere", "root"),
    "a FIFO": lambda p: os.mkfifo(p.queue / "public" / "pickup"),
    "mail of a user": lambda p: put_message(p.queue / "maildrop", "nobody"),
    "a file in the queue directory": lambda p: put(p.queue / "notes", "nobody"),
    "what others may read": lambda p: (p.queue / "deferred").chmod(0o755),
    "a parameter as it is anyway": lambda p: set_main_cf(p, "mail_owner = postfix\nreadme_directory = no"),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", WRONG)
def test_what_postfix_would_do_or_say_is_left_to_it(private: Private, case: str) -> None:
    """Where Postfix's own checks make or say something, they are not left out."""
    WRONG[case](private)
    assert private.prepare()
    assert private.checks() != QUIET


@pytest.mark.parametrize("case", RIGHT)
def test_where_postfix_would_do_nothing(private: Private, case: str) -> None:
    """Where Postfix's own checks make nothing and say nothing, they are left out."""
    RIGHT[case](private)
    assert private.prepare() == ""
    assert private.checks() == QUIET


def test_postfix_starts_with_it(private: Private) -> None:
    """Postfix takes the file as a word to leave its checks out, and takes it away: it counts once."""
    assert private.prepare() == ""
    own(private.queue / "pid", "postfix")  # its checks would say so
    private.postfix.start()
    assert not private.file.exists()
    assert "not owned by" not in private.postfix.log()
    private.postfix.stop()
    private.postfix.start()
    assert "not owned by root" in private.postfix.log()


def test_a_file_that_somebody_left_does_not_count(private: Private) -> None:
    """A file that a start which was cut short, or ``postfix quick-stop``, has left is taken away first of all."""
    private.file.touch()
    own(private.queue / "active", "root")
    assert private.prepare() == f"{private.queue}/active has another owner"


def test_a_queue_from_a_backup_is_repaired(private: Private) -> None:
    """A message whose name does not say its inode, as after a restore, is renamed, whatever Postfix leaves out later on."""
    path = private.queue / "hold" / "A12345"
    put(path, mode=0o700)
    inode = path.stat().st_ino
    assert private.prepare() == ""
    [found] = (path for path in (private.queue / "hold").rglob("*") if path.is_file())
    assert found.name.endswith(f"{inode:X}")


def test_a_message_in_the_wrong_place_is_moved(private: Private) -> None:
    """After a change of hash_queue_depth, messages would not be found where they lie."""
    put_message(private.queue / "deferred")
    assert private.prepare() == ""
    [found] = (path for path in (private.queue / "deferred").rglob("*") if path.is_file())
    assert found.parent == private.queue / "deferred" / "A"


def test_a_queue_on_which_postfix_runs_is_left_alone(private: Private) -> None:
    """Where another container's Postfix runs on the queue, nothing is renamed under its hands."""
    put(private.queue / "hold" / "A12345", mode=0o700)
    with (private.queue / "pid/master.pid").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "temporarily unavailable" in private.prepare()
    assert (private.queue / "hold" / "A12345").exists()


def test_a_failing_postsuper(private: Private, tmp_path: Path) -> None:
    """Where postsuper fails, Postfix tries it again and says what it says."""
    tmp_path.joinpath("postsuper").write_text("#!/bin/sh\nexit 1\n")
    tmp_path.joinpath("postsuper").chmod(0o755)
    for name in ("postconf", "postqueue", "postdrop"):
        shutil.copy2(f"/usr/sbin/{name}", tmp_path)
    for name in ("postqueue", "postdrop"):
        shutil.chown(tmp_path / name, group="postdrop")
        (tmp_path / name).chmod(0o2755)
    place = private.installation._replace(command_directory=tmp_path)
    assert quick_start.prepare(place, {}) == "postsuper failed"
    (tmp_path / "postdrop").chmod(0o755)
    assert quick_start.prepare(place, {}) == "postdrop is not set-gid"


def test_another_configuration_is_left_to_postfix(private: Private) -> None:
    """With MAIL_CONFIG Postfix makes its checks itself."""
    assert quick_start.prepare(private.installation, {"MAIL_CONFIG": "/etc/other"}) == "MAIL_CONFIG is set"
    assert quick_start.prepare(private.installation, {"MAIL_CONFIG": str(private.postfix.config)}) == ""


def test_a_main_cf_that_was_written_a_moment_ago(private: Private) -> None:
    """A hook that has just written main.cf, and has ended, costs no 2 s."""
    (private.postfix.config / "main.cf").touch()
    assert private.prepare() == ""
    assert time.time() - (private.postfix.config / "main.cf").stat().st_mtime > settings.HOT


def test_it_never_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without anything of Postfix's the step succeeds, and says why it did nothing to whoever wants to know."""
    monkeypatch.setattr(
        quick_start, "INSTALLATION", INSTALLATION._replace(config_directory=tmp_path, queue_directory=tmp_path)
    )
    assert quick_start.run({}) == os.EX_OK
    assert capsys.readouterr().err == ""
    assert quick_start.run({"LOG_LEVEL": "debug"}) == os.EX_OK
    assert "Postfix starts with its own checks: " in capsys.readouterr().err


def test_it_warns_of_unknown_parameters(private: Private, capfd: pytest.CaptureFixture[str]) -> None:
    """What postconf says of parameters that it does not know is said here, where Postfix does not say it."""
    set_main_cf(private, "nobody_knows = this")
    assert private.prepare() == ""
    said = capfd.readouterr()
    assert "unused parameter: nobody_knows=this" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ({"queue_directory": "/var/spool/postfix"}, ""),
        ({"queue_directory": "/srv/queue"}, "queue_directory"),
        ({"mail_owner": "mail"}, "mail_owner"),
        ({"daemon_directory": "$command_directory"}, "daemon_directory"),
        ({"multi_instance_directories": "/etc/postfix-b"}, "multi_instance_directories"),
        ({"sendmail_path": "/usr/sbin/sendmail", "html_directory": "no"}, ""),
        ({"sendmail_path": "$command_directory/sendmail"}, "sendmail_path"),
    ],
)
def test_another_installation(line: dict[str, str], name: str) -> None:
    """A main.cf that has Postfix's parts elsewhere is left to Postfix."""
    assert differs(INSTALLATION, line) == name


def test_the_directories_are_those_of_postfix() -> None:
    """What is asked for is what postfix-files says: the queue's directories and the data directory, no more."""
    found = {str(directory.path) for directory in directories(INSTALLATION)}
    assert {"/var/spool/postfix", "/var/spool/postfix/maildrop", "/var/lib/postfix"} <= found
    assert all(path.startswith(("/var/spool/postfix", "/var/lib/postfix")) for path in found)
    [maildrop] = (one for one in directories(INSTALLATION) if one.path.name == "maildrop")
    assert (maildrop.owner, maildrop.group) == ("postfix", "postdrop")


@pytest.mark.parametrize("owner", ["root", "nobody"])
def test_an_empty_mount_is_given_away(private: Private, owner: str) -> None:
    """A data directory that anybody may write, as a tmpfs, comes to be Postfix's, and an empty queue directory root's."""
    queue, data = private.queue.with_name("empty"), private.installation.data_directory
    queue.mkdir()
    (queue / quick_start.LOST_AND_FOUND).mkdir()
    for directory in (queue, data):
        os.chown(directory, pwd.getpwnam(owner).pw_uid, 0)
        directory.chmod(0o1777)
    quick_start.own(private.installation._replace(queue_directory=queue))
    status = queue.stat(), data.stat()
    user = pwd.getpwnam(private.installation.mail_owner).pw_uid
    assert [(oct(found.st_mode & 0o7777), found.st_uid) for found in status] == [("0o755", 0), ("0o700", user)]
    assert private.prepare() == ""


def test_a_queue_with_something_in_it_is_left_alone(private: Private) -> None:
    """Its owner and mode are for Postfix to complain of, and for a person to decide."""
    private.queue.chmod(0o777)
    quick_start.own(private.installation)
    assert private.queue.stat().st_mode & 0o777 == 0o777
    assert private.prepare() != ""
