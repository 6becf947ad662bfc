"""One seeded economic world: four nodes on one host, with demand, prices and failures that do not wait.

The state at a time depends only on seed, start and the history of the levers, never on how often it was asked
for. Time moves in whole minutes; demand, prices and failures are the same whatever the split is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from orch.emulator import dials, golem, grass, provider, storj, storj_file, streamr
from orch.emulator.dials import Change, Dial
from orch.emulator.draws import Draws
from orch.emulator.facts import DAY_MINUTES, HISTORY_DAYS, HOST, MINUTE, NODES, POOR_SPLIT, NodeName, as_dict
from orch.emulator.golem import GolemEconomy, GolemState
from orch.emulator.grass import GrassEconomy, GrassState
from orch.emulator.market import Market
from orch.emulator.outages import Outages
from orch.emulator.provider import Provider
from orch.emulator.storj import StorjEconomy, StorjState
from orch.emulator.streamr import StreamrEconomy, StreamrState
from orch.emulator.truth import Truth, books_of
from orch.model.resources import RESOURCES, ResourceName, Resources, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Presence: TypeAlias = Literal["up", "refused", "unavailable"]


class WorldState(msgspec.Struct):
    """Everything about a world that is not a function of its seed: enough to go on from."""

    seed: int
    start_minute: int
    minute: int
    dials: dict[NodeName, Dial]
    provider: Provider
    storj: StorjState
    golem: GolemState
    streamr: StreamrState
    grass: GrassState
    log: list[Change]
    over: list[float]
    paused: bool = False
    storj_config: bytes = b""


class World:
    """The world of a seed from `start` on, with 30 days behind it (they are worked out on construction).

    `state` continues a world whose seed and start it holds.
    """

    def __init__(self, seed: int, start: datetime, *, state: WorldState | None = None) -> None:
        self.seed = seed
        self.draws = Draws(seed)
        start_minute = int(start.timestamp()) // MINUTE
        first = start_minute - HISTORY_DAYS * DAY_MINUTES
        self.first_minute = first
        self.market = Market(self.draws, first - DAY_MINUTES)
        self.outages = Outages(self.draws, first, start_minute)
        self.storj = StorjEconomy(self.draws, self.outages)
        self.golem = GolemEconomy(self.draws, self.outages, self.market)
        self.streamr = StreamrEconomy(self.draws, self.market)
        self.grass = GrassEconomy(self.draws, self.outages)
        self.on_change: Callable[[World], None] | None = None
        """Called after each change by a lever, before it is acknowledged."""
        if state is None:
            self.state = self._begin(start_minute, first)
            self._run_to(start_minute)
        else:
            self.storj.place(first)
            self.streamr.place(first)
            self.state = state
            if not state.storj_config:
                state.storj_config = storj_file.begin(state.dials["disk"].target["storage_gb"])

    def _begin(self, start_minute: int, first: int) -> WorldState:
        split = {node: as_dict(amounts) for node, amounts in POOR_SPLIT.items()}
        return WorldState(
            seed=self.seed,
            start_minute=start_minute,
            minute=first,
            dials={node: Dial(dict(amounts), dict(amounts)) for node, amounts in split.items()},
            provider=provider.begin(split["compute"]),
            storj=self.storj.begin(first),
            golem=GolemState(minute=first),
            streamr=self.streamr.begin(first),
            grass=self.grass.begin(first),
            log=[],
            over=[],
            storj_config=storj_file.begin(split["disk"]["storage_gb"]),
        )

    # --- time ---------------------------------------------------------------------------------------------

    @property
    def start(self) -> datetime:
        """When it began (history lies before), on a whole minute."""
        return when(self.state.start_minute * MINUTE)

    @property
    def time(self) -> datetime:
        """The end of the last whole minute worked out."""
        return when(self.state.minute * MINUTE)

    def advance(self, to: datetime) -> None:
        """Work out all whole minutes up to a time; going back does nothing."""
        minute = int(to.timestamp()) // MINUTE
        if minute > self.state.minute:
            self._run_to(minute)

    def _run_to(self, minute: int) -> None:
        state = self.state
        while state.minute < minute:
            until = self._next_border(minute)
            self._run_span(until)
            state.minute = until

    def _next_border(self, minute: int) -> int:
        """The next minute at which limits may change by themselves, or `minute`."""
        border = minute
        for dial in self.state.dials.values():
            due = -int(-dial.due_s // MINUTE)
            if self.state.minute < due < border:
                border = due
        return border

    def _run_span(self, until: int) -> None:
        """Minutes in which every node's limits are constant."""
        state = self.state
        second = state.minute * MINUTE
        while not state.paused:
            request = self.golem.next_request(state.golem, until)
            if request is None:
                break
            self.golem.settle_until(state.golem, request.minute)
            selling = provider.offer(state.provider, request.minute * MINUTE)
            if self.golem.sign(state.golem, request, selling) is not None:
                self._run_storj(request.minute)
                self._note_overallocation(request.minute * MINUTE)
        self.golem.settle_until(state.golem, until)
        self._run_storj(until)
        self.streamr.advance(state.streamr, until, state.dials["relay"].in_force(second))
        self.grass.advance(state.grass, until, state.dials["address"].in_force(second), paused=state.paused)

    def _run_storj(self, until: int) -> None:
        state = self.state
        dial = state.dials["disk"]
        second = state.storj.minute * MINUTE
        restarting = second + MINUTE > dial.asked_s and second < dial.due_s
        limits = dial.in_force(second)
        self.storj.advance(state.storj, until, limits, up=not restarting, paused=state.paused)

    # --- presence -----------------------------------------------------------------------------------------

    def presence(self, node: NodeName, now: datetime) -> Presence:
        """Whether a node's own API answers at a time."""
        second = max(now.timestamp(), self.state.minute * MINUTE)
        if node == "disk" and self.state.dials["disk"].pending(second):
            return "refused"
        outage = self.outages.now(node, int(second) // MINUTE)
        return "up" if outage is None else outage.kind

    def pause(self) -> None:
        """Stop all earning and all arrivals for good; the clock, settlements and prices go on."""
        if self.state.paused:
            return
        self.state.paused = True
        current = self.golem.running(self.state.golem)
        if current is not None:
            self.golem.end(current, self.state.minute, self.state.minute, broken=True)
        self.streamr.pause(self.state.streamr)

    # --- levers -------------------------------------------------------------------------------------------

    @property
    def lever_log(self) -> list[tuple[datetime, NodeName, ResourceName, float, float]]:
        """Every change of a limit: time, node, resource, from, to."""
        return [(when(each.second), each.node, each.resource, each.old, each.new) for each in self.state.log]

    def overallocated(self) -> list[datetime]:
        """The instants at which targets and commitments together were more than the host has."""
        return [when(second) for second in self.state.over]

    def allocation(self, node: NodeName, now: datetime) -> Resources:
        """The limits of a node in force at a time."""
        return resources(self.state.dials[node].in_force(now.timestamp()))

    def committed(self, node: NodeName) -> Resources:
        """What cannot be taken back from a node now: the bytes it stores, the profile of a running agreement."""
        return resources(self._committed(node))

    def used(self, node: NodeName, now: datetime) -> Resources:
        """What the system's accounting says a node keeps busy: cores and memory, never more than its limits."""
        if self.presence(node, now) == "refused":
            return Resources(cpu_cores=0.0, memory_gb=0.0)
        limits = self.state.dials[node].in_force(now.timestamp())
        current = self.golem.running(self.state.golem) if node == "compute" else None
        busy = {
            "disk": (storj.NEED_CPU, storj.NEED_MEMORY_GB),
            "compute": (float(current.busy), current.busy * golem.GB_PER_THREAD) if current else (0.05, 0.2),
            "relay": (streamr.NEED_CPU, streamr.NEED_MEMORY_GB),
            "address": (grass.NEED_CPU, grass.NEED_MEMORY_GB),
        }
        cores, memory = busy[node]
        return Resources(
            cpu_cores=min(cores, limits["cpu_cores"]) if node != "compute" else cores,
            memory_gb=min(memory, limits["memory_gb"]) if node != "compute" else memory,
        )

    def _committed(self, node: NodeName) -> dict[ResourceName, float]:
        held = dict.fromkeys(RESOURCES, 0.0)
        if node == "disk":
            held["storage_gb"] = storj.used_bytes(self.state.storj) / 1e9
        elif node == "compute":
            current = self.golem.running(self.state.golem)
            if current is not None:
                held |= provider.size(current.offer)
        return held

    def _note_overallocation(self, second: float) -> None:
        held = []
        for node in NODES:
            target, fixed = self.state.dials[node].target, self._committed(node)
            held.append({name: max(target[name], fixed[name]) for name in RESOURCES})
        if dials.overallocated(held):
            self.state.over.append(second)

    def put_levers(self, node: NodeName, wanted: Mapping[ResourceName, float], now: datetime) -> Resources:
        """Ask for new limits, as the control API does; the limits asked for in all.

        Raises RefusedError (the value cannot be) or RestartingError (not now).
        """
        self.advance(now)
        second = now.timestamp()
        dials.check(node, wanted)
        dial = self.state.dials[node]
        if node == "disk" and "storage_gb" in wanted and dial.pending(second):
            raise dials.RestartingError("the node is restarting")
        changes = dials.turn(dial, node, wanted, second, self.draws)
        if node == "compute" and changes:
            provider.set_profile(self.state.provider, dial.target, second, dial.due_s)
        self._write_config(changes)
        self._changed(changes, second)
        return resources(dial.target)

    def put_storj_config(self, body: bytes, now: datetime) -> None:
        """Write the storage node's config.yaml, which it reads at its next start."""
        self.advance(now)
        self.state.storj_config = body
        self._changed([], now.timestamp())

    def restart_storj(self, now: datetime) -> None:
        """Restart the storage node: it reads its config.yaml, and is away meanwhile.

        With less than the least it does not start, and stays away until it is started with more.
        """
        self.advance(now)
        second = now.timestamp()
        dial = self.state.dials["disk"]
        wanted = min(storj_file.allocated_gb(self.state.storj_config), HOST.or_zero("storage_gb"))
        in_force = dict(dial.in_force(second))
        changes = dials.turn(dial, "disk", {"storage_gb": wanted}, second, self.draws)
        dial.old = dial.target | {"storage_gb": in_force["storage_gb"]}
        dials.republish(dial, "disk", second, self.draws)
        if wanted < dials.LEAST["disk"]["storage_gb"]:
            dial.due_s = dials.NEVER_S
        self._changed(changes, second)

    def put_file(self, name: str, body: bytes, now: datetime) -> None:
        """Write one of the provider's files; its agent notices within seconds and ignores what it cannot read."""
        self.advance(now)
        second = now.timestamp()
        dial = self.state.dials["compute"]
        due = second + self.draws.between(3.0, 6.0, "delay", "file", name, round(second * 1000))
        provider.write(self.state.provider, name, body, second, due)
        wanted = provider.sizes(self.state.provider)
        changes = []
        if wanted is not None:
            changes = dials.turn(dial, "compute", wanted, second, self.draws)
            if changes:
                dial.due_s = due
        self._changed(changes, second)

    def _write_config(self, changes: list[Change]) -> None:
        """What the control API set without the file stands in the file, too."""
        for change in changes:
            if change.node == "disk" and change.resource == "storage_gb":
                self.state.storj_config = storj_file.with_allocation(self.state.storj_config, change.new)

    def _changed(self, changes: list[Change], second: float) -> None:
        self.state.log.extend(changes)
        self._note_overallocation(second)
        if self.on_change is not None:
            self.on_change(self)

    def set_split_now(self, split: Mapping[NodeName, Resources]) -> None:
        """Set limits at once, at the present world time: for baselines and tests.

        Nothing is sticky and no floor is checked; only a running agreement keeps its size.
        """
        second = float(self.state.minute * MINUTE)
        changes = []
        for node, amounts in split.items():
            dial = self.state.dials[node]
            wanted = dict(amounts.known())
            changes += dials.turn(dial, node, wanted, second, self.draws)
            dial.old, dial.due_s = dial.target, min(dial.due_s, second)
            if node == "compute":
                provider.set_profile(self.state.provider, dial.target, second, second)
        self._write_config(changes)
        self._changed(changes, second)

    # --- truth --------------------------------------------------------------------------------------------

    def truth(self) -> dict[tuple[NodeName, str], Truth]:
        """The exact amount of every stream in the networks' own books at the world's time; see `books_of`."""
        return books_of(self)

    def usd_income(self, node: NodeName) -> float:
        """USD truly earned since the history began, each part at the price of the minute it was earned in.

        Storj by its exact rates, Golem less what was written off, Streamr before the protocol's fee and less
        penalties; Grass 0, for points are not money.
        """
        if node == "disk":
            return self.storj.usd(self.state.storj)
        if node == "compute":
            return self.golem.usd(self.state.golem)
        if node == "relay":
            return self.streamr.usd(self.state.streamr)
        return 0.0

    def true_rate(
        self, node: NodeName, split: Mapping[NodeName, Resources] | None = None, horizon_h: float = 0.0
    ) -> float:
        """Expected USD per hour by the hidden parameters, with the present or any other split.

        It is an average over a day at the present drift and prices. With a horizon Storj's share is the mean
        over the hours in which its free space fills.
        """
        state = self.state
        limits = dict(state.dials[node].in_force(state.minute * MINUTE))
        if split is not None and node in split:
            limits |= dict(split[node].known())
        if node == "disk":
            return self.storj.rate(state.storj, limits, horizon_h)
        if node == "compute":
            return self.golem.rate(state.minute, provider.offer_for(state.provider, limits))
        if node == "relay":
            return self.streamr.rate(state.streamr, limits)
        return 0.0

    def best_fixed_split(self) -> dict[NodeName, Resources]:
        """The split that earns most: cores and memory where work is, storage where bytes are, floors elsewhere."""
        return provider.best_split()


def when(second: float) -> datetime:
    """A Unix time as an aware UTC datetime."""
    return datetime.fromtimestamp(second, UTC)
