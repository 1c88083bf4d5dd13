"""Builds the image as an OCI archive, for each architecture that a release has; says beforehand what is missing for it.

For another architecture than this machine's, the programs of a build run in an emulator, qemu, which the kernel starts for
them (binfmt_misc). It must be registered such that containers find it too, in which there is no qemu (flag F). podman builds
on this machine, so its kernel is looked at; docker's builder, which may be elsewhere, is asked what it builds for.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

#: What the image is built for unless told otherwise, as engines call it, and what a kernel calls it.
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
#: Where the kernel names what it starts for programs of other machines.
EMULATORS = Path("/proc/sys/fs/binfmt_misc")
#: How a program for Linux begins, in hexadecimal digits: ELF, 64 bits, little end first. Octets 18 and 19 name its machine.
_ELF = "7f454c460201"
_ELF_MACHINES = {"amd64": "3e00", "arm64": "b700"}
_ELF_MACHINE = slice(36, 40)


class NoBuilderError(Exception):
    """The engine cannot build at all; the text is what it says of that."""


def not_built_here(engine: str, architectures: list[str]) -> list[str]:
    """Return the architectures for which the engine cannot build."""
    if engine == "podman":
        return [name for name in architectures if not _runs_here(name)]
    platforms = _platforms(engine) if architectures else ""
    return [name for name in architectures if not re.search(rf"\blinux/{name}\b", platforms)]


def _platforms(engine: str) -> str:
    """Return for what docker's builder builds; this starts it."""
    command = [engine, "buildx", "inspect", "--bootstrap"]
    both = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    if found := re.search(r"^Platforms:(.*)$", both, re.MULTILINE):
        return found[1]
    raise NoBuilderError(f"{' '.join(command)}: {(both.strip().splitlines() or ['no answer'])[-1]}")


def remedy(engine: str) -> str:
    """Return what makes an engine build for another architecture."""
    install = "sudo apt-get install qemu-user-static"
    if engine == "podman":
        return f"{install} (in a container: on its host)"
    return f"where docker runs: {install}, then docker buildx create --use"


def _runs_here(architecture: str) -> bool:
    if platform.machine() == ARCHITECTURES[architecture]:
        return True
    return any(_starts(entry.read_text("ascii"), architecture) for entry in _entries())


def _entries() -> list[Path]:
    """Return the kernel's entries; it has none where binfmt_misc is not mounted."""
    if not EMULATORS.is_dir():
        return []
    return [path for path in EMULATORS.iterdir() if path.name not in {"register", "status"}]


def _starts(entry: str, architecture: str) -> bool:
    """Return True if an entry is for programs of an architecture, also in containers."""
    magic = re.search(r"^magic ([0-9a-f]+)$", entry, re.MULTILINE)
    flags = re.search(r"^flags: (\w*)$", entry, re.MULTILINE)
    if not (entry.startswith("enabled\n") and magic and flags and "F" in flags[1]):
        return False
    return magic[1].startswith(_ELF) and magic[1][_ELF_MACHINE] == _ELF_MACHINES[architecture]


def build(engine: str, architecture: str, name: str, target: Path) -> list[tuple[str, ...]]:
    """Return the commands that build the image from the working directory, into an archive that has it under a name."""
    options = ("--platform", f"linux/{architecture}", "--target", "relay")
    if engine == "podman":
        tag = f"localhost/dms-relay-release:{architecture}"
        return [
            ("podman", "build", *options, "--tag", tag, "."),
            ("podman", "push", tag, f"oci-archive:{target}:{name}"),
            ("podman", "rmi", tag),
        ]
    return [(engine, "buildx", "build", *options, "--tag", name, "--output", f"type=oci,dest={target}", ".")]


def environ() -> dict[str, str]:
    """Return the environment of a build, as the tests have it (``tests/image/engine.py``)."""
    configuration = os.environ.get("IMAGE_BUILD_CONTAINERS_CONF")
    return os.environ | ({"CONTAINERS_CONF": configuration} if configuration else {})
