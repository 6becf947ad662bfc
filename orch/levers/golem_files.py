"""The two files of a Golem provider: read strictly, changed in a few values, everything unknown kept.

`hardware.json` has the profile that an agreement gets whole, `presets.json` what is on sale and at which price.
orch notes in the latter what it has taken off the market: the note outlives orch, and lies where it matters.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from orch.errors import LeverError
from orch.levers.asking import content, grain, write
from orch.model.resources import Resources
from orch.model.wire import FileWrite

if TYPE_CHECKING:
    from orch.levers.base import Task

GIB_GB = 1.073741824
LEAST_GIB = 0.1
"""An agent takes less for this much: it cannot say nothing."""
BACKUP = ".before-orch"
PAUSED = "active-before-orch"


class Profile(msgspec.Struct):
    """What one agreement gets."""

    cpu_threads: int
    mem_gib: float
    storage_gib: float

    @property
    def resources(self) -> Resources:
        """In units of the house."""
        return Resources(
            cpu_cores=float(self.cpu_threads),
            memory_gb=grain(self.mem_gib * GIB_GB),
            storage_gb=grain(self.storage_gib * GIB_GB),
        )

    @property
    def withdrawn(self) -> Resources:
        """While nothing is on sale: no core, and of the rest what is more than the least that can be said."""
        least = LEAST_GIB + 1e-9
        return Resources(
            cpu_cores=0.0,
            memory_gb=grain(self.mem_gib * GIB_GB) if self.mem_gib > least else 0.0,
            storage_gb=grain(self.storage_gib * GIB_GB) if self.storage_gib > least else 0.0,
        )

    def with_goal(self, goal: Resources) -> Profile:
        """The profile with the known amounts of a goal; no core at all cannot be said, and keeps the threads."""
        threads = round(goal.cpu_cores or 0.0) or self.cpu_threads
        memory = self.mem_gib if goal.memory_gb is None else max(goal.memory_gb / GIB_GB, LEAST_GIB)
        storage = self.storage_gib if goal.storage_gb is None else max(goal.storage_gb / GIB_GB, LEAST_GIB)
        return Profile(cpu_threads=threads, mem_gib=memory, storage_gib=storage)


class _Hardware(msgspec.Struct):
    active: str
    profiles: dict[str, Profile]


class Preset(msgspec.Struct, rename="kebab"):
    """One preset; prices are in GLM per second."""

    name: str
    pricing_model: str = "linear"
    usage_coeffs: dict[str, float] = {}


class Presets(msgspec.Struct):
    """What is on sale; `paused` is orch's own note of what was, before it was taken off the market."""

    active: tuple[str, ...] = ()
    presets: tuple[Preset, ...] = ()
    paused: tuple[str, ...] = msgspec.field(name=PAUSED, default=())


def place_of(directory: str, name: str) -> str:
    """A file of the agent's data directory."""
    return str(PurePosixPath(directory) / name)


def hardware_of(directory: str) -> Task[tuple[bytes, Profile]]:
    """`hardware.json` and its active profile. Raises LeverError when it is not the agent's."""
    path = place_of(directory, "hardware.json")
    body = yield from content(path)
    try:
        found = msgspec.json.decode(body, type=_Hardware)
    except msgspec.MsgspecError as error:
        raise LeverError(f"{path} is not what the agent writes: {error}") from error
    profile = found.profiles.get(found.active)
    if profile is None:
        raise LeverError(f"{path} has no profile {found.active}, which it calls the active one")
    return body, profile


def presets_of(directory: str) -> Task[tuple[bytes, Presets]]:
    """`presets.json`. Raises LeverError when it is not the agent's."""
    path = place_of(directory, "presets.json")
    body = yield from content(path)
    try:
        return body, msgspec.json.decode(body, type=Presets)
    except msgspec.MsgspecError as error:
        raise LeverError(f"{path} is not what the agent writes: {error}") from error


def write_profile(directory: str, before: bytes, wanted: Profile) -> Task[None]:
    """Replace three values of the active profile."""
    document: dict[str, Any] = msgspec.json.decode(before)
    document["profiles"][document["active"]] |= msgspec.to_builtins(wanted)
    path = place_of(directory, "hardware.json")
    yield from write(FileWrite(path=path, body=_dump(document), expected=before, backup_suffix=BACKUP))


def take_off_sale(directory: str) -> Task[None]:
    """Deactivate every preset, and note which they were; nothing happens when none is active."""
    before, found = yield from presets_of(directory)
    if not found.active:
        return
    document: dict[str, Any] = msgspec.json.decode(before)
    body = _dump({**document, "active": [], PAUSED: found.active})
    path = place_of(directory, "presets.json")
    yield from write(FileWrite(path=path, body=body, expected=before, backup_suffix=BACKUP))


def put_on_sale(directory: str) -> Task[bool]:
    """Activate the presets that were noted, and drop the note; whether there was one."""
    before, found = yield from presets_of(directory)
    if not found.paused:
        return False
    document: dict[str, Any] = msgspec.json.decode(before)
    del document[PAUSED]
    body = _dump({**document, "active": found.active or found.paused})
    yield from write(FileWrite(path=place_of(directory, "presets.json"), body=body, expected=before))
    return True


def write_coefficients(directory: str, before: bytes, changes: dict[str, dict[str, float]]) -> Task[None]:
    """Set coefficients of presets by the presets' names; everything else of the file stays."""
    document: dict[str, Any] = msgspec.json.decode(before)
    for preset in document["presets"]:
        preset["usage-coeffs"] |= changes.get(preset["name"], {})
    path = place_of(directory, "presets.json")
    yield from write(FileWrite(path=path, body=_dump(document), expected=before, backup_suffix=BACKUP))


def _dump(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2)
