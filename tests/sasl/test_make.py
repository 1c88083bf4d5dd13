"""`make plugin` builds the plugin on a bare machine, says what is missing there, and installs it where it is looked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.postfix import sasl_plugin
from tests.sasl.plugin import ROOT

if TYPE_CHECKING:
    from tests.sasl.plugin import Plugin

SETUP = ROOT / "demo" / "setup.sh"
MISSING = 69


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the project."""
    words = list(map(str, command))
    return subprocess.run(words, env=os.environ | environ, capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("plugin")  # a compiler is here
def test_install(tmp_path: Path) -> None:
    """It is put where Cyrus SASL looks, readable for all; a second time it takes the place of the first."""
    target = Path(f"{tmp_path}{sasl_plugin.directories()[0]}/{sasl_plugin.PLUGIN}")
    numbers = set()
    for _ in range(2):
        done = run("make", "-s", "-C", ROOT / "sasl", "install", f"OUT={tmp_path}", f"DESTDIR={tmp_path}")
        assert (done.returncode, done.stdout) == (0, f"installed: {target}\n"), done.stderr
        assert target.stat().st_mode & 0o777 == 0o644
        numbers.add(target.stat().st_ino)
    assert len(numbers) == 2
    assert [path.name for path in target.parent.iterdir()] == [sasl_plugin.PLUGIN]


def test_a_warning_is_an_error(plugin: Plugin, tmp_path: Path) -> None:
    """A build with a warning fails, and leaves no plugin."""
    assert plugin.directory.is_dir()
    for name in ("Makefile", "oauth2.c"):
        (tmp_path / name).write_text((ROOT / "sasl" / name).read_text())
    with (tmp_path / "oauth2.c").open("a") as source:
        source.write("static int unused(void) { return 0; }\n")
    done = run("make", "-C", tmp_path)
    assert done.returncode != 0
    assert "unused" in done.stderr
    assert not list(tmp_path.glob("*.so"))


@pytest.mark.usefixtures("plugin")
def test_all_is_here() -> None:
    """With a compiler and the headers, nothing is said."""
    done = run(SETUP, "plugin")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("plugin")
def test_a_missing_compiler() -> None:
    """Without a compiler it stops, and says what to install."""
    done = run(SETUP, "plugin", CC="no-compiler-here")
    assert done.returncode == MISSING
    assert "make plugin: stopped. Nothing was installed, removed or changed." in done.stderr
    assert "- a C compiler: there is no no-compiler-here\n" in done.stderr
    assert "apt-get install gcc libc6-dev\n" in done.stderr
