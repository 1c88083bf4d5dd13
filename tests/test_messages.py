"""Messages that point an operator to what is wrong around the inputs, rather than in them."""

from __future__ import annotations

import os
import subprocess
import sys
from errno import EACCES
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.cli import main
from dms_relay.model import places
from tests.support.console import of_level, said
from tests.support.sandbox import default_paths
from tests.support.trust import mounted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.sandbox import Sandbox


def test_a_configuration_directory_that_is_not_there(sandbox: Sandbox) -> None:
    """A configuration directory that the command line names has to be there, whatever else is set: exit code 66."""
    sandbox.config_dir.rmdir()
    for env in ({}, {"DEFAULT_RELAY_HOST": "[r.test]:587"}):
        result = sandbox.run("show", env=env)
        assert (result.code, result.out) == (os.EX_NOINPUT, "")
        error = f"--config-dir: {sandbox.config_dir} is not a directory -- name the directory that contains the inputs"
        assert said(result) == [("error", error)]


def test_a_forgotten_mount(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory that is read where none is named may be missing; it is a warning where no relay is set."""
    missing = sandbox.config_dir / "nowhere"
    default_paths(monkeypatch, missing, sandbox.postfix_dir)
    monkeypatch.setattr(sandbox, "arguments", lambda *command: list(command))
    text = "the directory does not exist, and no relay is set, so mail goes directly"
    expected = [f"{missing}: {text} -- mount the directory there, or set DEFAULT_RELAY_HOST"]
    assert of_level(sandbox.run("apply"), "warn") == expected
    env = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD": "p"}
    assert of_level(sandbox.run("apply", env=env), "warn") == []


def test_a_container_without_a_mount(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image has the directory, empty: it is as if it were missing, and what is written there would be lost."""
    monkeypatch.setattr(places, "DMS_DIRECTORY", str(sandbox.config_dir))
    monkeypatch.setattr(places, "_MARKERS", (str(sandbox.main_cf),))
    text = "nothing is mounted there, and no relay is set, so mail goes directly"
    expected = [f"{sandbox.config_dir}: {text} -- mount the directory there, or set DEFAULT_RELAY_HOST"]
    assert of_level(sandbox.run("apply"), "warn") == expected
    result = sandbox.run("add-domain", "a.test", "r.test", "--no-apply")
    assert (result.code, list(sandbox.config_dir.iterdir())) == (os.EX_CANTCREAT, [])
    assert f"nothing is mounted at {sandbox.config_dir}" in of_level(result, "error")[-1]
    with mounted(sandbox.config_dir, sandbox.config_dir):
        assert of_level(sandbox.run("apply"), "warn") == []
        assert sandbox.run("add-domain", "a.test", "r.test", "--no-apply").code == 0


def test_no_postfix_directory(sandbox: Sandbox) -> None:
    """Without Postfix's directory every command that needs it says the same, with exit code 66."""
    sandbox.postfix_dir.rename(sandbox.postfix_dir.with_name("elsewhere"))
    for command in ("apply", "plan"):
        result = sandbox.run(command, env={"DEFAULT_RELAY_HOST": "r.test"})
        assert result.code == os.EX_NOINPUT
        problem = f"{sandbox.main_cf}: cannot be read: No such file or directory"
        assert said(result)[-1] == ("error", f"{problem} -- install Postfix, or name its directory with --postfix-dir")


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Refuse to read one file, as for a user without rights; root, as whom the tests may run, is refused nothing."""
    opened, read_bytes = os.open, Path.read_bytes

    def deny(name: str) -> None:
        def refuse(path: object) -> None:
            if str(path).endswith(name):
                raise PermissionError(EACCES, os.strerror(EACCES), str(path))

        def open_file(path: Path, flags: int, mode: int = 0o777) -> int:
            refuse(path)
            return opened(path, flags, mode)

        def read(path: Path) -> bytes:
            refuse(path)
            return read_bytes(path)

        monkeypatch.setattr(os, "open", open_file)
        monkeypatch.setattr(Path, "read_bytes", read)

    return deny


def test_an_input_that_this_user_may_not_read(sandbox: Sandbox, denied: Callable[[str], None]) -> None:
    """What to do is to run as root, not to take the file away."""
    sandbox.write("postfix-relaymap.cf", "@a.test [r.test]\n")
    denied("postfix-relaymap.cf")
    result = sandbox.run("apply")
    text = "postfix-relaymap.cf: cannot be read: Permission denied -- run as root, or let this user read it"
    assert of_level(result, "error")[-1] == text
    assert result.code == os.EX_NOINPUT


def test_a_memory_that_this_user_may_not_read(sandbox: Sandbox, denied: Callable[[str], None]) -> None:
    """Nobody is told to take away what is needed to put parameters back."""
    sandbox.apply(DEFAULT_RELAY_HOST="[r.test]")
    denied("dms-relay.state.json")
    result = sandbox.run("plan", env={"DEFAULT_RELAY_HOST": "[r.test]"})
    state = sandbox.postfix_dir / "dms-relay.state.json"
    assert of_level(result, "error") == [f"{state} cannot be read: Permission denied -- run as root"]
    assert result.code == os.EX_CANTCREAT


@pytest.mark.parametrize("command", ["apply", "plan"])
def test_a_main_cf_that_this_user_may_not_read(sandbox: Sandbox, denied: Callable[[str], None], command: str) -> None:
    """Postfix is there: nobody is told to install it."""
    denied("/main.cf")
    result = sandbox.run(command, env={"DEFAULT_RELAY_HOST": "[r.test]"})
    text = f"{sandbox.main_cf}: cannot be read: Permission denied -- run as root"
    assert text in of_level(result, "error")
    assert result.code == os.EX_NOINPUT


def test_an_empty_plan(sandbox: Sandbox) -> None:
    """It says what ``apply`` would say, where that says it; scripts have ``--exit-code``."""
    for env in ({}, {"DEFAULT_RELAY_HOST": "[r.test]"}):
        sandbox.run("apply", env=env)
        plan, apply = (sandbox.run(command, env=env) for command in ("plan", "apply"))
        assert (plan.out, said(plan), plan.code) == (apply.out, said(apply), 0)
        assert plan.out.startswith("nothing to do")


@pytest.mark.parametrize("name", ["DEFAULT_RELAY_HOST", "RELAY_HOST"])
@pytest.mark.parametrize("sign", ['"', "'"])
def test_quotes_around_a_value(sandbox: Sandbox, name: str, sign: str) -> None:
    """An env file of docker keeps quotes as a part of the value; the message says so."""
    result = sandbox.run("apply", env={name: f"{sign}r.test{sign}"})
    assert of_level(result, "error")[-1] == f"env {name}: the value has quotes around it -- remove the quotes"


def test_an_option_in_the_wrong_place(capsys: pytest.CaptureFixture[str]) -> None:
    """An option of the program after the command: where it stands is said, and nothing else of the line is shown."""
    with pytest.raises(SystemExit) as caught:
        main(["plan", "--config-dir", "s3cret"], {})
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.endswith("unrecognized arguments: --config-dir; write it before the command\n")
    assert "s3cret" not in error


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_may_never_end_is_no_file(sandbox: Sandbox, kind: str) -> None:
    """A pipe or a device in place of a secret or an input is refused at once: nobody waits for it, with the lock held."""
    odd = Path("/dev/zero")
    if kind == "fifo":
        odd = sandbox.config_dir / "pipe"
        os.mkfifo(odd)
    (sandbox.config_dir / "postfix-relaymap.cf").symlink_to(odd)
    result = sandbox.run("apply", env={"RELAY_HOST": "r.test", "RELAY_USER": "u", "RELAY_PASSWORD__FILE": str(odd)})
    assert result.code == os.EX_NOINPUT
    assert of_level(result, "error")[1:] == [
        (
            "env RELAY_PASSWORD__FILE: the file that it names cannot be read: it is not a file -- "
            "mount the file, or remove the variable"
        ),
        "postfix-relaymap.cf: cannot be read: it is not a file -- repair the file, or remove it",
    ]


def test_a_hidden_file(sandbox: Sandbox) -> None:
    """/dev/null, mounted over a file to hide it, is an empty file."""
    (sandbox.config_dir / "postfix-relaymap.cf").symlink_to("/dev/null")
    sandbox.apply()
    assert sandbox.table("relayhost_map") == {}


def test_a_login_in_a_main_cf_that_everyone_reads(sandbox: Sandbox) -> None:
    """A login of the operator's postfix-main.cf goes into main.cf as it is; where everyone can read that, it is said."""
    sandbox.write("postfix-main.cf", "smtp_sasl_password_maps = static:u:s3cret\n")
    warning = (
        "postfix-main.cf: smtp_sasl_password_maps can hold a login, and every user can read main.cf -- "
        "remove the line, and add the login to postfix-sasl-password.cf"
    )
    env = {"DEFAULT_RELAY_HOST": "[r.test]", "RELAY_USER": "u", "RELAY_PASSWORD": "p"}
    assert of_level(sandbox.run("apply", env=env), "warn") == [warning]
    sandbox.main_cf.chmod(0o600)
    assert of_level(sandbox.run("apply", env=env), "warn") == []


OUTPUTS = {
    "stderr closed": "2>&-",
    "stderr full": "2>/dev/full",
    "stderr unread": "2>&1 >/dev/null | true",
    "all closed": ">&- 2>&-",
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_log_that_nobody_can_read_stops_nothing(sandbox: Sandbox, output: str) -> None:
    """A log never decides what happens to the machine: the work is done, whatever becomes of the lines."""
    env = {"PATH": os.environ["PATH"], "DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD": "p"}
    script = f'{sys.executable} -m dms_relay --log-level trace "$@" {OUTPUTS[output]}'
    subprocess.run(["sh", "-c", script, "sh", *sandbox.arguments("apply")], env=env, check=False, timeout=60)
    assert sandbox.table("relayhost_map") == {}
    assert sandbox.table("sasl_passwd") == {"[r.test]:587": "u:p"}
    assert sandbox.run("plan", "--exit-code", env=env).code == 0


def test_wrong_inputs_keep_their_exit_code_without_a_log(sandbox: Sandbox) -> None:
    """The exit code of a refusal is the same where nobody reads why."""
    env = {"PATH": os.environ["PATH"], "DEFAULT_RELAY_HOST": "[r.test"}
    script = f'{sys.executable} -m dms_relay "$@" 2>&-'
    done = subprocess.run(["sh", "-c", script, "sh", *sandbox.arguments("apply")], env=env, check=False, timeout=60)
    assert done.returncode == os.EX_CONFIG
