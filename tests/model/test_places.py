"""Where the inputs are when nobody says so: as docker-mailserver has it in a container, below /etc on other machines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dms_relay.model import Paths, places
from tests.support.trust import mounted

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd/dms-relay.service"


@pytest.fixture(autouse=True)
def _a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a machine that is no container."""
    monkeypatch.setattr(places, "_MARKERS", ("/nowhere/marker",))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def test_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory below /tmp, which any user could have made, is not taken, unless something is mounted there."""
    shared = tmp_path / "docker-mailserver"
    monkeypatch.setattr(places, "DMS_DIRECTORY", str(shared))
    assert Paths().config_dir == Path("/etc/dms-relay")
    shared.mkdir()
    assert Paths().config_dir == Path("/etc/dms-relay")
    (tmp_path / "config").mkdir()
    with mounted(tmp_path / "config", shared):
        assert Paths().config_dir == shared
    assert Paths().config_dir == Path("/etc/dms-relay")


@pytest.mark.parametrize("how", ["marker", "pod"])
def test_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """There it is docker-mailserver's place, mounted or not."""
    if how == "pod":
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    else:
        (tmp_path / "marker").touch()
        monkeypatch.setattr(places, "_MARKERS", ("/nowhere/marker", str(tmp_path / "marker")))
    assert Paths().config_dir == Path("/tmp/docker-mailserver")  # noqa: S108 -- where it is


def test_the_unit_of_systemd(tmp_path: Path) -> None:
    """Systemd takes it without a complaint, with a program in the place of the one that is installed."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/dms-relay/bin/dms-relay", f"{sys.executable} -m dms_relay"))
    try:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("systemd is not installed")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_runs_before_postfix_and_reads_where_the_documentation_says() -> None:
    """Its directory is the one that is read on a machine without it, so that a command by hand reads the same."""
    lines = UNIT.read_text().splitlines()
    before = next(line for line in lines if line.startswith("Before="))
    assert {"postfix.service", "postfix@-.service"} == set(before.removeprefix("Before=").split())
    assert f"Environment=DMS_RELAY_CONFIG_DIR={places.HOST_DIRECTORY}" in lines
    assert "ExecStart=/opt/dms-relay/bin/dms-relay apply" in lines
