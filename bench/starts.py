"""Starts Postfix repeatedly, and prints the seconds to its greeting and to the first relayed message, as JSON.

Also prints the CPU seconds of all processes until that message, which depend less on what else runs.

    python3 starts.py ENTRYPOINT CERTIFICATE ROUNDS

Runs as process 1 of a container, of the image or of ``room.py``, with Postfix and dms_relay in their places; needs only the
standard library. Each round measures in turn: the entrypoint on the image's own files (``first``), after an orderly stop
(``restart``), after all processes were killed (``kill``), and ``postfix start-fg`` alone on the files that it has written
(``plain``). The relay runs here too: it requires TLS, with CERTIFICATE (certificates and key), and a login.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

RELAY = ("127.0.0.1", 2525)
PORT = 25
#: Seconds until a start counts as failed, and seconds between two tries to connect.
PATIENCE = 30.0
INTERVAL = 0.002
PLACES = ("/etc/postfix", "/var/spool/postfix", "/var/lib/postfix")
KEPT = Path("/tmp/as-in-the-image")  # noqa: S108 -- in a container
LOG = Path("/tmp/start.log")  # noqa: S108
SETTINGS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "POSTFIX_MYHOSTNAME": "mail.example.test",
    "DEFAULT_RELAY_HOST": f"[{RELAY[0]}]:{RELAY[1]}",
    "RELAY_USER": "user",
    "RELAY_PASSWORD": "password",
}
REPLIES = {
    b"STAR": b"220 go on",
    b"AUTH": b"235 fine",
    b"DATA": b"354 go on",
    b"QUIT": b"221 bye",
}


class Relay(threading.Thread):
    """A relay that says when it has received a message."""

    def __init__(self, certificate: str) -> None:
        """Listen."""
        super().__init__(daemon=True)
        self.received = threading.Event()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.listener = socket.create_server(RELAY)

    def run(self) -> None:
        """Serve clients one at a time."""
        while True:
            with contextlib.suppress(OSError):
                self.serve(self.listener.accept()[0])

    def serve(self, connection: socket.socket) -> None:
        """Serve one client."""
        connection.sendall(b"220 relay.test ESMTP\r\n")
        stream = connection.makefile("rb")
        while line := stream.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                more = b"AUTH PLAIN LOGIN" if isinstance(connection, ssl.SSLSocket) else b"STARTTLS"
                connection.sendall(b"250-relay.test\r\n250 " + more + b"\r\n")
                continue
            connection.sendall(REPLIES.get(verb, b"250 fine") + b"\r\n")
            if verb == b"STAR":
                connection = self.context.wrap_socket(connection, server_side=True)
                stream = connection.makefile("rb")
            elif verb == b"DATA":
                while stream.readline() != b".\r\n":
                    pass
                self.received.set()
                connection.sendall(b"250 received\r\n")


def send() -> float:
    """Submit a message as soon as Postfix greets, and return the time of the greeting."""
    deadline = time.perf_counter() + PATIENCE
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE)
            break
        except OSError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(INTERVAL)
    with client, client.makefile("rb") as stream:
        replies = stream.readline()
        greeted = time.perf_counter()
        for word in (
            "HELO client.test",
            "MAIL FROM:<a@example.test>",
            "RCPT TO:<b@world.test>",
            "DATA",
            "Subject: x\r\n\r\nx\r\n.",
        ):
            client.sendall(f"{word}\r\n".encode())
            replies += stream.readline()
    if not replies.endswith(
        tuple(f"{line}\r\n".encode() for line in replies.decode().splitlines() if line[:3] == "250")
    ):
        raise RuntimeError(replies.decode())
    return greeted


def start(command: list[str], relay: Relay) -> tuple[subprocess.Popen[bytes], dict[str, float]]:
    """Start Postfix, and return the process and the seconds."""
    relay.received.clear()
    used = processor()
    with LOG.open("wb") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=SETTINGS, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            greeted = send()
            if not relay.received.wait(PATIENCE):
                raise TimeoutError("the message does not arrive")
        except (OSError, RuntimeError):
            sys.stderr.write(LOG.read_text())
            raise
        message = time.perf_counter()
        return process, {"greeting": greeted - begin, "message": message - begin, "processor": processor() - used}


def processor() -> float:
    """Return the CPU seconds of all processes but this one, including those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = ended.ru_utime + ended.ru_stime
    for path in Path("/proc").glob("[0-9]*"):
        if path.name != "1":
            with contextlib.suppress(OSError):
                seconds += int((path / "schedstat").read_text().split()[0]) / 1e9
                waited_for = (path / "stat").read_text().rpartition(")")[2].split()[13:15]
                seconds += sum(map(int, waited_for)) / os.sysconf("SC_CLK_TCK")
    return seconds


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop Postfix in order, and wait until nothing runs."""
    if process.args == ["postfix", "start-fg"]:
        subprocess.run(["postfix", "stop"], env=SETTINGS, capture_output=True, check=False)
    else:
        process.send_signal(signal.SIGTERM)
    process.wait()
    reap()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill everything but this process, which is the first one."""
    os.kill(-1, signal.SIGKILL)
    process.wait()
    reap()


def reap() -> None:
    """Wait for all orphaned processes."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def as_in_the_image() -> None:
    """Restore the original files."""
    for place in map(Path, PLACES):
        for path in place.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        subprocess.run(["cp", "-a", f"{KEPT}{place}/.", str(place)], check=True)


def main(entrypoint: str, certificate: str, rounds: int) -> None:
    """Measure and print."""
    for place in PLACES:
        Path(f"{KEPT}{place}").mkdir(parents=True)
        subprocess.run(["cp", "-a", f"{place}/.", f"{KEPT}{place}"], check=True)
    relay = Relay(certificate)
    relay.start()
    found: dict[str, list[dict[str, float]]] = {"first": [], "restart": [], "kill": [], "plain": []}
    for _ in range(rounds):
        as_in_the_image()
        for kind, end in {"first": stop, "restart": kill, "kill": stop, "plain": stop}.items():
            command = ["postfix", "start-fg"] if kind == "plain" else [entrypoint]
            process, seconds = start(command, relay)
            found[kind].append(seconds)
            end(process)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    os._exit(0)
