"""The emulated nodes' own files, by their place below one directory, and that directory where there is a real one.

The storage node reads its config.yaml when it starts. The provider's agent watches its two files and takes an edit
up within seconds.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orch.errors import DataDirError

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World

CONFIG = "storagenode/config.yaml"
PROVIDER = "ya-provider"
FILES = (CONFIG, f"{PROVIDER}/hardware.json", f"{PROVIDER}/presets.json")
LARGEST_FILE = 65_536


def content(world: World, name: str) -> bytes | None:
    """What a file holds; None for one that no node has."""
    if name == CONFIG:
        return world.state.storj_config
    return world.state.provider.files[Path(name).name] if name in FILES else None


def put(world: World, name: str, body: bytes, now: datetime) -> None:
    """Write one of `FILES`."""
    if name == CONFIG:
        world.put_storj_config(body, now)
    else:
        world.put_file(Path(name).name, body, now)


class Folder:
    """The files in a real directory, for levers and people: both sides are told of what the other wrote.

    What lies there at the beginning is what the nodes start with, whatever the world remembers. Raises
    DataDirError when the directory cannot be used.
    """

    def __init__(self, place: Path, world: World) -> None:
        self._place = place
        self._world = world
        self._seen: dict[str, tuple[int, int, int] | None] = {}
        try:
            for name in FILES:
                path = place / name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._seen[name] = None if path.exists() else self._write(name)
        except OSError as fault:
            raise DataDirError(f"the emulated nodes' files cannot be kept in {place}: {fault.strerror}") from fault
        self.take_up(world.time)

    def take_up(self, now: datetime) -> None:
        """Tell the world of files that somebody else has written since the last look."""
        for name in FILES:
            signature = self._signature(name)
            if signature is None or signature == self._seen[name]:
                continue
            try:
                body = (self._place / name).read_bytes()[:LARGEST_FILE]
            except OSError:
                continue
            self._seen[name] = signature
            if body != content(self._world, name):
                put(self._world, name, body, now)

    def put_down(self) -> None:
        """Write what the world has changed by itself. Raises DataDirError when that is impossible."""
        for name in FILES:
            try:
                if (self._place / name).read_bytes() != content(self._world, name):
                    self._seen[name] = self._write(name)
            except OSError as fault:
                raise DataDirError(f"{self._place / name} cannot be written: {fault.strerror}") from fault

    def _write(self, name: str) -> tuple[int, int, int] | None:
        path = self._place / name
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(content(self._world, name) or b"")
        fresh.replace(path)
        return self._signature(name)

    def _signature(self, name: str) -> tuple[int, int, int] | None:
        try:
            found = os.stat(f"{self._place}/{name}")  # noqa: PTH116 - asked at every answer: this is three times as fast
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
