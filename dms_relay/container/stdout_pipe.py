"""Runs a program with a pipe as its standard output, and copies what comes out of it to the real one.

Postfix logs to ``/dev/stdout``, which it opens by name, again at each reload. A socket cannot be opened so (podman's log
driver ``passthrough`` under systemd hands one over), nor can, in a user namespace, a pipe that belongs to a user outside.
A pipe made here can. ``docker-entrypoint.sh`` calls this only where it must, with itself as the program::

    python -IS stdout_pipe.py PROGRAM ARGUMENT...

PROGRAM takes the place of this process, under the same process number; a child copies. PROGRAM finds the child's number in
``DMS_RELAY_STDOUT_PIPE``, and descriptor 9 comes to its end when the child has ended. The child ends when nobody can write
to the pipe any more and all is copied. It leaves the process group and takes no TERM, INT, HUP or QUIT, since what Postfix
says while it stops is to arrive as well.

Where standard output takes nothing more, because its reader is gone, a line on standard error says so, once; the rest is
read and dropped, so that Postfix runs on. Needs nothing but built-in modules: it stays in memory as long as the container
runs.
"""

from __future__ import annotations

import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: Where PROGRAM finds the child's process number.
VARIABLE = "DMS_RELAY_STDOUT_PIPE"
#: The descriptor by which PROGRAM sees the child's end: the highest that dash takes in a redirection.
END = 9
#: Bytes that are read at once: what a pipe holds by default (pipe(7)).
SIZE = 65_536
STDOUT = 1
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def run(program: str, arguments: list[str]) -> NoReturn:
    """Start the child that copies, and become the program. Raises ``OSError``."""
    source, writing = os.pipe()
    end, child_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.close(end)
        _be_copier(source)
    os.dup2(writing, STDOUT)
    os.dup2(end, END)
    # Also where the pipe had this number from the beginning.
    os.set_inheritable(END, True)
    for descriptor in {source, writing, end, child_end} - {STDOUT, END}:
        os.close(descriptor)
    # Python has these ignored, and what is ignored stays so in the program: a hook's `tail -f | grep -q` would never end.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(program, [program, *arguments], {**os.environ, VARIABLE: str(child)})  # noqa: S606 -- ours


def _be_copier(source: int) -> NoReturn:
    os.setsid()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    copy(source, STDOUT)
    os._exit(os.EX_OK)


def copy(source: int, sink: int) -> None:
    """Copy until nobody can write to ``source`` any more. Where ``sink`` fails, say so and drop the rest."""
    while data := os.read(source, SIZE):
        try:
            _write(sink, data)
        except OSError as error:
            text = f"standard output takes nothing more ({error.strerror}), so Postfix's log is lost from here on"
            sys.stderr.write(f"docker-entrypoint: error: {text}\n")
            break
    while os.read(source, SIZE):
        pass


def _write(sink: int, data: bytes) -> None:
    """Write all, also to what somebody has made non-blocking."""
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:
            select.select([], [sink], [])


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
