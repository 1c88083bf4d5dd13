"""The cost of ``dms-relay queue`` with a long queue: ``python -m bench.queue [MESSAGES…]``. CPU time and memory.

The queue is real: a private Postfix defers one message, and its files are copied as often as needed, each with its own
recipient and one of 1,000 senders. Then Postfix is stopped, so that nothing moves. Each routing has 1,000 domains
with routes to four relays. Compared with ``postqueue -j`` alone, which reads the same files. Needs root.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from testbed import Inputs, Postfix
from testbed.inputs import RELAYMAP

USAGE = Path(__file__).with_name("usage.py")
#: Messages in the queue, unless the command line names others.
MESSAGES = (10_000, 100_000)
SENDERS = 1000
RUNS = 3
#: Texts of the copied message, which have the same number of digits in every copy.
SENDER, RECIPIENT = "u@d{:04}.test", "r{:06}@x{:04}.test"
DOMAINS = 3000
RELAYS = 4
PATIENCE = 30.0


def main() -> None:
    """Measure and print."""
    counts = [int(text) for text in sys.argv[1:]] or MESSAGES
    for routing in ("maps", "transports"):
        with tempfile.TemporaryDirectory() as directory, Postfix() as postfix:
            inputs = Inputs(Path(directory) / "config", RELAY_ROUTING=routing)
            routes = (f"@d{at:04}.test [127.0.0.1]:{9 + at % RELAYS}\n" for at in range(SENDERS))
            inputs.write(RELAYMAP, "".join(routes))
            inputs.apply(postfix)
            copier = Copier(postfix)
            for count in counts:
                copier.fill(count)
                _print(routing, count, postfix, inputs)


def _print(routing: str, count: int, postfix: Postfix, inputs: Inputs) -> None:
    config, environ = str(postfix.config), {"PATH": os.environ["PATH"], **inputs.settings}
    listed = _median(["/usr/sbin/postqueue", "-c", config, "-j"], environ)
    places = ["--config-dir", str(inputs.directory), "--postfix-dir", config]
    shown = _median([sys.executable, "-m", "dms_relay", *places, "queue"], environ)
    each = shown["cpu"] / count * 1e6
    print(
        f"{routing:10} {count:7,} messages: {shown['cpu']:6.2f} s CPU, {each:5.0f} µs each,"
        f" {shown['cpu'] / listed['cpu']:5.2f} x postqueue -j alone, {shown['mib']:4.0f} MiB",
        flush=True,
    )


def _median(command: list[str], environ: dict[str, str]) -> dict[str, float]:
    """Return the CPU seconds, including programs that it starts, and the peak memory in MiB."""
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-IS", str(USAGE), *command],
                env=environ,
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ).stdout
        )
        for _ in range(RUNS)
    ]
    assert all(run["code"] == 0 for run in runs)
    return {name: statistics.median(run[name] for run in runs) for name in ("cpu", "mib")}


class Copier:
    """Fills a queue with copies of one message."""

    def __init__(self, postfix: Postfix) -> None:
        """Make Postfix defer one message, and stop it."""
        self.sender, self.recipient = SENDER.format(0), RECIPIENT.format(0, 0)
        postfix.send(self.sender, [self.recipient], "0")
        self.queue = postfix.layout.queue
        deadline = time.monotonic() + PATIENCE
        while not (found := list(self.queue.glob("deferred/*/*"))):
            if time.monotonic() > deadline:
                raise TimeoutError("the message is not deferred")
            time.sleep(0.1)
        postfix.stop()
        self.status = found[0].stat()
        self.message = found[0].read_bytes()
        self.reason = next(self.queue.glob(f"defer/*/{found[0].name}")).read_bytes()
        self.count = 0

    def fill(self, count: int) -> None:
        """Add copies until there are ``count``."""
        for at in range(self.count, count):
            name = f"{at:05X}ABCDEF"[::-1]
            self._write("deferred", name, self.message, at, 0o700)
            self._write("defer", name, self.reason, at, 0o600)
        if not self.count:
            for path in (*self.queue.glob("deferred/*/*"), *self.queue.glob("defer/*/*")):
                if "FEDCBA" not in path.name:
                    path.unlink()
        self.count = max(count, self.count)

    def _write(self, queue: str, name: str, content: bytes, at: int, mode: int) -> None:
        sender, recipient = SENDER.format(at % SENDERS), RECIPIENT.format(at, at % DOMAINS)
        content = content.replace(self.sender.encode(), sender.encode())
        path = self.queue / queue / name[0] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.replace(self.recipient.encode(), recipient.encode()))
        path.chmod(mode)
        os.chown(path, self.status.st_uid, self.status.st_gid)


if __name__ == "__main__":
    main()
