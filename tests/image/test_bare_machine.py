"""What `make` does on a machine that lacks what it needs, or has a mail server: it says so at once, and changes nothing.

The machines are containers of Debian's image. The project's files are mounted read-only, so nothing can be made there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.image.engine import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.engine import Engine

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
#: One stage for each machine.
DOCKERFILE = """\
FROM debian:trixie-slim AS nothing
RUN apt-get update -qq; apt-get install -y -qq --no-install-recommends make
FROM nothing AS python
RUN DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
FROM python AS exim
RUN DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends exim4-daemon-light
FROM python AS own
RUN DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postfix
FROM python AS unpackaged
RUN touch /usr/sbin/sendmail
FROM python AS before
RUN mkdir /etc/postfix; touch /etc/postfix/main.cf
"""
#: Runs make, and says its exit code, and whether packages, programs or configuration are others afterwards: whatever is
#: done to a file sets the time of its last change (%C).
MAKE = """\
state() { { dpkg -l; find /etc /usr/sbin /usr/bin -type f -printf '%p %s %C@\\n' | sort; } | md5sum; }
before=$(state)
LC_ALL=C make "$@" 2>&1
echo "exit code $?"
[ "$before" = "$(state)" ] || echo CHANGED
"""


def machine(engine: Engine, directory: Path, name: str) -> str:
    """Build a machine, and return its number."""
    (directory / "Dockerfile").write_text(DOCKERFILE)
    return engine.build(f"--target={name}", context=directory, tag=f"dms-relay:test-{name}")


def make(engine: Engine, image: str, *words: str, script: str = MAKE, user: str = "root") -> str:
    """Run make on a machine, and return what is said; nothing may have changed."""
    options = ("--rm", "--network=none", f"--user={user}", f"--volume={ROOT}:/src:ro", "--workdir=/src")
    said = engine.call("run", *options, "--entrypoint=/bin/sh", image, "-c", script, "make", *words)
    assert "CHANGED" not in said
    assert "exit code 2" in said
    return said


@pytest.mark.parametrize("goal", ["demo", "test", "bench", "soak", "coverage"])
def test_another_mail_server_is_not_removed(engine: Engine, tmp_path: Path, goal: str) -> None:
    """Where apt would remove another mail server, make says which, and what to do, and it stays."""
    said = make(engine, machine(engine, tmp_path, "exim"), goal)
    assert f"make {goal}: stopped. Nothing was installed, removed or changed." in said
    assert "remove exim4-base exim4-config exim4-daemon-light\n" in said
    assert "if that may go: apt-get remove exim4-base exim4-config exim4-daemon-light\n" in said
    assert ("make test POSTFIX=no" in said) == (goal == "test")


def test_another_mail_server_is_seen_without_apts_lists(engine: Engine, tmp_path: Path) -> None:
    """The same where apt knows of no package that could be installed: what is installed says what it is."""
    said = make(engine, machine(engine, tmp_path, "exim"), "demo", script=f"rm -rf /var/lib/apt/lists/*\n{MAKE}")
    assert "It installs Postfix, which would:\n  - remove exim4-daemon-light\n" in said


def test_what_can_be_removed_is_what_is_said(engine: Engine, tmp_path: Path) -> None:
    """The printed command lets the mail server go, and nothing stands in the way any more."""
    remedy = "apt-get remove -y -qq exim4-base exim4-config exim4-daemon-light >/dev/null 2>&1\n"
    # Nothing can be had here, so that the installation fails; it begins.
    script = f"{remedy}rm -rf /etc/apt/sources.list*\n{MAKE}"
    said = make(engine, machine(engine, tmp_path, "exim"), "demo", script=script)
    assert "stopped" not in said
    assert "Installing Postfix (apt-get install " in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unpackaged", "  - overwrite /usr/sbin/sendmail, which belongs to no package\n"),
        ("before", "  - take up /etc/postfix, where an earlier Postfix was set up\n"),
        ("own", "  - for the Postfix that is installed here, which is left as it is: libsasl2-modules"),
    ],
)
def test_nothing_else_is_lost(engine: Engine, tmp_path: Path, name: str, said: str) -> None:
    """Neither a program of no package, nor an earlier configuration, nor the machine's own Postfix is changed unasked."""
    assert said in make(engine, machine(engine, tmp_path, name), "demo")


def test_what_is_missing_is_said_at_once(engine: Engine, tmp_path: Path) -> None:
    """Everything that is missing stands in one message, with the one command that installs it; nothing has been made."""
    said = make(engine, machine(engine, tmp_path, "nothing"), "bench", user="nobody")
    assert "  - Python 3.11 or later, with venv: there is no python3\n" in said
    assert "  - git\n" in said
    assert "  - root, for which Postfix starts: " in said
    assert "Install it, as root: apt-get update && apt-get install python3 python3-venv git\n" in said
    assert "PYTHON=" not in said


def test_what_is_missing_is_said_with_what_would_be_lost(engine: Engine, tmp_path: Path) -> None:
    """A machine with another mail server, and without venv, is told of both."""
    hidden = "rm /usr/lib/python3*/ensurepip/__init__.py\n"
    said = make(engine, machine(engine, tmp_path, "exim"), "test", script=hidden + MAKE)
    assert "  - the module venv for python3\nInstall it: apt-get update && apt-get install python3-venv\n" in said
    assert "  - remove exim4-base exim4-config exim4-daemon-light\n" in said


def test_another_python_is_named(engine: Engine, tmp_path: Path) -> None:
    """Where python3 is too old and a newer one is there, make says which to name."""
    older = "mv /usr/bin/python3.13 /usr/bin/python3.12\nrm /usr/bin/python3\ncat >/usr/bin/python3 <<'E'\n"
    older += "#!/bin/sh\ncase $2 in *print*) echo 3.9.2 ;; *) exit 1 ;; esac\nE\nchmod 755 /usr/bin/python3\n"
    said = make(engine, machine(engine, tmp_path, "python"), "demo", script=older + MAKE)
    assert "  - Python 3.11 or later, with venv: python3 is 3.9.2\nThen: make PYTHON=python3.12 demo\n" in said
