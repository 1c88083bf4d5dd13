"""Runs docker-mailserver's relay.sh, for a comparison with ours, if ``BENCH_RELAY_SH`` names a copy of it.

It writes to /etc/postfix and reads /tmp/docker-mailserver, so all measurements run in a mount namespace, where these are
directories of the benchmark. ``STAND_INS`` replaces the functions of docker-mailserver's other scripts that it calls:
they start the same programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "BENCH_RELAY_SH"
#: The variable that marks a process in the namespace.
_INSIDE = "BENCH_INSIDE"
#: The directories of relay.sh. The machine may not have the second, so its parent is replaced meanwhile.
POSTFIX, CONFIG = Path("/etc/postfix"), Path("/tmp/docker-mailserver")  # noqa: S108 -- its paths
_PARENT, _ASIDE = CONFIG.parent, Path("/mnt")
STAND_INS = """
_log() { case "$1" in (error|warn) echo "$2" >&2 ;; esac; }
_get_valid_lines_from_file() {
  case "$(file "$1")" in (*CRLF*) sed -i 's/\\r$//' "$1" ;; esac
  [ "$(tail -c1 "$1" | wc -l)" -eq 1 ] || echo >> "$1"
  grep -Ev '^[[:space:]]*(#|$)' "$1" || true
}
"""


def script() -> Path | None:
    """Return the copy of relay.sh to measure."""
    path = os.environ.get(VARIABLE)
    return Path(path) if path else None


def enter(root: Path) -> None:
    """Exec this process in its own mount namespace, where ``root`` is unchanged and relay.sh's paths are ours."""
    if os.environ.get(_INSIDE):
        return
    os.execvpe(  # noqa: S606 -- no shell
        "unshare",
        ["unshare", "--mount", sys.executable, "-m", "bench.boot", str(root)],
        os.environ | {_INSIDE: "1"},
    )


def mount(config: Path, postfix: Path, root: Path) -> None:
    """Mount two directories of the benchmark at relay.sh's paths. Changes nothing on the machine itself."""
    kept = [path for path in (root, Path.cwd()) if path.is_relative_to(_PARENT)]
    _run("mount", "--make-rprivate", "/")
    _run("mount", "--bind", str(_PARENT), str(_ASIDE))
    _run("mount", "-t", "tmpfs", "tmpfs", str(_PARENT))
    for path in kept:
        path.mkdir(parents=True)
        _run("mount", "--bind", str(_ASIDE / path.relative_to(_PARENT)), str(path))
    CONFIG.mkdir()
    for ours, theirs in ((config, CONFIG), (postfix, POSTFIX)):
        _run("mount", "--bind", str(ours), str(theirs))


def command(root: Path, relay_sh: Path) -> list[str]:
    """Return the command that runs relay.sh as docker-mailserver does: source what it calls, source it, and call it."""
    copy, runner = root / "relay.sh", root / "run-relay.sh"
    shutil.copyfile(relay_sh, copy)
    call = "if declare -F _setup_relayhost > /dev/null; then _setup_relayhost; fi"
    runner.write_text(f"{STAND_INS}source {copy}\n{call}\n")
    return ["bash", str(runner)]


def _run(*words: str) -> None:
    subprocess.run(words, check=True)
