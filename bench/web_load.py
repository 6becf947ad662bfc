"""Load on the HTTP interface: closed loops over kept connections, and readers of the live stream."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit


def closed_loop(url: str, path: str, connections: int, seconds: float) -> list[float]:
    """Ask again as soon as an answer is there, over so many connections; what each answer took, in seconds."""

    async def all_of_them() -> list[float]:
        until = time.monotonic() + seconds
        parts = await asyncio.gather(*(_ask_again(url, path, until) for _ in range(connections)))
        return [each for part in parts for each in part]

    return asyncio.run(all_of_them())


def streams(url: str, count: int, seconds: float) -> list[tuple[str, float]]:
    """Read the live board with so many readers: the id of every board and when a reader had it whole."""

    async def all_of_them() -> list[tuple[str, float]]:
        until = time.monotonic() + seconds
        parts = await asyncio.gather(*(_read_stream(url, until) for _ in range(count)))
        return [each for part in parts for each in part]

    return asyncio.run(all_of_them())


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    return reader, writer, parts.netloc


async def _ask_again(url: str, path: str, until: float) -> list[float]:
    reader, writer, host = await _connect(url)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    took = []
    try:
        while time.monotonic() < until:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1"))
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - began)
    finally:
        writer.close()
    return took


async def _read_stream(url: str, until: float) -> list[tuple[str, float]]:
    reader, writer, host = await _connect(url)
    writer.write(f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    found, name = [], ""
    reader._limit = 1 << 20  # type: ignore[attr-defined]  # noqa: SLF001 - a board is one line, and a long one
    try:
        while (left := until - time.monotonic()) > 0:
            try:
                line = await asyncio.wait_for(reader.readline(), left)
            except TimeoutError:
                break
            if line.startswith(b"id: "):
                name = line[4:].decode().strip()
            elif line.startswith(b"data: ") and name:
                found.append((name, time.monotonic()))
                name = ""
    finally:
        writer.close()
    return found
