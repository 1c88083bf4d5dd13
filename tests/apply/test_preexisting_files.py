"""What others have put where we write: it is kept, refused or put back, never followed and never lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.rested import write_rested
from tests.support.sandbox import BASE_MAIN_CF, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scene import Env

ON: Env = {"DEFAULT_RELAY_HOST": "[d.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret-1"}
STATE = "dms-relay.state.json"


# What we remember.

DAMAGED = {
    "empty": b"",
    "half": b'{\n "version": 1,\n "tab',
    "no object": b"[]",
    "no version": b"{}",
    "not UTF-8": b"\xff",
    "fields missing": b'{"version": 1}',
    "fields of other kinds": b'{"version": 1, "reload_due": false, "parameters": {"relayhost": 1}, "tables": {}}',
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("env", [ON, {}])
def test_damaged_state(sandbox: Sandbox, name: str, env: Env) -> None:
    """Without its memory a run cannot put anything back, so it changes nothing, and says what to do."""
    sandbox.apply(**ON)
    write_rested(sandbox.postfix_dir / STATE, DAMAGED[name])
    before = sandbox.snapshot()
    result = sandbox.run("apply", env=env)
    text = "is damaged, so the previous settings of Postfix are not known -- "
    text += "move the file away; Postfix keeps its present settings"
    assert result.code == os.EX_CANTCREAT
    assert f"{sandbox.postfix_dir / STATE} {text}" in result.err
    assert sandbox.snapshot() == before
    (sandbox.postfix_dir / STATE).unlink()
    sandbox.apply(**env)


def test_state_of_another_version(sandbox: Sandbox) -> None:
    """Memory that another version wrote is not guessed at."""
    sandbox.apply(**ON)
    document = json.loads((sandbox.postfix_dir / STATE).read_text("ascii"))
    write_rested(sandbox.postfix_dir / STATE, json.dumps(document | {"version": 5}).encode())
    before = sandbox.snapshot()
    result = sandbox.run("apply", env={})
    text = "was written by another version of dms-relay -- "
    text += "use that version, or move the file away; Postfix keeps its present settings"
    assert result.code == os.EX_CANTCREAT
    assert f"{sandbox.postfix_dir / STATE} {text}" in result.err
    assert sandbox.snapshot() == before


def test_memory_of_the_first_version(sandbox: Sandbox) -> None:
    """What maps need is written as the first version of dms-relay wrote it, so that one can go back to it, and is read."""
    sandbox.apply(**ON)
    document = json.loads((sandbox.postfix_dir / STATE).read_text("ascii"))
    assert (document["version"], "services" in document) == (1, False)
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - y - - smtp\n")
    sandbox.apply(**ON, RELAY_ROUTING="transports")
    document = json.loads((sandbox.postfix_dir / STATE).read_text("ascii"))
    assert (document["version"], document["services"]) == (2, ["relay-d-test-587"])
    sandbox.apply(**ON)
    assert json.loads((sandbox.postfix_dir / STATE).read_text("ascii"))["version"] == 1


# Where our tables go.


@pytest.mark.parametrize("name", ["sasl_passwd", "relayhost_map", STATE])
def test_directory_in_place_of_a_file(sandbox: Sandbox, name: str) -> None:
    """A directory where a file of ours goes stops the run before anything is changed."""
    (sandbox.postfix_dir / name).mkdir()
    before = sandbox.snapshot()
    result = sandbox.run("apply", env=ON)
    assert result.code == os.EX_CANTCREAT
    assert f"{sandbox.postfix_dir / name} is not a file -- remove it" in result.err
    assert sandbox.snapshot() == before


def test_pipe_in_place_of_a_table(sandbox: Sandbox) -> None:
    """A named pipe is not opened: nobody would ever write to it."""
    os.mkfifo(sandbox.postfix_dir / "sasl_passwd")
    result = sandbox.run("apply", env=ON)
    assert result.code == os.EX_CANTCREAT
    assert f"{sandbox.postfix_dir / 'sasl_passwd'} is not a file -- remove it" in result.err


@pytest.mark.parametrize("name", ["sasl_passwd", "relayhost_map"])
@pytest.mark.parametrize("is_broken", [True, False])
def test_link_in_place_of_a_table(sandbox: Sandbox, tmp_path: Path, name: str, *, is_broken: bool) -> None:
    """A link is replaced, not followed: what it points to is neither changed nor read. Later the link is put back."""
    target = tmp_path / "target"
    if not is_broken:
        target.write_text("[d.test]:587 user:s3cret-own\n")
        target.chmod(0o640)
    before = traces(target)
    path = sandbox.postfix_dir / name
    path.symlink_to(target)
    for password in ("one", "two"):
        sandbox.apply(**ON | {"RELAY_PASSWORD": password})
        assert path.is_file()
        assert not path.is_symlink()
        assert path.stat().st_mode & 0o7777 == 0o600
        assert "s3cret" not in (sandbox.postfix_dir / STATE).read_text("ascii")
    sandbox.apply()
    assert path.readlink() == target
    assert traces(target) == before
    assert not (sandbox.postfix_dir / STATE).exists()


@pytest.mark.parametrize("name", ["sasl_passwd", "relayhost_map", STATE, "main.cf"])
def test_link_in_place_of_a_temporary_file(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """A link that somebody laid where a temporary file goes is taken away, not written through."""
    target = tmp_path / "target"
    target.write_text("precious\n")
    before = traces(target)
    (sandbox.postfix_dir / f".{name}.dms-relay.tmp").symlink_to(target)
    sandbox.main_cf.chmod(0o600)
    sandbox.apply(**ON)
    assert traces(target) == before
    assert sorted(path.name for path in sandbox.postfix_dir.iterdir()) == [
        STATE,
        "main.cf",
        "relayhost_map",
        "sasl_passwd",
    ]


def test_temporary_file_of_a_working_postconf(sandbox: Sandbox) -> None:
    """A main.cf.tmp is taken away where it was left over, but not while a ``postconf`` has it locked."""
    program = "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], 1), 2); print(flush=True); time.sleep(60)"
    temporary = sandbox.postfix_dir / "main.cf.tmp"
    temporary.touch()
    with subprocess.Popen([sys.executable, "-c", program, temporary], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        sandbox.apply()
        assert temporary.exists()
        holder.kill()
    sandbox.apply()
    assert not temporary.exists()


def traces(path: Path) -> tuple[bytes, int, int, int] | None:
    """Return what shows that somebody wrote a file."""
    if not path.exists():
        return None
    status = path.stat()
    return path.read_bytes(), status.st_mode, status.st_mtime_ns, status.st_ino


# main.cf.


def test_no_main_cf(sandbox: Sandbox) -> None:
    """Without main.cf there is no Postfix to configure."""
    sandbox.main_cf.unlink()
    result = sandbox.run("apply", env=ON)
    text = "cannot be read: No such file or directory -- install Postfix, or name its directory with --postfix-dir"
    assert result.code == os.EX_NOINPUT
    assert f"{sandbox.main_cf}: {text}" in result.err
    assert list(sandbox.postfix_dir.iterdir()) == []


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_octets_of_main_cf_survive(sandbox: Sandbox, mode: int) -> None:
    """Octets that are not UTF-8, carriage returns and comments stay, whoever edits the file."""
    odd = b"# \xff\xfe\r\nmail_name = \xe9\r\nmyorigin\t=  x\r\n"
    sandbox.main_cf.write_bytes(odd + b"relayhost = before\n")
    sandbox.main_cf.chmod(mode)
    sandbox.apply(**ON)
    assert sandbox.main_cf.read_bytes().startswith(odd + b"relayhost = [d.test]:587\n")
    sandbox.apply()
    assert sandbox.main_cf.read_bytes() == odd + b"relayhost = before\n"


def test_last_line_without_line_end(sandbox: Sandbox) -> None:
    """``postconf -e`` glues what it adds to a last line that has no line end; ours stands on a line of its own."""
    sandbox.write_main_cf(f"{BASE_MAIN_CF}mail_name = x")
    before = sandbox.postconf_n()
    sandbox.apply(**ON)
    added = {name for name in sandbox.postconf_n() if name not in before}
    assert sandbox.postconf_n()["mail_name"] == "x"
    assert added == {
        "sender_dependent_relayhost_maps",
        "smtp_sasl_auth_enable",
        "smtp_sasl_password_maps",
        "smtp_sasl_security_options",
    }
    sandbox.apply()
    assert sandbox.postconf_n() == before


@pytest.mark.parametrize(
    ("base", "was"), [(BASE_MAIN_CF, "set"), (BASE_MAIN_CF.replace("relayhost =\n", ""), "not set")]
)
def test_parameter_that_someone_else_changed(sandbox: Sandbox, base: str, was: str) -> None:
    """A parameter that no longer has our value is left as it is, with a warning, and forgotten; the others are put back."""
    sandbox.write_main_cf(base)
    sandbox.apply(**ON)
    sandbox.write_main_cf(sandbox.main_cf.read_text("ascii").replace("[d.test]:587", "[mine.test]"))
    result = sandbox.apply()
    text = (
        f"relayhost was changed since the last apply, so it is not restored -- check it: before dms-relay it was {was}"
    )
    assert f"main.cf: {text}" in result.err
    assert sandbox.postconf_n()["relayhost"] == "[mine.test]"
    assert "smtp_sasl_auth_enable" not in sandbox.postconf_n()
    assert sandbox.apply().err == ""
    assert not (sandbox.postfix_dir / STATE).exists()


def test_parameter_that_was_put_back_by_hand(sandbox: Sandbox) -> None:
    """A parameter that has its old value again is not ours any more, and needs no warning."""
    sandbox.apply(**ON)
    sandbox.write_main_cf(sandbox.main_cf.read_text("ascii").replace("[d.test]:587", ""))
    result = sandbox.apply()
    assert "was changed since" not in result.err
    assert sandbox.postconf_n()["relayhost"] == ""
