"""No user but root and whoever runs the command can steer a run: a stranger's inputs, and what inputs may name."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.files.trust import OWNER, DistrustError
from dms_relay.sources.distrust import said
from tests.support.console import of_level
from tests.support.sandbox import Sandbox
from tests.support.trust import OPERATOR, STRANGER, give, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "r00t-s3cret"
YAML = """\
version: 1
relays:
  evil: {{host: evil.test, tls: {{level: none, allow_cleartext_login: true{ca}}}, login: {{username: u, {password}}}}}
default: evil
"""
#: Inputs of which each can lead to a secret of root's.
LINKED = {
    "relay.yaml": f"secret: {SECRET}\nx",
    "relay.env": f"RELAY_USER=u\nRELAY_PASSWORD={SECRET}\n",
    "postfix-sasl-password.cf": f"@a.test u:{SECRET}\n",
    "password": SECRET,
}
COMMANDS = (["show"], ["plan"], ["apply"], ["check"], ["list"], ["test"], ["explain", "a@b.test", "c@d.test"])


def yaml(password: str, ca: str = "") -> str:
    """Return a relay.yaml that sends all mail to a server of somebody's, with a login."""
    return YAML.format(password=password, ca=ca)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file of ours that nobody else may read."""
    path = tmp_path / "rootsecret"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


@pytest.fixture
def planted(tmp_path: Path, secret: Path) -> Sandbox:
    """Return a machine where a stranger has made the configuration directory, in a directory for all users."""
    sandbox = Sandbox(tmp_path / "tmp")
    (tmp_path / "tmp").chmod(0o1777)
    give(sandbox.write("relay.yaml", yaml(f"password_file: {secret}")), STRANGER)
    give(sandbox.config_dir, STRANGER)
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - y - - smtp\n")
    return sandbox


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_strangers_directory(planted: Sandbox, command: list[str]) -> None:
    """No command believes it, or shows or writes the secret that it names; what is wrong names path, owner and remedy."""
    before = planted.snapshot()
    result = planted.run(*command)
    assert (result.code, planted.snapshot()) == (os.EX_CONFIG, before)
    said = result.out + result.err
    assert (
        f"{planted.config_dir}: it belongs to user {STRANGER}" in said
        or f"untrusted-input  {planted.config_dir}" in said
    )
    assert f"run chown root {planted.config_dir} && chmod go-w {planted.config_dir}" in said
    assert SECRET not in said
    assert "evil" not in said


def test_the_remedies_are_true(planted: Sandbox) -> None:
    """Who runs one command after the other, as each message says, has the directory believed, and knows of each file."""
    ran = []
    while (result := planted.run("apply")).code:
        assert result.code == os.EX_CONFIG
        for error in of_level(result, "error")[1:]:
            command = error.partition(" -- ")[2].partition("run ")[2].partition(", or ")[0]
            subprocess.run(command, shell=True, check=True)  # noqa: S602 -- as it is written there
            ran.append(command)
        assert len(ran) < 5
    assert [command.split()[2].rpartition("/")[2] for command in ran] == ["config", "relay.yaml"]


def test_an_empty_directory_of_a_stranger(sandbox: Sandbox) -> None:
    """It is refused before there is anything in it, whatever else is set."""
    give(sandbox.config_dir, STRANGER)
    before = sandbox.snapshot()
    result = sandbox.run("apply", env={"DEFAULT_RELAY_HOST": "[r.test]:587"})
    assert (result.code, sandbox.snapshot()) == (os.EX_CONFIG, before)


NAMES = (
    "relay.yaml",
    "relay.env",
    "postfix-relaymap.cf",
    "postfix-sasl-password.cf",
    "postfix-main.cf",
    "postfix-master.cf",
    "postfix-accounts.cf",
    "postfix-virtual.cf",
    "vhost",
)


@pytest.mark.parametrize("name", NAMES)
def test_each_input_that_others_can_write(sandbox: Sandbox, name: str) -> None:
    """The message names the file, not the directory."""
    path = sandbox.write(name, "")
    path.chmod(0o646)
    result = sandbox.run("apply", env={"RELAY_HOST": "r.test"})
    assert result.code == os.EX_CONFIG
    text = "every user can write to it (mode 0646)"
    assert f"{path}: {text} -- run chmod go-w {path}, or mount it read-only" in of_level(result, "error")


@pytest.mark.parametrize("variable", ["RELAY_PASSWORD__FILE", "DEFAULT_RELAY_HOST_FILE"])
def test_a_file_that_a_variable_names(sandbox: Sandbox, tmp_path: Path, variable: str) -> None:
    """Who sets the variables is believed; who could write to the file is not. The message names both."""
    path = tmp_path / "value"
    path.write_text("value")
    path.chmod(0o666)
    result = sandbox.run("apply", env={"RELAY_USER": "u", variable: str(path)})
    assert result.code == os.EX_CONFIG
    text = f"env {variable}: the file that it names is not trusted, because of {path}: "
    text += "every user can write to it (mode 0666)"
    assert f"{text} -- run chmod go-w {path}, or mount it read-only" in of_level(result, "error")


@pytest.fixture
def operators(sandbox: Sandbox, tmp_path: Path) -> Iterator[Sandbox]:
    """Yield a machine into which a host's user has mounted the configuration directory, as docker-mailserver has it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    give(outside, OPERATOR, mode=0o775)
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - y - - smtp\n")
    with mounted(outside, sandbox.config_dir):
        yield sandbox


def test_the_directory_of_a_hosts_user(operators: Sandbox) -> None:
    """Its owner is believed, with umask 002 as well, of which ``check`` warns; strangers in it are not."""
    path = give(operators.write("postfix-relaymap.cf", "@a.test [r.test]:587\n"), OPERATOR, mode=0o664)
    operators.apply()
    assert operators.table("relayhost_map") == {"@a.test": "[r.test]:587"}
    found = operators.run("check").out
    command = f"chmod g-w {operators.config_dir} {path}"
    assert f"group-writable-input  {operators.config_dir}" in found
    assert f"run {command}" in found
    subprocess.run(command, shell=True, check=True)  # noqa: S602 -- as it is written there
    assert "group-writable-input" not in operators.run("check").out
    give(path, STRANGER)
    assert f"{path}: it belongs to user {STRANGER}" in operators.run("apply").err


@pytest.fixture
def public() -> Iterator[Path]:
    """Yield a directory that every user can look into, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.mark.parametrize("key", ["password_file", "relay.env", "ca_file"])
@pytest.mark.parametrize(
    ("owner", "mode", "directory", "is_theirs"),
    [
        (0, 0o600, 0o755, False),
        (0, 0o640, 0o755, False),
        (0, 0o644, 0o755, True),
        (0, 0o644, 0o700, False),
        (OPERATOR, 0o400, 0o755, True),
        (OPERATOR, 0o044, 0o755, False),
    ],
)
def test_what_the_hosts_user_may_name(  # noqa: PLR0913, PLR0917 -- a case
    operators: Sandbox, public: Path, key: str, owner: int, mode: int, directory: int, *, is_theirs: bool
) -> None:
    """What their files name is used only where they may read it: root hands nobody a secret of root's."""
    public.chmod(directory)
    path = public / "file"
    path.write_text(f"-----BEGIN CERTIFICATE-----{SECRET}" if key == "ca_file" else SECRET)
    give(path, 0, mode=mode)
    if key == "relay.env":
        give(operators.write("relay.env", f"RELAY_USER=u\nRELAY_PASSWORD__FILE={path}\n"), OPERATOR)
        env = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
    else:
        named = yaml("password: p", f", ca_file: {path}") if key == "ca_file" else yaml(f"password_file: {path}")
        give(operators.write("relay.yaml", named), OPERATOR, mode=0o600)
        env = {}
    with ExitStack() as stack:
        if owner:
            # A file of theirs comes into the container as one that is mounted there.
            give(path, owner)
            stack.enter_context(mounted(path, path))
        result = operators.run("apply", env=env)
        assert (result.code == 0) == is_theirs, result.err
        if not is_theirs:
            name = "relay.env" if key == "relay.env" else "relay.yaml"
            assert f"user {OPERATOR}, who owns {name}, may not read the file that it names" in result.err
            assert SECRET not in result.err + result.out
            command = of_level(result, "error")[-1].partition(", run ")[2].partition(" in the ")[0]
            subprocess.run(command, shell=True, check=True, cwd=operators.config_dir)  # noqa: S602 -- as it is written there
            operators.apply(**env)


def test_what_root_names_is_roots(operators: Sandbox, secret: Path) -> None:
    """The environment is whose the run is: a secret that it names is used, whoever owns the directory."""
    operators.apply(DEFAULT_RELAY_HOST="[r.test]:587", RELAY_USER="u", RELAY_PASSWORD__FILE=str(secret))
    assert operators.table("sasl_passwd") == {"[r.test]:587": f"u:{SECRET}"}


def test_a_directory_that_is_mounted_read_only(operators: Sandbox, tmp_path: Path) -> None:
    """File systems that show all as writable (a Windows host's, some of the network) are believed with ``:ro``."""
    give(operators.write("postfix-relaymap.cf", "@a.test [r.test]:587\n"), OPERATOR, mode=0o777)
    (tmp_path / "outside").chmod(0o777)
    assert operators.run("apply").code == os.EX_CONFIG
    subprocess.run(["mount", "-o", "remount,bind,ro", operators.config_dir], check=True)
    operators.apply()
    assert operators.table("relayhost_map") == {"@a.test": "[r.test]:587"}


def test_a_secret_for_all_that_a_user_names(operators: Sandbox, public: Path) -> None:
    """The remedy of ``check`` protects it from others, and the run goes on as before."""
    public.chmod(0o755)
    path = public / "secret"
    path.write_text(SECRET)
    path.chmod(0o644)
    text = yaml(f"password_file: {path}").replace("level: none, allow_cleartext_login: true", "level: encrypt")
    named = give(operators.write("relay.yaml", text), OPERATOR, mode=0o600)
    operators.apply()
    remedy = f"run chown root {named} && chmod 600 {path}"
    assert remedy in operators.run("check").out
    subprocess.run(remedy.removeprefix("run "), shell=True, check=True)  # noqa: S602 -- as it is written there
    assert operators.apply().out == "nothing to do\n"
    assert "secret-readable" not in operators.run("check").out


@pytest.mark.parametrize(("name", "text"), LINKED.items())
@pytest.mark.parametrize("way", ["file", "directory"])
def test_links_of_the_hosts_user(operators: Sandbox, public: Path, name: str, text: str, way: str) -> None:
    """A link to a file names it: whose the link is must be allowed to read that, whoever names the link."""
    public.chmod(0o755)
    target = public / name
    target.write_text(text)
    target.chmod(0o600)
    os.utime(target, (1e9, 1e9))
    link = operators.config_dir / (name if way == "file" else "sub")
    link.symlink_to(target if way == "file" else public)
    give(link, OPERATOR)
    if way == "directory":
        (operators.config_dir / name).symlink_to(f"sub/{name}")
    give(operators.write("postfix-relaymap.cf", "@a.test evil.test\n"), OPERATOR)
    env = {"RELAY_USER": "u", "RELAY_PASSWORD__FILE": str(operators.config_dir / name)} if name == "password" else {}
    before = operators.snapshot()
    result = operators.run("apply", env=env)
    assert (result.code, operators.snapshot()) == (os.EX_CONFIG, before)
    assert SECRET not in result.err + result.out
    assert "YAML" not in result.err
    said = f"{link} is a link owned by user {OPERATOR}, who may not read its target, so it is not followed"
    assert said in " ".join(of_level(result, "error"))
    command = of_level(result, "error")[-1].partition("run ")[2]
    assert command == f"chown -h root {link}"
    subprocess.run(command, shell=True, check=True)  # noqa: S602 -- as it is written there
    assert "link of user" not in operators.run("apply", env=env).err


def test_no_home_becomes_roots(tmp_path: Path) -> None:
    """Who runs it with sudo on inputs in their home is told to copy these, not to give the home away."""
    owner = next(entry for entry in pwd.getpwall() if entry.pw_uid and entry.pw_dir.count("/") > 1)
    status = give(tmp_path, owner.pw_uid).stat()
    for path in (owner.pw_dir, str(Path(owner.pw_dir).parent)):
        remedy = said(DistrustError(path, OWNER, status))[1]
        assert "chown" not in remedy
        assert "copy the inputs to a directory owned by root, such as /etc/dms-relay" in remedy
    path = f"{owner.pw_dir}/config"
    assert f"run chown root {path} " in said(DistrustError(path, OWNER, status))[1]
