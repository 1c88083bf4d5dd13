"""Where the inputs are when nobody says so: as docker-mailserver has it in a container, below /etc on other machines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dms_relay.model import Paths, places
from tests.support.trust import mounted

ROOT = Path(__file__).parents[2]
UNIT, WATCH_UNIT = ROOT / "systemd/dms-relay.service", ROOT / "systemd/dms-relay-watch.service"


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


@pytest.mark.parametrize("source", [UNIT, WATCH_UNIT], ids=lambda path: path.stem)
def test_the_units_of_systemd(tmp_path: Path, source: Path) -> None:
    """Systemd takes each without a complaint, with a program in the place of the one that is installed.

    Older ones (before 254) know nothing of pauses that grow, and say so, as the unit does.
    """
    unit = tmp_path / source.name
    unit.write_text(source.read_text().replace("/opt/dms-relay/bin/dms-relay", f"{sys.executable} -m dms_relay"))
    try:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("systemd is not installed")
    complaints = [
        line for line in done.stderr.splitlines() if not re.search("Unknown key 'Restart(Steps|MaxDelaySec)'", line)
    ]
    assert (done.returncode, complaints) == (0, [])


def test_the_watching_unit_reads_what_the_other_one_does() -> None:
    """Both have the same variables and directory; the one that watches comes after Postfix, and is never given up."""
    lines = WATCH_UNIT.read_text().splitlines()
    shared = [line for line in UNIT.read_text().splitlines() if line.startswith(("Environment", "RequiresMountsFor"))]
    assert set(shared) <= set(lines)
    assert {"ExecStart=/opt/dms-relay/bin/dms-relay watch", "Restart=always", "StartLimitIntervalSec=0"} <= set(lines)
    [after] = [line for line in lines if line.startswith("After=")]
    assert {"postfix.service", "postfix@-.service", UNIT.name} == set(after.removeprefix("After=").split())


def test_the_unit_runs_before_postfix_and_reads_where_the_documentation_says() -> None:
    """Its directory is the one that is read on a machine without it, so that a command by hand reads the same."""
    lines = UNIT.read_text().splitlines()
    before = next(line for line in lines if line.startswith("Before="))
    assert {"postfix.service", "postfix@-.service"} == set(before.removeprefix("Before=").split())
    assert f"Environment=DMS_RELAY_CONFIG_DIR={places.HOST_DIRECTORY}" in lines
    assert "ExecStart=/opt/dms-relay/bin/dms-relay apply" in lines
