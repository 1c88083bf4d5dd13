"""Tries a case: makes its files and its environment, and says what stands there, so that a change of it can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.invalid_inputs import SECRET, SECRETS, Content, Odd, Wrong
from tests.support.rested import write_rested

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

HEADLINE = ("error", "wrong inputs, nothing was changed")
UNREADABLE = ("error", "an input cannot be read, nothing was changed")


def put(path: Path, content: Content) -> None:
    """Make what a case says stands there."""
    path.parent.mkdir(exist_ok=True)
    if content is Odd.DIRECTORY:
        path.mkdir()
    elif content is Odd.BROKEN_LINK:
        path.symlink_to("nowhere")
    elif content is Odd.LINK_LOOP:
        path.symlink_to(path.name)
    elif not isinstance(content, Odd):
        write_rested(path, content.encode() if isinstance(content, str) else content)


def prepare(sandbox: Sandbox, case: Wrong) -> dict[str, str]:
    """Make the files of a case and give its environment, which has a login unless the case says otherwise."""
    for name, content in case.files.items():
        put((sandbox.postfix_dir if name == "vhost" else sandbox.config_dir) / name, content)
    secrets = sandbox.config_dir.parent / "secrets"
    for name, content in case.secrets.items():
        put(secrets / name, content)
    env = {"RELAY_USER": "user", "RELAY_PASSWORD": SECRET, "LOG_LEVEL": "trace", **case.env}
    return {name: value.replace(SECRETS, str(secrets)) for name, value in env.items()}


def everything(root: Path) -> list[tuple[str, int, int, bytes]]:
    """Return each file and directory with mode, time of change and content."""
    found = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found.append((str(path), status.st_mode, status.st_mtime_ns, content))
    return found
