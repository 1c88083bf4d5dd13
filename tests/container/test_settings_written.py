"""``settings``: how the values come into a send-only Postfix's configuration, by a real postconf, and what is an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from ipaddress import ip_interface
from typing import TYPE_CHECKING

import pytest

from dms_relay.container import settings
from dms_relay.container.settings import ContainerHost, parameters
from dms_relay.errors import MissingInputError, PostfixError
from dms_relay.interfaces import InterfaceAddress
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

LOOPBACK = "127.0.0.0/8 [::1]/128"
ONE = ContainerHost("mail.example.test", (InterfaceAddress("eth0", ip_interface("172.18.0.5/24")),))
MASTER_CF = """\
# service type  private unpriv  chroot  wakeup  maxproc command
smtp      inet  n       -       y       -       -       smtpd
  -o smtpd_banner=y
#smtp     inet  n       -       y       -       1       postscreen

pickup    unix  n       -       -       60      1       pickup
qmgr      unix  n       -       n       300     1       qmgr
"""


@pytest.fixture
def postfix(sandbox: Sandbox) -> Postfix:
    """Return a Postfix configuration whose services run in the chroot."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    return Postfix(sandbox.postfix_dir)


def test_sets_what_is_wanted(postfix: Postfix, sandbox: Sandbox) -> None:
    """Afterwards Postfix reads each parameter as wanted, and no service runs in the chroot; other settings stay."""
    changed = settings.set_up(postfix, parameters({}, ONE))
    assert {"mynetworks", "mydestination", "chroot"} <= set(changed)
    assert "compatibility_level" not in changed  # base-main.cf has it already
    found = sandbox.postconf_n()
    found.pop("config_directory", None)  # -c, which postconf shows as if it were set
    assert found == {
        **parameters({}, ONE),
        "relayhost": "",
        "smtp_tls_security_level": "may",
        "smtp_tls_CApath": "/etc/ssl/certs",
    }
    command = ["postconf", "-c", str(sandbox.postfix_dir), "-hF", "*/*/chroot"]
    assert set(subprocess.run(command, capture_output=True, check=True).stdout.split()) == {b"n"}


def test_what_is_right_is_not_written(postfix: Postfix, sandbox: Sandbox) -> None:
    """A second run changes no file, not even its time."""
    settings.set_up(postfix, parameters({}, ONE))
    before = sandbox.snapshot()
    assert settings.set_up(postfix, parameters({}, ONE)) == []
    assert sandbox.snapshot() == before


def test_networks_are_set_not_added(postfix: Postfix, sandbox: Sandbox) -> None:
    """A network that was permitted is not any more when its setting is gone."""
    for value in ("network", "connected-networks", "none"):
        changed = settings.set_up(postfix, parameters({"PERMIT_DOCKER": value}, ONE))
        assert "mynetworks" in changed
    assert sandbox.postconf_n()["mynetworks"] == LOOPBACK


def test_relay_parameters_are_left_alone(postfix: Postfix, sandbox: Sandbox) -> None:
    """What dms-relay, or the operator, has set for a relay survives."""
    sandbox.write_main_cf("relayhost = [relay.test]:587\nsmtp_tls_security_level = secure\nmessage_size_limit = 1\n")
    settings.set_up(postfix, parameters({}, ONE))
    found = sandbox.postconf_n()
    assert (found["relayhost"], found["smtp_tls_security_level"]) == ("[relay.test]:587", "secure")
    assert found["message_size_limit"] == "1"


def test_main_cf_is_cool(postfix: Postfix) -> None:
    """Postfix need not wait for main.cf, whether it was written here or by another hook a moment ago."""
    wanted = parameters({}, ONE)
    settings.set_up(postfix, wanted)
    assert time.time() - postfix.main_cf.stat().st_mtime > settings.HOT
    postfix.main_cf.touch()
    settings.set_up(postfix, wanted)
    assert time.time() - postfix.main_cf.stat().st_mtime > settings.HOT


def test_no_program_but_for_the_chroot(postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters are set without a program of Postfix's; one postconf runs for all services in the chroot, then none."""
    calls = tmp_path / "calls"
    spy(tmp_path, monkeypatch, f'echo "$3" >> {calls}; exec {shutil.which("postconf")} "$@"')
    settings.set_up(postfix, parameters({}, ONE))
    settings.set_up(postfix, parameters({}, ONE))
    assert calls.read_text().split() == ["-F"]


def test_main_cf_keeps_its_mode(postfix: Postfix) -> None:
    """A main.cf that not everybody may read stays so."""
    postfix.main_cf.chmod(0o640)
    settings.set_up(postfix, parameters({}, ONE))
    assert postfix.main_cf.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_main_cf_that_is_mounted(postfix: Postfix, sandbox: Sandbox) -> None:
    """A main.cf that is a mount point cannot be replaced: exit code 73, with what to mount in its place."""
    script = (
        'mount --bind "$1" "$1" && exec "$2" -c "import os, sys\n'
        'from dms_relay.container.settings import run\nsys.exit(run(os.environ))"'
    )
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(postfix.directory)}
    before = sandbox.main_cf.read_text()
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(postfix.main_cf), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == os.EX_CANTCREAT, done.stderr
    text = "cannot be written, and is unchanged: Device or resource busy -- mount the directory, not the single file"
    assert f"{postfix.main_cf} {text}" in done.stderr
    assert sandbox.main_cf.read_text() == before


def spy(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program of ours in place of postconf."""
    programs = directory / "programs"
    programs.mkdir()
    (programs / "postconf").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "postconf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def test_a_failing_postconf(postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A postconf that fails, for main.cf or for master.cf, ends in exit code 69."""
    spy(tmp_path, monkeypatch, 'case $3 in -F) exit 3;; esac; exec /usr/sbin/postconf "$@"')
    with pytest.raises(PostfixError, match=r"^postconf -F failed with exit code 3: without a message$") as caught:
        settings.set_up(postfix, parameters({}, ONE))
    assert caught.value.exit_code == os.EX_UNAVAILABLE


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [("main.cf", MissingInputError, os.EX_NOINPUT), ("master.cf", PostfixError, os.EX_UNAVAILABLE)],
)
def test_a_missing_file(postfix: Postfix, name: str, error: type[MissingInputError], code: int) -> None:
    """Without main.cf or master.cf the run fails with the file's name."""
    (postfix.directory / name).unlink()
    with pytest.raises(error, match=f"{name}.* cannot be read: No such file or directory") as caught:
        settings.set_up(postfix, parameters({}, ONE))
    assert caught.value.exit_code == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp inet n - y - - smtpd\n", True),
        ("smtp inet n - - - - smtpd\n", True),
        ("smtp inet n - n - - smtpd\n", False),
        ("# smtp inet n - y - - smtpd\n#x y y y y\n\n  -o a=y y y y y\n", False),
        ("", False),
    ],
)
def test_has_chroot(text: str, expected: bool) -> None:  # noqa: FBT001 -- a column of the table above
    """A service runs in the chroot unless its column says n; comments and continuation lines are none."""
    assert settings.has_chroot(text) is expected


def test_the_step(postfix: Postfix, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The step succeeds, and says who may send when it has changed something, on standard error."""
    environ = {"MAIL_CONFIG": str(postfix.directory), "POSTFIX_MYHOSTNAME": "mx.example.com"}
    assert settings.run(environ) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"Postfix is set up myhostname=mx.example.com mynetworks='{LOOPBACK}'" in said.err
    assert settings.run(environ) == 0
    assert capsys.readouterr().err == ""
    assert sandbox.postconf_n()["myhostname"] == "mx.example.com"


def test_wrong_values(postfix: Postfix, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """With a wrong value the step ends in exit code 78, says why, and writes nothing."""
    before = sandbox.snapshot()
    environ = {"MAIL_CONFIG": str(postfix.directory), "PERMIT_DOCKER": "everyone", "LOG_FORMAT": "json"}
    assert settings.run(environ) == os.EX_CONFIG
    assert '"origin": "env PERMIT_DOCKER"' in capsys.readouterr().err
    assert sandbox.snapshot() == before


def test_without_postfix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no Postfix, the step says so."""
    assert settings.run({"MAIL_CONFIG": str(tmp_path)}) == os.EX_NOINPUT
    assert "main.cf: cannot be read" in capsys.readouterr().err
