"""The emulated storage node's config.yaml: read once at each start, as the genuine one reads its own."""

from __future__ import annotations

import re

DEFAULT_GB = 1000.0
"""Where the file says nothing, or nothing that can be understood (the node logs that and goes on)."""
UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
BINARY = {name: 1024.0**power for power, name in enumerate(UNITS)}
LINE = re.compile(rb"^storage\.allocated-disk-space[ \t]*:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
SIZE = re.compile(r"([0-9.]+)\s*([KMGTP]?)(i?)B?", re.IGNORECASE)

TEXT = """\
# how often the node looks at its disk
# storage2.monitor.interval: 1h0m0s

# how much disk space a node at minimum has to advertise
# storage2.monitor.minimum-disk-space: 500.00 GB

# address of the console
console.address: 127.0.0.1:14002

# total allocated disk space in bytes
storage.allocated-disk-space: {amount} GB

# how large the read and write buffer is
# filestore.write-buffer-size: 128.0 KiB
"""


def begin(allocated_gb: float) -> bytes:
    """The file of a node that was set up with so much space."""
    return TEXT.format(amount=_plain(allocated_gb)).encode()


def allocated_gb(body: bytes) -> float:
    """What a node that starts with this file would allocate; the last of several lines counts."""
    found = LINE.findall(body)
    text = found[-1].decode(errors="replace").strip().strip("\"'") if found else ""
    size = SIZE.fullmatch(text)
    if size is None:
        return DEFAULT_GB
    unit = (BINARY if size[3] else UNITS)[size[2].upper()]
    try:
        return float(size[1]) * unit / 1e9
    except ValueError:
        return DEFAULT_GB


def with_allocation(body: bytes, gb: float) -> bytes:
    """The file with another allocation, everything else as it is."""
    line = f"storage.allocated-disk-space: {_plain(gb)} GB".encode()
    if LINE.search(body) is None:
        return body + line + b"\n"
    return LINE.sub(line, body)


def _plain(gb: float) -> str:
    return f"{gb:.3f}".rstrip("0").rstrip(".")
