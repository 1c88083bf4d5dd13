"""The log of an instance, without postlogd(8).

The daemons log to our datagram socket (`postlog_service_name`), and a thread
appends what arrives to the log file. The reason: with
postlogd, a `postfix reload` under load can stop Postfix for good. A reload ends
postlogd; meanwhile the daemons fill the socket's queue
(`net.unix.max_dgram_qlen`, 10 by default); master(8) then has no room for its
own log line, and waits for a reader that only master could start. Seen with
Postfix 3.7.11, once in several hundred reloads at 300 messages a second: all
processes in `unix_wait_for_peer`, and `postfix stop` waits as well.

While Postfix is down, its programs append to the log file themselves.
"""

import socket
import threading
from pathlib import Path

from testbed.patience import PATIENCE

_LONGEST = 65536
"""Maximum bytes of a record."""
_SYNC = b"\0sync"
_END = b"\0end"


class LogSocket:
    """Receives log records and appends them to a file until it is closed."""

    def __init__(self, path: Path, log: Path) -> None:
        """Bind the socket at `path`, to which everybody may write."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._path = path
        self._log = log
        self._synced = threading.Event()
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        with self._log.open("ab", buffering=0) as log:
            while (record := self._socket.recv(_LONGEST)) != _END:
                if record == _SYNC:
                    self._synced.set()
                else:
                    log.write(record.rstrip(b"\0\n") + b"\n")

    def sync(self) -> None:
        """Wait until everything sent so far is in the file."""
        self._synced.clear()
        self._send(_SYNC)
        self._synced.wait(PATIENCE)

    def close(self) -> None:
        """Write what has arrived so far, and stop."""
        self._send(_END)
        self._thread.join(PATIENCE)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _send(self, record: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(record, str(self._path))
