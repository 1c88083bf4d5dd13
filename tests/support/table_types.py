"""Postfix's table types in tests: what they need, and a Postfix that has fewer of them."""

from __future__ import annotations

import os
import subprocess
import time
from functools import cache
from typing import TYPE_CHECKING

import pytest

from dms_relay.postfix.table_types import PACKAGES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

#: One line of Debian's dynamicmaps.cf(5).
_LINE = "{0}\tpostfix-{0}.so\tdict_{0}_open\tmkmap_{0}_open\n"


@cache
def _types() -> frozenset[str]:
    done = subprocess.run(["postconf", "-m"], capture_output=True, text=True, check=False)
    return frozenset(done.stdout.split())


def require_indexes() -> None:
    """Skip where Postfix has not both of the indexed types; fail instead with REQUIRE_POSTFIX_TESTS=1."""
    if missing := PACKAGES.keys() - _types():
        reason = f"Postfix has no tables of type {' and '.join(sorted(missing))}"
        if os.environ.get("REQUIRE_POSTFIX_TESTS") == "1":
            pytest.fail(f"REQUIRE_POSTFIX_TESTS=1, but: {reason}", pytrace=False)
        pytest.skip(reason)


def offer(sandbox: Sandbox, directory: Path, *types: str) -> None:
    """Have the sandbox's Postfix know these indexed types and no others (postconf(5), meta_directory)."""
    directory.mkdir(exist_ok=True)
    (directory / "dynamicmaps.cf").write_text("".join(map(_LINE.format, types)))
    text = sandbox.main_cf.read_text()
    if "meta_directory" not in text:
        sandbox.write_main_cf(f"{text}meta_directory = {directory}\n")


def make_old(path: Path) -> None:
    """Date a file back, so that Postfix's programs do not wait for it."""
    then = time.time() - 3600
    os.utime(path, (then, then))
