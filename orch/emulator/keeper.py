"""The books of a world that outlives orch: one compact file, written whole before a lever is acknowledged.

Only what the seed does not say is kept, so that a restart is as quick after weeks as after a minute: the time in
between is worked out anew, and comes out the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orch.emulator.facts import MINUTE
from orch.emulator.world import World, WorldState, when
from orch.errors import DataDirError

if TYPE_CHECKING:
    from datetime import datetime

FILE = "world.json"
VERSION = 1


class _Books(msgspec.Struct):
    """What the file holds."""

    version: int
    state: WorldState


def load_or_create(directory: Path | str, seed: int | None, now: datetime) -> World:
    """The world kept in a directory, gone on to `now`; a new one of this seed that starts now when there is none.

    `seed=None` takes whichever is kept (1 for a new one). A `now` before the kept time leaves the world at its
    own; ask `world.time`. Every change by a lever is saved before it is acknowledged. Raises DataDirError when
    the file cannot be used, or is of another seed.
    """
    place = Path(directory)
    books = _read(place / FILE)
    if books is None:
        world = World(1 if seed is None else seed, now)
    else:
        state = books.state
        if seed is not None and seed != state.seed:
            raise DataDirError(
                f"the world kept in {place} has seed {state.seed}, not {seed}: use another directory"
            )
        world = World(state.seed, when(state.start_minute * MINUTE), state=state)
        world.advance(now)
    save(place, world)
    world.on_change = lambda changed: save(place, changed)
    return world


def save(directory: Path | str, world: World) -> None:
    """Write the world atomically and durably. Raises DataDirError when it cannot be written."""
    place = Path(directory)
    body = msgspec.json.encode(_Books(version=VERSION, state=world.state))
    fresh = place / f"{FILE}.new"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place / FILE)
        _sync_directory(place)
    except OSError as fault:
        raise DataDirError(f"the emulated world cannot be kept in {place}: {fault.strerror}") from fault


def _sync_directory(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> _Books | None:
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise DataDirError(f"{path} cannot be read: {fault.strerror}") from fault
    try:
        books = msgspec.json.decode(body, type=_Books)
    except msgspec.MsgspecError as fault:
        raise DataDirError(f"{path} is not a kept world ({fault}); move it away to start a new one") from fault
    if books.version != VERSION:
        raise DataDirError(f"{path} was written by another version of orch ({books.version}, this is {VERSION})")
    return books
