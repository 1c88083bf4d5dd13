"""Forwards each connection to one address, in a container with a Service's name: ``python3 forward.py PORT ADDRESS``.

A network of podman gives a name to a container, not to a pod. Needs only the standard library.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

#: Maximum octets to forward at once.
CHUNK = 65_536


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward the data until it ends."""
    with contextlib.closing(writer), contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def serve(port: int, address: str) -> None:
    """Serve until killed."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            there = await asyncio.open_connection(address, port)
            await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    server = await asyncio.start_server(pass_on, "0.0.0.0", port)
    print("it listens", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
