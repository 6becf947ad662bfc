"""Ports for programs that cannot be told to take any."""

from __future__ import annotations

import random
import socket

BELOW_EPHEMERAL = range(20_000, 32_000)
"""The system gives none of these to a connection that goes out: nobody takes one before its program does."""

_given: set[int] = set()


def free_port() -> int:
    """A port of loopback that nobody has now, another one each time."""
    for _ in range(1000):
        port = random.SystemRandom().choice(BELOW_EPHEMERAL)
        if port in _given:
            continue
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        _given.add(port)
        return port
    raise AssertionError("no port is free")
