"""Interactive shells, each on a terminal of its own, that are typed at: what the line is after TAB, and what TAB shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TAB = "\t"
#: A key that writes the line between two marks, and empties it.
_REPORT = "\x18\x10"
_BEGIN, _END = "\x01", "\x02"
_PROMPT = "> "
#: Seconds until a shell that says nothing more counts as hung; it answers in a fraction of one.
_PATIENCE = 60
#: Rows and columns: wide enough that no line of the tests is broken.
_SIZE = (50, 500)
_BASH = """\
bind 'set enable-bracketed-paste off'
bind 'set show-all-if-ambiguous on'
bind 'set bell-style none'
_report() { printf '\\001%s\\002' "$READLINE_LINE"; READLINE_LINE='' READLINE_POINT=0; }
bind -x '"\\C-x\\C-p": _report'
"""
_ZSH = """\
setopt no_beep
unset zle_bracketed_paste
_report() { printf '\\001%s\\002' "$BUFFER"; BUFFER=''; }
zle -N _report
bindkey '^X^P' _report
autoload -Uz compinit
compinit -u -D
"""
#: How a shell is started, without a file of the user's or the machine's, and what it is told first.
_START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], _BASH),
    "zsh": (["zsh", "-f", "-i"], _ZSH),
}
#: What is to be completed; two keys would do harm where a shell expands them.
RELAYMAP = """\
@example.com    [smtp.relay-one.net]:587
boss@acme.org   [smtp.relay-two.net]:587
<>              [smtp.relay-one.net]:587
@direct.org
"""
LOGINS = """\
@example.com             user:secret
[smtp.example.com]:587   user:secret
[smtp.example.com]:2525  user:secret
[other.example.com]:25   user:secret
$(touch${IFS}broken)@evil.com  user:secret
`touch${IFS}broken`@evil.com  user:secret
"""


def furnished(home: Path) -> Path:
    """Put a file into a home, and a configuration directory that has a blank in its name."""
    (home / "a-file").touch()
    config = home / "my config"
    config.mkdir()
    (config / "postfix-relaymap.cf").write_text(RELAYMAP, "ascii")
    (config / "postfix-sasl-password.cf").write_text(LOGINS, "ascii")
    return home


def require_program(name: str) -> None:
    """Skip where a program is missing; fail instead with REQUIRE_SHELL_TESTS=1."""
    if shutil.which(name):
        return
    reason = f"{name} is not installed"
    if os.environ.get("REQUIRE_SHELL_TESTS") == "1":
        pytest.fail(f"REQUIRE_SHELL_TESTS=1, but {reason}", pytrace=False)
    pytest.skip(reason)


class Shell:
    """A shell that waits for what is typed."""

    def __init__(self, terminal: int) -> None:
        """Take the terminal of a shell that has been started."""
        self._terminal = terminal
        self._unread = ""

    def line_after(self, keys: str) -> str:
        """Type, and give the line that then stands there."""
        self._type(f"{keys}{_REPORT}")
        self._read_until(_BEGIN)
        return self._read_until(_END)

    def shown_after(self, keys: str) -> list[str]:
        """Type, and give the words that then stand below what was typed."""
        self._type(f"{keys}{_REPORT}")
        shown = self._read_until(_BEGIN)
        self._read_until(_END)
        return shown.partition("\n")[2].split()

    def run(self, command: str) -> None:
        """Have a command run, and wait for the next prompt: what is typed before it does not reach the line editor."""
        self._type(f"{command}; printf '\\002'\n")
        self._read_until(_END)
        self._read_until(_PROMPT)

    def _type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _read_until(self, end: str) -> str:
        """Return what the shell writes before ``end``."""
        deadline = time.monotonic() + _PATIENCE
        while end not in self._unread:
            ready, _, _ = select.select([self._terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no answer in {_PATIENCE} s, but {self._unread!r}"
            self._unread += os.read(self._terminal, 65536).decode(errors="replace")
        found, _, self._unread = self._unread.partition(end)
        return found


@contextmanager
def shell(name: str, home: Path) -> Iterator[Shell]:
    """Start bash or zsh in a directory that is its home too, with our ``dms-relay`` first in its path."""
    require_program(name)
    command, settings = _START[name]
    start = home / f".start.{name}"
    start.write_text(settings, "ascii")
    terminal, end_of_shell = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
    # setsid makes the terminal the shell's own, so that closing it ends the shell.
    with subprocess.Popen(
        ["setsid", "--ctty", *command],
        stdin=end_of_shell,
        stdout=end_of_shell,
        stderr=end_of_shell,
        cwd=home,
        env=_environment(home),
    ):
        os.close(end_of_shell)
        try:
            one = Shell(terminal)
            one.run(f". {start}")
            yield one
        finally:
            os.close(terminal)


def _environment(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        "PATH": path,
        "HOME": str(home),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "PS1": _PROMPT,
        "INPUTRC": "/dev/null",
    }
