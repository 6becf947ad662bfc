"""The lever of a Golem provider: `hardware.json`, which its agent watches, read back from its published offers.

The agent takes an edit up within seconds, withdraws its offers and publishes new ones; a running agreement keeps
its size. When the new offers cannot be made it is left with none and says nothing: its presets are then taken back
and given again, which makes it try anew.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from orch.errors import LeverError
from orch.levers.asking import content, grain, pause, write
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.resources import Resources
from orch.model.wire import FileWrite, HttpRequest, NoReply, Reply, Secret

if TYPE_CHECKING:
    from orch.model.resources import ResourceName

GIB_GB = 1.073741824
BACKUP = ".before-orch"
LOOK_EVERY_S = 3.0
TAKEN_UP_S = 30.0
"""The agent looks at its files every few seconds; later than this it has failed."""
TOGGLE_S = 10.0
NEAR = 0.01
PAUSED = "active-before-orch"
THREADS, MEMORY, STORAGE = "golem.inf.cpu.threads", "golem.inf.mem.gib", "golem.inf.storage.gib"


class GolemProviderOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent's data directory, and the daemon's address and key, to see what is published."""

    path: str
    app_key: Secret | None = None
    url: str = "http://127.0.0.1:7465"
    dwell_s: Annotated[float, msgspec.Meta(ge=0.0)] = 3600.0


class _Profile(msgspec.Struct):
    cpu_threads: int
    mem_gib: float
    storage_gib: float


class _Hardware(msgspec.Struct):
    active: str
    profiles: dict[str, _Profile]


class _Presets(msgspec.Struct):
    """`paused` is orch's own note of what was active before it took the presets back."""

    active: tuple[str, ...] = ()
    paused: tuple[str, ...] = msgspec.field(name=PAUSED, default=())


class _Offer(msgspec.Struct):
    properties: dict[str, Any]


class GolemProviderLever:
    """Sets the threads, the memory and the storage that an agreement gets."""

    kind = "golem_provider"
    options = GolemProviderOptions

    def sets(self, protocol: str, options: GolemProviderOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """Cores (whole threads), memory and storage."""
        return ("cpu_cores", "memory_gb", "storage_gb")

    def cost(self, protocol: str, options: GolemProviderOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """New offers take minutes to reach the network."""
        return CostPrior(downtime_s=60.0, settle_s=5.0, deadline_s=180.0, dwell_s=options.dwell_s)

    def read(self, options: GolemProviderOptions) -> Task[LeverReading]:
        """What is offered; the file's word while nothing is (an agreement runs, or no preset is active).

        Raises:
            LeverError: The files cannot be read or are not the agent's.
        """
        profile = (yield from _hardware(options))[1]
        offers = yield from _offers(options)
        return LeverReading(allocation=_offered(offers[0]) if offers else _of(profile))

    def apply(self, options: GolemProviderOptions, goal: Resources) -> Task[None]:
        """Edit the active profile and wait until it is offered.

        Raises:
            LeverError: Not whole threads, not the agent's files, or the agent was left without an offer.
        """
        threads = goal.cpu_cores
        if threads is not None and (abs(threads - round(threads)) > NEAR or round(threads) < 1):
            raise LeverError(f"a provider has at least one whole thread, not {threads:g}: deactivate its presets")
        before, profile = yield from _hardware(options)
        wanted = _Profile(
            cpu_threads=profile.cpu_threads if threads is None else round(threads),
            mem_gib=profile.mem_gib if goal.memory_gb is None else goal.memory_gb / GIB_GB,
            storage_gib=profile.storage_gib if goal.storage_gb is None else goal.storage_gb / GIB_GB,
        )
        yield from _restore_presets(options)
        had_offers = bool((yield from _offers(options)))
        path = _file(options, "hardware.json")
        after = _with_profile(before, wanted)
        yield from write(FileWrite(path=path, body=after, expected=before, backup_suffix=BACKUP))
        if not had_offers or (yield from _taken_up(options, wanted)):
            return
        yield from _toggle_presets(options)
        if not (yield from _taken_up(options, wanted)):
            raise LeverError("the agent publishes no offer of this size: see its log, and restart it if need be")

    def describe(self, options: GolemProviderOptions, goal: Resources) -> str:
        """The command that does the same."""
        parts = []
        if goal.cpu_cores is not None:
            parts.append(f"--cpu-threads {goal.cpu_cores:g}")
        if goal.memory_gb is not None:
            parts.append(f"--mem-gib {goal.memory_gb / GIB_GB:.4f}")
        if goal.storage_gb is not None:
            parts.append(f"--storage-gib {goal.storage_gb / GIB_GB:.4f}")
        return f"ya-provider profile update --name <the active one in {options.path}> {' '.join(parts)}"


def _file(options: GolemProviderOptions, name: str) -> str:
    return str(PurePosixPath(options.path) / name)


def _hardware(options: GolemProviderOptions) -> Task[tuple[bytes, _Profile]]:
    path = _file(options, "hardware.json")
    body = yield from content(path)
    try:
        found = msgspec.json.decode(body, type=_Hardware)
    except msgspec.MsgspecError as error:
        raise LeverError(f"{path} is not what the agent writes: {error}") from error
    profile = found.profiles.get(found.active)
    if profile is None:
        raise LeverError(f"{path} has no profile {found.active}, which it calls the active one")
    return body, profile


def _with_profile(before: bytes, wanted: _Profile) -> bytes:
    """The file with three values of its active profile replaced; what orch does not know stays."""
    document: dict[str, Any] = msgspec.json.decode(before)
    document["profiles"][document["active"]] |= {
        "cpu_threads": wanted.cpu_threads,
        "mem_gib": wanted.mem_gib,
        "storage_gib": wanted.storage_gib,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _offers(options: GolemProviderOptions) -> Task[tuple[_Offer, ...]]:
    if options.app_key is None:
        raise LeverError("without the daemon's app_key nobody sees what is offered: configure it")
    headers = (("Authorization", Secret(value=f"Bearer {options.app_key.value}")),)
    answer: Reply | NoReply = yield HttpRequest(
        url=f"{options.url.rstrip('/')}/market-api/v1/offers", secret_headers=headers, deadline_s=10.0
    )
    if isinstance(answer, NoReply):
        raise LeverError(f"the daemon does not say what is offered: {answer.sentence}")
    try:
        return msgspec.json.decode(answer.body, type=tuple[_Offer, ...])
    except msgspec.MsgspecError as error:
        raise LeverError(f"the daemon does not say what is offered: {error}") from error


def _offered(offer: _Offer) -> Resources:
    amounts = [offer.properties.get(name) for name in (THREADS, MEMORY, STORAGE)]
    if not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in amounts):
        raise LeverError("an offer does not say how much it offers")
    threads, memory_gib, storage_gib = (float(each) for each in amounts if each is not None)
    return Resources(
        cpu_cores=threads, memory_gb=grain(memory_gib * GIB_GB), storage_gb=grain(storage_gib * GIB_GB)
    )


def _of(profile: _Profile) -> Resources:
    return Resources(
        cpu_cores=float(profile.cpu_threads),
        memory_gb=grain(profile.mem_gib * GIB_GB),
        storage_gb=grain(profile.storage_gib * GIB_GB),
    )


def _taken_up(options: GolemProviderOptions, wanted: _Profile) -> Task[bool]:
    """Whether every offer has the wanted size, within the time the agent needs to see an edit."""
    goal = _of(wanted)
    for _ in range(round(TAKEN_UP_S / LOOK_EVERY_S)):
        yield from pause(LOOK_EVERY_S)
        offers = yield from _offers(options)
        if offers and all(_about(_offered(offer), goal) for offer in offers):
            return True
    return False


def _about(found: Resources, wanted: Resources) -> bool:
    return all(abs(found.or_zero(name) - amount) <= NEAR * max(1.0, amount) for name, amount in wanted.known())


def _toggle_presets(options: GolemProviderOptions) -> Task[None]:
    """Take the presets back and give them again; if nobody comes back to that, the next change does."""
    path = _file(options, "presets.json")
    before, found = yield from _presets(path)
    if not found.active:
        return
    document: dict[str, Any] = msgspec.json.decode(before)
    paused = msgspec.json.format(msgspec.json.encode({**document, "active": [], PAUSED: found.active}), indent=2)
    yield from write(FileWrite(path=path, body=paused, expected=before, backup_suffix=BACKUP))
    yield from pause(TOGGLE_S)
    yield from write(FileWrite(path=path, body=before, expected=paused))


def _restore_presets(options: GolemProviderOptions) -> Task[None]:
    """Give back what a change that was cut short had taken."""
    path = _file(options, "presets.json")
    before, found = yield from _presets(path)
    if not found.paused:
        return
    document: dict[str, Any] = msgspec.json.decode(before)
    del document[PAUSED]
    body = msgspec.json.format(msgspec.json.encode({**document, "active": found.paused}), indent=2)
    yield from write(FileWrite(path=path, body=body, expected=before))


def _presets(path: str) -> Task[tuple[bytes, _Presets]]:
    body = yield from content(path)
    try:
        return body, msgspec.json.decode(body, type=_Presets)
    except msgspec.MsgspecError as error:
        raise LeverError(f"{path} is not what the agent writes: {error}") from error


LEVER: LeverSpec = GolemProviderLever()
