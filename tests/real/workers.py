"""A process that wants a whole core, and how much of one it really gets."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from statistics import median

import psutil

HELD_MB = 64
BUSY = f"""
import sys
sys.stdin.readline()
held = bytearray(b"x") * ({HELD_MB} << 20)
print("busy", flush=True)
while True:
    pass
"""


@contextmanager
def busy_process(settle=lambda pid: None):
    """A program that holds some memory and never pauses, until the block ends.

    `settle` is called with its number before it takes any memory or time.
    """
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            settle(process.pid)
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"busy\n"
            yield process
        finally:
            process.kill()


def cores_of(pid, seconds=5):
    """The cores that a process got, as psutil measures it: the median of some seconds, one of which may be odd."""
    process = psutil.Process(pid)
    return median(process.cpu_percent(interval=1.0) for _ in range(seconds)) / 100
