"""Files that somebody is writing, that are too large, or that are no files: read whole, or refused by name."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

import pytest

from dms_relay.files import content
from dms_relay.files.content import INPUT_MAX, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sandbox import Result, Sandbox

#: Seconds from the first half of a file to the second.
PAUSE = 0.4
ON = {"DEFAULT_RELAY_HOST": "[d.test]:587"}
#: More octets than any disk of ours has; a file with a hole takes none.
HUGE = 200 << 30
INPUTS = (
    "postfix-relaymap.cf",
    "postfix-sasl-password.cf",
    "relay.env",
    "relay.yaml",
    "postfix-main.cf",
    "postfix-master.cf",
)
MACHINE = ("main.cf", "master.cf", "relayhost_map", "dms-relay.state.json")
COMMANDS = ("apply", "plan", "show", "check")


def no_waiting(_seconds: float) -> NoReturn:
    """Take the place of a wait where there is none to be."""
    raise AssertionError("this must not wait")


def path_of(sandbox: Sandbox, name: str) -> Path:
    """Return the place of an input, or of a file of Postfix's."""
    return (sandbox.config_dir if name in INPUTS else sandbox.postfix_dir) / name


def meanwhile(sandbox: Sandbox, path: Path, halves: tuple[str, str], *command: str) -> Result:
    """Run a command while a file is being written; the first half is there when it begins."""
    path.write_text(halves[0])
    with ThreadPoolExecutor(1) as pool, path.open("a") as file:
        done = pool.submit(sandbox.run, *command, env=ON)
        time.sleep(PAUSE)
        file.write(halves[1])
        file.flush()
        return done.result()


@pytest.mark.parametrize(
    ("halves", "shown"),
    [
        (("@a.test [r.test]\n@b.test smtp.relay.co", "m:587\n"), "@b.test  smtp.relay.com:587"),
        (("@a.test [r.test]:58", "7"), "@a.test  [r.test]:587"),
    ],
)
def test_half_an_input(sandbox: Sandbox, halves: tuple[str, str], shown: str) -> None:
    """A line that is not there to its end is waited for."""
    result = meanwhile(sandbox, sandbox.config_dir / "postfix-relaymap.cf", halves, "show")
    assert shown in result.out


def test_half_of_main_cf(sandbox: Sandbox) -> None:
    """What another program writes to main.cf in place is not lost: it is read, and put in its place, as a whole."""
    text = sandbox.main_cf.read_text()
    halves = f"{text}my_own = to", "-the-end\n"
    assert meanwhile(sandbox, sandbox.main_cf, halves, "apply").code == 0
    assert "my_own = to-the-end\n" in sandbox.main_cf.read_text()


@pytest.mark.parametrize("name", ["postfix-relaymap.cf", "RELAY_PASSWORD__FILE"])
def test_emptied_to_be_filled(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An empty file is waited for as well, for a moment: whoever writes it has emptied it first."""
    path = sandbox.config_dir / name
    path.touch()
    monkeypatch.setattr(time, "sleep", lambda _seconds: path.write_text("@a.test user:word\n"))
    assert read_whole(path) == b"@a.test user:word\n"


def test_rest(sandbox: Sandbox) -> None:
    """A file that is left alone for two seconds is whole without a line end."""
    path = sandbox.config_dir / "postfix-relaymap.cf"
    path.write_text("@a.test [r.test]:587")
    assert "@a.test  [r.test]:587" in sandbox.run("show").out


@pytest.mark.parametrize("age", [0, 3, 3600])
def test_no_wait(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, age: int) -> None:
    """A file that ends with a line costs no wait, nor does one that is old; nor a secret, which is one word."""
    path = sandbox.config_dir / "postfix-relaymap.cf"
    path.write_text("@a.test [r.test]:587" + "\n" * (age == 0))
    os.utime(path, (time.time() - age,) * 2)
    secret = sandbox.config_dir / "secret"
    secret.write_text("s3cret")
    env = {**ON, "RELAY_USER": "user", "RELAY_PASSWORD__FILE": str(secret)}
    monkeypatch.setattr(time, "sleep", no_waiting)
    assert sandbox.run("show", env=env).code == 0


@pytest.fixture
def written_on(sandbox: Sandbox) -> Iterator[str]:
    """Yield an input that is written on and on, without a line end."""
    path = sandbox.config_dir / "postfix-relaymap.cf"
    path.write_text("@a.test [r.test]")
    is_done: list[bool] = []

    def write() -> None:
        while not is_done:
            with path.open("a") as file:
                file.write("0")
            time.sleep(PAUSE / 10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write)
        yield path.name
        is_done.append(True)


@pytest.mark.parametrize("command", ["apply", "plan", "show"])
def test_written_on_and_on(sandbox: Sandbox, written_on: str, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Such a file is refused after a while, so that no run holds its lock for ever."""
    monkeypatch.setattr(content, "PATIENCE", PAUSE)
    result = sandbox.run(command, env=ON)
    assert result.code == os.EX_NOINPUT
    assert f"{written_on}: cannot be read: it is being written -- run again when it is written" in result.err
    assert sandbox.main_cf.read_text().count("d.test") == 0


@pytest.mark.parametrize("name", [*INPUTS, *MACHINE])
@pytest.mark.parametrize("kind", ["huge", "pipe"])
def test_no_file_to_read(sandbox: Sandbox, name: str, kind: str) -> None:
    """A file of 200 GB and a pipe are refused by name by every command that reads them, and nothing waits for them."""
    path = path_of(sandbox, name)
    path.unlink(missing_ok=True)
    if kind == "huge":
        path.touch()
        os.truncate(path, HUGE)
    else:
        os.mkfifo(path)
    for command in COMMANDS:
        result = sandbox.run(command, env=ON)
        if command == "show" and name in MACHINE:
            continue
        assert name in result.out + result.err
        wanted = {os.EX_NOINPUT, os.EX_UNAVAILABLE, os.EX_CANTCREAT}
        assert result.code in (wanted if command != "check" else {0, 1, os.EX_NOINPUT})
        assert ("larger than" if kind == "huge" else "is not a file") in result.out + result.err


def test_the_limit_itself(tmp_path: Path) -> None:
    """A file may be as large as the limit, not an octet larger."""
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, INPUT_MAX)
    os.utime(path, (0, 0))
    assert len(read_whole(path)) == INPUT_MAX
    os.truncate(path, INPUT_MAX + 1)
    with pytest.raises(OSError, match="larger than 64 MiB"):
        read_whole(path)


ALIASES = """\
version: 1
relays:
  first: {{host: &hosts [{hosts}]}}
{relays}
default: first
"""


@pytest.mark.parametrize(("hosts", "relays", "is_fine"), [(5000, 2000, False), (200, 400, True)])
def test_aliases(sandbox: Sandbox, hosts: int, relays: int, is_fine: bool) -> None:  # noqa: FBT001 -- a case
    """Aliases may not stand for more than can be written: a small file would take minutes and gigabytes."""
    names = ", ".join(f"h{number}.test" for number in range(hosts))
    others = "\n".join(f"  r{number}: {{hosts: *hosts}}" for number in range(relays))
    sandbox.write("relay.yaml", ALIASES.format(hosts=names, relays=others).replace("{host:", "{hosts:"))
    result = sandbox.run("show")
    assert ("aliases (*) expand to more than 100000 values" in result.err) is not is_fine
    assert result.code == (0 if is_fine else os.EX_CONFIG)


@pytest.mark.parametrize("parameter", ["relay_domains", "mydestination", "virtual_mailbox_domains"])
def test_a_pipe_that_main_cf_names(sandbox: Sandbox, parameter: str) -> None:
    """A list of domains in a file that is none is passed over, and not waited for."""
    pipe = sandbox.config_dir.parent / "pipe"
    os.mkfifo(pipe)
    sandbox.write_main_cf(sandbox.main_cf.read_text() + f"{parameter} = {pipe}\n")
    sandbox.write("postfix-relaymap.cf", "@a.test r.test\n")
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - y - - smtp\n")
    assert sandbox.run("check").code in {0, 1}
