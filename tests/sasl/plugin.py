"""The plugin and a client for it, built for one run of the tests and found without being installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dms_relay.postfix import sasl_plugin

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
_CLIENT = Path(__file__).with_name("client.c")
MEMCHECK = (
    "valgrind",
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite,indirect",
)
SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
_IMPORTED = "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME"


class Said(NamedTuple):
    """One answer of the client: the library's result, the mechanism, the message, the text of an error."""

    result: int
    mechanism: str
    message: bytes
    error: str


@dataclass(frozen=True)
class Plugin:
    """A directory with the plugin and the client."""

    directory: Path

    @property
    def import_environment(self) -> str:
        """What lets smtp(8) find the plugin, before those of the machine."""
        return f"{_IMPORTED} SASL_PATH={self._path}"

    @property
    def _path(self) -> str:
        return ":".join((str(self.directory), *sasl_plugin.directories()))

    def log_in(
        self,
        mechanisms: str,
        user: bytes,
        token: bytes,
        *challenges: bytes,
        more: Sequence[str] = (),
        tool: Sequence[str] = (),
    ) -> list[Said]:
        """Log in to a server that has these mechanisms and says this; fail where the client or `tool` finds an error."""
        lines = b"".join(b64encode(line) + b"\n" for line in (user, token, *challenges))
        command = [*tool, str(self.directory / "client"), mechanisms, "relay.test", *more]
        environment = {"PATH": os.environ["PATH"], "SASL_PATH": self._path, "ASAN_OPTIONS": "detect_leaks=0"}
        environment |= {} if tool else {"LOOK": "1"}
        done = subprocess.run(command, input=lines, capture_output=True, env=environment, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr.decode(errors="replace"))
        return [_read(line) for line in done.stdout.decode().splitlines()]


def _read(line: str) -> Said:
    words, _, error = line.partition("\t")
    result, mechanism, message = words.split(" ")
    return Said(int(result), mechanism, b64decode(message), error)


def find(directory: Path) -> Plugin:
    """Build the plugin, or take what is installed where there is no compiler, as in the image."""
    installed = [Path(name) / sasl_plugin.PLUGIN for name in sasl_plugin.directories()]
    if shutil.which("cc") is None and installed[0].exists():
        shutil.copy(installed[0], directory)
        return Plugin(directory)
    return build(directory)


def build(directory: Path, flags: str = "-O2 -g") -> Plugin:
    """Build the plugin as `make plugin` does, and the client; skip where no compiler or headers are here."""
    _require("a C compiler", shutil.which("cc") is not None)
    _require("libsasl2-dev", Path("/usr/include/sasl/saslplug.h").exists())
    make = ["make", "-s", "-C", str(ROOT / "sasl"), f"OUT={directory}", f"CFLAGS={flags}"]
    subprocess.run(make, check=True, capture_output=True, text=True)
    client = [
        "cc",
        *flags.split(),
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        str(directory / "client"),
        str(_CLIENT),
    ]
    subprocess.run([*client, "-lsasl2"], check=True, capture_output=True, text=True)
    return Plugin(directory)


def _require(what: str, is_here: bool) -> None:  # noqa: FBT001 -- its only question
    """Skip where something is missing; fail instead where CI says that all is here."""
    if is_here:
        return
    if os.environ.get("REQUIRE_POSTFIX_TESTS") == "1":
        pytest.fail(f"REQUIRE_POSTFIX_TESTS=1, but there is no {what}", pytrace=False)
    pytest.skip(f"there is no {what}")


def require_valgrind() -> None:
    """Skip where valgrind is not here; fail instead in CI."""
    _require("valgrind", shutil.which("valgrind") is not None)
