"""Emulated worlds that have been built once for each seed and start, copied for each test."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from orch.emulator.world import World, WorldState


@lru_cache(maxsize=8)
def _built(seed, start):
    return msgspec.json.encode(World(seed, start).state)


def world_of(seed, start):
    """A world of its own, as if it had just been built."""
    return World(seed, start, state=msgspec.json.decode(_built(seed, start), type=WorldState))


def copy_of(world):
    """A world that stands where another stands, and goes its own way from there."""
    state = msgspec.json.decode(msgspec.json.encode(world.state), type=WorldState)
    return World(world.seed, world.start, state=state)
