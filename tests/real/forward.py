"""Passes connections on from a listening socket that is handed over to a port of the own loopback.

Started inside a network namespace with a socket of another one: `forward.py FD PORT`. A socket stays in the
namespace it was made in, so this is a door between the two without any route.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the source ends."""
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    with contextlib.suppress(OSError, ConnectionError):
        sink.close()


async def main(descriptor: int, port: int) -> None:
    """Serve until the process is ended."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    server = await asyncio.start_server(connected, sock=socket.socket(fileno=descriptor))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
