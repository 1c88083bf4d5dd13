"""Clients that submit messages, as applications do: each tries again until a replica confirms that it has a message.

Each message has its own X-Id. A `Message` records its fate: which replica accepted it under which queue ID, and which
replicas' answers to its end were lost, so that they may have it as well. Runs asyncio; a client keeps a connection for a
few messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that a client waits for an answer, and pause before it tries again.
ANSWER, PAUSE = 20.0, 0.1
#: Messages for each connection.
KEPT = 5
_GREETING = re.compile(r"220 (\S+) ")
_QUEUED = re.compile(r"queued as (\S+)")


class RefusedError(Exception):
    """A replica sent another answer than expected; the client still has the message."""


@dataclass
class Message:
    """One message, and its fate."""

    identity: str
    #: Replica and queue ID, once a replica has confirmed the message.
    accepted: tuple[str, str] | None = None
    #: Replicas whose answer to the end of the message was lost.
    unanswered: list[str] = field(default_factory=list)
    #: How often it was refused, or no connection was possible, before its end.
    refused: int = 0


class Load:
    """A number of messages, from a number of clients at once."""

    def __init__(self, host: str, port: int, prefix: str, clients: int = 8, size: int = 500) -> None:
        """Set where to connect, the prefix of all X-Ids, and the octets of a message's text."""
        self.host, self.port, self.prefix, self.clients = host, port, prefix, clients
        self.text = ("x" * 70 + "\r\n") * (size // 72 + 1)
        self.messages: list[Message] = []
        #: Number of messages accepted so far.
        self.done = 0

    def run(self, total: int, interval: float = 0.0, is_over: Callable[[], bool] = lambda: True) -> list[Message]:
        """Submit messages, each client at most one every ``interval`` seconds: ``total``, and more until ``is_over``."""
        asyncio.run(self._run(total, interval, is_over))
        return self.messages

    async def _run(self, total: int, interval: float, is_over: Callable[[], bool]) -> None:
        messages = self._new_messages(total, is_over)
        await asyncio.gather(*(self._client(messages, interval) for _ in range(self.clients)))

    def _new_messages(self, total: int, is_over: Callable[[], bool]) -> Iterator[Message]:
        while len(self.messages) < total or not is_over():
            self.messages.append(Message(f"{self.prefix}-{len(self.messages)}"))
            yield self.messages[-1]

    async def _client(self, messages: Iterator[Message], interval: float) -> None:
        connection = None
        for message in messages:
            connection = await self._hand_in(message, connection)
            self.done += 1
            await asyncio.sleep(interval)
        if connection:
            await connection.quit()

    async def _hand_in(self, message: Message, connection: Connection | None) -> Connection | None:
        """Try until a replica has the message; return the connection if it can be reused."""
        deadline = time.monotonic() + PATIENCE
        while message.accepted is None:
            assert time.monotonic() < deadline, f"nobody took {message} within {PATIENCE} s"
            connection = await self._try(message, connection)
            if message.accepted is None:
                await asyncio.sleep(PAUSE)
        return connection

    async def _try(self, message: Message, connection: Connection | None) -> Connection | None:
        try:
            connection = connection or await Connection.open(self.host, self.port)
            await connection.begin(message.identity)
        except (OSError, TimeoutError, EOFError, RefusedError):
            message.refused += 1
            _drop(connection)
            return None
        try:
            queue_id = await connection.end(self.text, message.identity)
        except RefusedError:
            message.refused += 1
            _drop(connection)
            return None
        except (OSError, TimeoutError, EOFError):
            message.unanswered.append(connection.replica)
            _drop(connection)
            return None
        message.accepted = (connection.replica, queue_id)
        return await connection.kept()


def _drop(connection: Connection | None) -> None:
    if connection:
        connection.writer.close()


class Connection:
    """One connection with a replica."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wrap an open connection."""
        self.reader, self.writer = reader, writer
        self.replica = ""
        self.count = 0

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """Connect, and send EHLO."""
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), ANSWER)
        new = cls(reader, writer)
        try:
            greeting = await new._answer(220)
            match = _GREETING.match(greeting)
            new.replica = match[1] if match else ""
            await new.say("EHLO client.test", 250)
        except BaseException:
            writer.close()
            raise
        return new

    async def begin(self, identity: str) -> None:
        """Send everything up to the message itself."""
        await self.say(f"MAIL FROM:<{identity}@example.test>", 250)
        await self.say("RCPT TO:<someone@elsewhere.test>", 250)
        await self.say("DATA", 354)

    async def end(self, text: str, identity: str) -> str:
        """Send the message; return its queue ID."""
        head = f"From: <{identity}@example.test>\r\nTo: <someone@elsewhere.test>\r\nSubject: test\r\n"
        head += f"Message-Id: <{identity}@example.test>\r\nX-Id: {identity}"
        answer = await self.say(f"{head}\r\n\r\n{text}.", 250)
        match = _QUEUED.search(answer)
        return match[1] if match else ""

    async def kept(self) -> Connection | None:
        """Return this connection for another message, or ``None`` if it has sent enough."""
        self.count += 1
        if self.count < KEPT:
            return self
        await self.quit()
        return None

    async def quit(self) -> None:
        """Send QUIT."""
        with contextlib.suppress(OSError, TimeoutError, EOFError, RefusedError):
            await self.say("QUIT", 221)
        self.writer.close()

    async def say(self, text: str, expected: int) -> str:
        """Send a text and return the answer, which must be the expected one."""
        self.writer.write(f"{text}\r\n".encode())
        return await self._answer(expected)

    async def _answer(self, expected: int) -> str:
        lines = []
        while True:
            line = await asyncio.wait_for(self.reader.readline(), ANSWER)
            if not line.endswith(b"\n"):
                raise EOFError
            lines.append(line.decode("utf-8", "replace").rstrip())
            if lines[-1][3:4] != "-":
                break
        if not lines[-1].startswith(f"{expected}"):
            raise RefusedError(lines[-1])
        return lines[-1]
