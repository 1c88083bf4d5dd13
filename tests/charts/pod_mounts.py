"""Mounts what a pod of the chart has as kubelet does, in a mount namespace of its own, and asks whether inputs are believed.

Run by ``unshare --mount`` as root, with JSON on standard input: the pod's volumes, its mounts, and the files to ask for. An
emptyDir is for all users (0777); a ConfigMap or Secret is a directory for all users, mounted read-only, with its files in a
directory with the time in its name, and links over ``..data``. Prints one line for each file: ``believed``, or who is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from dms_relay.files import trust

#: Where volumes are before they are mounted, in this namespace alone.
_STAGE = Path("/mnt")


def _make(volume: Path, files: dict[str, int]) -> None:
    """Lay out a volume: files with their modes, as kubelet's atomic writer does."""
    volume.mkdir()
    volume.chmod(0o777)
    if not files:
        return
    written = volume / "..2026_11_26_12_00_00.123456789"
    written.mkdir(mode=0o755)
    for name, mode in files.items():
        (written / name).write_text("text", "utf-8")
        (written / name).chmod(mode)
        (volume / name).symlink_to(f"..data/{name}")
    (volume / "..data").symlink_to(written.name)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def main() -> None:
    """Mount, in the order of the pod, and ask."""
    told: dict[str, Any] = json.load(sys.stdin)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(_STAGE))
    for name, files in told["volumes"].items():
        _make(_STAGE / name, files)
    for mount in told["mounts"]:
        Path(mount["mountPath"]).mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(_STAGE / mount["name"]), mount["mountPath"])
        if mount.get("readOnly"):
            _mount("-o", "remount,bind,ro", mount["mountPath"])
    for path in told["ask"]:
        try:
            trust.require_believed(path)
        except trust.DistrustError as error:
            print(f"{path}: {error.path} {error.why}")
        else:
            print(f"{path}: believed")


if __name__ == "__main__":
    main()
