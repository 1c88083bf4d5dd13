"""A fast SMTP client: keeps several connections open.

A client that connects during a reload can get an smtpd(8) from before the reload, which master(8) still counts as one that
waits for clients: it starts no other one until that session ends (seen, 3.7 under load). So a client that is not greeted
soon closes its idle sessions, and tries again.
"""

import smtplib
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Self

from testbed.patience import PATIENCE

NULL_SENDER = "<>"
_PARALLEL = 4
"""Maximum connections; more are no faster on two cores."""
_OK = 250
_GREETED = 5.0
"""Seconds in which a server greets unless it is busy."""


class Mailer:
    """Sends messages to one SMTP server; may be used by several threads."""

    def __init__(self, host: str, port: int) -> None:
        """Send to `host`:`port`; connects only when there is something to send."""
        self._host = host
        self._port = port
        self._idle: SimpleQueue[smtplib.SMTP] = SimpleQueue()

    def send(self, sender: str, recipients: list[str], message_id: str, n: int = 1) -> list[str]:
        """Send `n` messages and return their ids.

        One message has the id `message_id`; several have `message_id-1` and so
        on. The sender `<>` is the null sender. Raises smtplib.SMTPException or
        OSError if the server refuses.
        """
        ids = [message_id] if n == 1 else [f"{message_id}-{i}" for i in range(1, n + 1)]
        if n == 1:
            self._send_all(sender, recipients, ids)
            return ids
        with ThreadPoolExecutor(_PARALLEL) as pool:
            parts = [ids[first::_PARALLEL] for first in range(_PARALLEL)]
            list(pool.map(lambda part: self._send_all(sender, recipients, part), parts))
        return ids

    def _send_all(self, sender: str, recipients: list[str], ids: list[str]) -> None:
        client = self._connection()
        try:
            for message_id in ids:
                client.sendmail(_address(sender), recipients, _message(sender, message_id))
        except BaseException:
            client.close()
            raise
        self._idle.put(client)

    def _connection(self) -> smtplib.SMTP:
        while client := self._take():
            with suppress(smtplib.SMTPException, OSError):
                if client.noop()[0] == _OK:
                    return client
            client.close()
        return self._greeted()

    def _greeted(self) -> smtplib.SMTP:
        """Return a new connection. Nothing was sent on those given up."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                client = smtplib.SMTP(self._host, self._port, timeout=_GREETED)
            except (TimeoutError, smtplib.SMTPServerDisconnected):
                if time.monotonic() > deadline:
                    raise
                self.close()
                continue
            assert client.sock is not None
            client.sock.settimeout(PATIENCE)
            return client

    def _take(self) -> smtplib.SMTP | None:
        try:
            return self._idle.get_nowait()
        except Empty:
            return None

    def close(self) -> None:
        """Close every idle connection."""
        while client := self._take():
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
            client.close()

    def __enter__(self) -> Self:
        """Nothing to do yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def _address(sender: str) -> str:
    return "" if sender == NULL_SENDER else sender


def _message(sender: str, message_id: str) -> bytes:
    origin = _address(sender) or "MAILER-DAEMON"
    return (
        f"From: {origin}\r\nTo: undisclosed-recipients:;\r\nSubject: {message_id}\r\n"
        f"X-Id: {message_id}\r\n\r\nA message of the testbed.\r\n"
    ).encode()
