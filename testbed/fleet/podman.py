"""Calls podman. Raises `PodmanError` with its output if it fails."""

from __future__ import annotations

import json
import subprocess
from typing import Any

#: Seconds for one call.
CALL_TIMEOUT = 120


class PodmanError(Exception):
    """Podman failed."""


def call(*arguments: str, feed: str = "", check: bool = True) -> str:
    """Run podman and return its standard output."""
    done = subprocess.run(
        ["podman", *arguments], input=feed, capture_output=True, text=True, check=False, timeout=CALL_TIMEOUT
    )
    if check and done.returncode:
        raise PodmanError(f"podman {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def code(*arguments: str) -> int:
    """Run podman and return its exit code."""
    return subprocess.run(["podman", *arguments], capture_output=True, check=False, timeout=CALL_TIMEOUT).returncode


def inspect(*arguments: str) -> dict[str, Any]:
    """Return the first object of a JSON answer; ignores other output of podman."""
    found: dict[str, Any] = json.loads(call(*arguments))[0]
    return found
