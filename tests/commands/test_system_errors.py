"""What the machine refuses is told in words, with what to do, and is no bug of ours."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.errors import PostfixError
from dms_relay.postfix.programs import Postfix
from testbed import Inputs
from tests.support.machine import MASTER_CF
from tests.support.sandbox import Sandbox
from tests.support.scene import ROOT, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

#: There are very many of this kind.
pytestmark = pytest.mark.one_in(3)
NOBODY = 65534
#: No name in a directory is longer than 255 octets, no path than 4,096 (limits.h).
LONG_NAME, LONG_PATH = "x" * 300, "/".join(["directory"] * 500)
COMMANDS = ("show", "plan", "apply", "check", "list", "explain a@b.test", "add-domain a.test r.test", "test")
#: More than Linux takes as one argument (execve(2), MAX_ARG_STRLEN).
ARGUMENT_MAX = 128 << 10
HEALTHCHECK = Path(ROOT, "docker/healthcheck")


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="dms-relay-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command, of an interpreter that every user can start, without root's rights."""
    if os.geteuid() != 0:
        needs_root("only root can become another user")
    site = next(path for path in sys.path if path.endswith("site-packages"))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{site}", "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = ["/usr/bin/python3", "-c", "from dms_relay.cli import run; run()", *command]
    return subprocess.run(
        arguments,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env=env,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def is_readable_by_all(path: Path) -> bool:
    """Return True if every user can reach a directory."""
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def require_reachable() -> None:
    """Skip where another user cannot run what is tested."""
    site = Path(next(path for path in sys.path if path.endswith("site-packages")))
    if not (Path("/usr/bin/python3").exists() and is_readable_by_all(Path(ROOT)) and is_readable_by_all(site)):
        pytest.skip("another user cannot reach the package here")


@pytest.mark.parametrize("option", ["--config-dir", "--postfix-dir"])
@pytest.mark.parametrize("command", COMMANDS)
def test_below_a_closed_parent(place: Path, command: str, option: str) -> None:
    """A directory below one that may not be searched: the error says so, and to run as root."""
    require_reachable()
    closed = Sandbox(place / "closed")
    opened = Sandbox(place / "opened")
    closed.config_dir.parent.chmod(0o700)
    for path in (opened.config_dir, opened.postfix_dir):
        shutil.chown(path, NOBODY, NOBODY)
    which = {"--config-dir": opened.config_dir, "--postfix-dir": opened.postfix_dir}
    which[option] = closed.config_dir if option == "--config-dir" else closed.postfix_dir
    done = as_nobody([*(word for pair in which.items() for word in map(str, pair)), *command.split()])
    assert_told(done.returncode, done.stdout + done.stderr)
    if option == "--config-dir":
        assert f"--config-dir: {closed.config_dir} cannot be found: Permission denied -- run as root" in done.stderr


@pytest.mark.parametrize("name", [LONG_NAME, LONG_PATH, "loop", "file", "file/below"])
@pytest.mark.parametrize("option", ["--config-dir", "--postfix-dir"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_directory(sandbox: Sandbox, tmp_path: Path, command: str, option: str, name: str) -> None:
    """A name that is too long, a link in a circle, a file."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    arguments = sandbox.arguments(*command.split())
    arguments[arguments.index(option) + 1] = str(tmp_path / name)
    done = Inputs.start(arguments, os.environ)
    assert_told(done.returncode, done.stdout + done.stderr)
    if option == "--config-dir":
        assert done.returncode == os.EX_NOINPUT
        assert "--config-dir: /" in done.stderr


def assert_told(code: int, said: str) -> None:
    """Whatever is the matter is no bug of ours; a run that cannot do its work says so in lines that can be read."""
    assert code in {0, 1, os.EX_NOINPUT, os.EX_CONFIG, os.EX_UNAVAILABLE, os.EX_CANTCREAT}
    assert "Traceback" not in said
    assert "OSError" not in said
    assert LONG_PATH not in said.replace(f"/{LONG_PATH}/main.cf", "")


@pytest.mark.parametrize("name", ["RELAY_PASSWORD__FILE", "DEFAULT_RELAY_HOST__FILE"])
def test_long_name_of_a_secret(sandbox: Sandbox, name: str) -> None:
    """A secret file whose name is too long."""
    result = sandbox.run("apply", env={"RELAY_HOST": "r.test", "RELAY_USER": "u", name: f"/run/{LONG_NAME}"})
    assert result.code == os.EX_NOINPUT
    assert "cannot be read: File name too long" in result.err


def test_too_long_for_an_argument(sandbox: Sandbox) -> None:
    """A value that no program can be given: what is too long is said, and no part of it."""
    table = f"inline:{{ {'a' * ARGUMENT_MAX}=s3cret }}"
    with pytest.raises(PostfixError, match="too long for an argument") as caught:
        Postfix(sandbox.postfix_dir).lookup(table, ["a"])
    assert "s3cret" not in str(caught.value)


def test_too_long_value(sandbox: Sandbox) -> None:
    """A table in main.cf of 128 KB: `test`, which looks into it, says so."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    sandbox.write_main_cf(
        f"{sandbox.main_cf.read_text()}smtp_tls_policy_maps = inline:{{ {'a' * ARGUMENT_MAX}=may }}\n"
    )
    result = sandbox.run("test", "--timeout", "1", env={"DEFAULT_RELAY_HOST": "[127.0.0.1]:1"})
    assert result.code == os.EX_UNAVAILABLE
    assert "postmap -q cannot be run: a value of main.cf is too long for an argument" in result.err


@pytest.mark.parametrize("command", ["apply", "plan", "show", "check"])
def test_too_few_files(sandbox: Sandbox, command: str) -> None:
    """Where the process may open few files, however few, it ends with an error that says so, or does its work."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    script = (
        "import os, sys, resource\n"
        "from dms_relay import cli, apply\n"
        "import dms_relay.commands.apply, dms_relay.commands.plan, dms_relay.commands.show, dms_relay.commands.check\n"
        "import dms_relay.log_lines, structlog, traceback, json\n"
        "from dms_relay.postfix import child\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv.pop(1)),) * 2)\n"
        "cli.run()\n"
    )
    for files in range(4, 9):
        env = {"PATH": os.environ["PATH"], "DEFAULT_RELAY_HOST": "[r.test]:587"}
        arguments = [sys.executable, "-c", script, str(files), *sandbox.arguments(command)]
        done = subprocess.run(arguments, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert "this is a bug" not in done.stderr
        assert done.returncode != os.EX_SOFTWARE
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > files


SILENT = """
import fcntl, socket, struct, subprocess, sys
with socket.socket() as lo:
    fcntl.ioctl(lo, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
server = socket.create_server(("127.0.0.1", 25)) if sys.argv[2] == "silent" else None
sys.exit(subprocess.run([sys.argv[1]]).returncode)
"""


@pytest.mark.parametrize("server", ["silent", "none"])
def test_healthcheck(server: str) -> None:
    """A Postfix that does not greet, or that is not there, is unhealthy: exit code 1, as Docker wants it."""
    if os.geteuid() != 0:
        needs_root("a network of its own takes root")
    command = ["unshare", "--net", sys.executable, "-c", SILENT, str(HEALTHCHECK), server]
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network of its own can be made here")
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1
