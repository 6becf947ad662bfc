"""One life of a small house over a machine of files: it recovers what the last one left open, then moves."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from actors.adapter import Adapter, NodePlan
from actors.base import Actor, House, adapter_name
from actors.reallocation import Reallocation, ReallocationPlan
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from bench.hands_world import START, FullNowAndThen, World
from orch.levers.together import together_cost
from orch.messages import ActorFailed, ExecuteReallocation, GuardsChanged, RollBackReallocation, SnapshotPublished
from orch.model.fleet import LeverState, Limits, NodeState, Snapshot
from orch.model.money import EarnedUsd
from orch.model.plans import Plan
from orch.model.readings import Reading
from orch.model.resources import RESOURCES, ZERO, Resources, resources
from orch.protocols.base import Context
from orch.reallocation.settings import LeverTiming, MoveLimits, SagaSettings
from orch.reallocation.story import Story, stories
from orch.system.journal import FileJournal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bench.hands_machine import FileNode, Machine

HOST: Final = "machine"
PATIENCE_S: Final = 6 * 3600.0
LOOK_EVERY_S: Final = 5.0
REPAIRS: Final = 5


@dataclass(frozen=True)
class Weather:
    """How a life goes: its number, how many moves it makes, and how likely things go wrong."""

    number: int
    moves: int
    wrong: float
    full: float


class StillSpec:
    """A protocol of nodes that are always there and earn nothing."""

    name = "still"
    tokens = ()
    levers = ()

    def begin(self, options: object, context: Context) -> str:  # noqa: ARG002 - the contract's signature
        """Its name is all it knows."""
        return context.node

    def endpoints(self, memory: str, now: datetime) -> tuple[()]:  # noqa: ARG002 - the contract's signature
        """There is nothing to ask."""
        return ()

    def absorb(self, memory: str, *_: object) -> str:
        """Never called."""
        return memory

    def failed(self, memory: str, *_: object) -> str:
        """Never called."""
        return memory

    def reading(self, memory: str, now: datetime) -> Reading:
        """There, and that is all."""
        return Reading(
            node=memory,
            protocol=self.name,
            taken_at=now,
            emulated=False,
            health="online",
            health_reason="",
            last_seen_at=now,
        )


class Sink(Actor):
    """Hears everything and keeps which move is under way."""

    def __init__(self, name: str, house: House) -> None:
        super().__init__(name, house)
        self.running: str | None = None

    def handle(self, message: Any) -> None:
        """Keep the newest."""
        if isinstance(message, GuardsChanged):
            self.running = message.guards.running


class Watch(Actor):
    """In the supervisor's place: nobody may die."""

    def __init__(self, name: str, house: House) -> None:
        super().__init__(name, house)
        self.deaths: list[str] = []

    def handle(self, message: Any) -> None:
        """Keep what was said of a death."""
        if isinstance(message, ActorFailed):
            self.deaths.append(f"{message.name}: {message.error}")


class Life:
    """The reallocation actor and an adapter per node, on the stage: everything is genuine but time.

    Args:
        machine: The nodes.
        seed: Of the round.
        weather: How this life goes.
    """

    def __init__(self, machine: Machine, seed: int, weather: Weather) -> None:
        self._machine = machine
        self._chance = random.Random(f"{seed} {weather.number}")
        self._weather = weather
        self._file = FileJournal(machine.journal)
        self._journal = FullNowAndThen(self._file, machine, self._chance, weather.full)
        self._world = World(machine, self._chance, weather.wrong)
        records = self._file.read()
        self._stage = Stage(seed, records[-1].written_at + timedelta(hours=1) if records else START)
        house = self._stage.house(VirtualTransport(self._stage, self._world), journal=self._journal)
        self._watch = Watch("supervisor", house)
        self._stage.add(self._watch)
        self._monitor = Sink("monitor", house)
        for reader in (self._monitor, *(Sink(name, house) for name in ("recorder", "optimizer", "coordinator"))):
            self._stage.add(reader)
        for node in machine.nodes:
            self._stage.add(Adapter(adapter_name(node.name), house, attended(node)))
        self._stage.add(Reallocation("reallocation", house, _settings(machine)))

    def live(self) -> None:
        """Recover, repair, move. Nothing of it need ever return."""
        self._machine.note_all()
        self._stage.drain()
        self._until_closed()
        self._repair()
        for number in range(self._weather.moves):
            self._move(number)
            self._repair()
        if self._watch.deaths:
            raise RuntimeError(self._watch.deaths[0])

    def _told(self) -> dict[str, Story]:
        return stories(self._file.read())

    def _until_closed(self) -> None:
        """Until no move is under way, and the journal has closed all of them."""
        until = self._stage.now() + timedelta(seconds=PATIENCE_S)
        while self._stage.now() < until:
            self._stage.run_for(LOOK_EVERY_S)
            if self._monitor.running is None and all(story.ended for story in self._told().values()):
                return
        raise RuntimeError(f"the journal did not close: {[s.record.state for s in self._told().values()]}")

    def _repair(self) -> None:
        """As a person would with a stuck move: the nodes work again, then it is rolled back."""
        for _ in range(REPAIRS):
            stuck = [story.record.id for story in self._told().values() if story.record.state == "stuck"]
            if not stuck:
                return
            wrong, self._world.wrong = self._world.wrong, 0.0
            full, self._journal.share = self._journal.share, 0.0
            self._machine.tell("repaired")
            self._stage.tell("reallocation", RollBackReallocation(reallocation_id=stuck[0]))
            self._until_closed()
            self._world.wrong, self._journal.share = wrong, full
        raise RuntimeError("a stuck move could not be rolled back by a person")

    def _move(self, number: int) -> None:
        present = {node.name: self._machine.in_force(node.name) for node in self._machine.nodes}
        goal = _some_split(self._machine, present, self._chance)
        self._stage.tell("reallocation", SnapshotPublished(snapshot=self._snapshot(present)))
        self._stage.drain()
        plan = plan_between(f"p{self._weather.number}-{number}", present, goal, self._stage.now())
        self._stage.tell("reallocation", ExecuteReallocation(plan=plan, trigger="manual"))
        self._until_closed()

    def _snapshot(self, present: Mapping[str, Resources]) -> Snapshot:
        states = tuple(state_of(node, present[node.name], self._stage.now()) for node in self._machine.nodes)
        return snapshot_of(states, resources(self._machine.capacity), self._stage.now())


def snapshot_of(states: tuple[NodeState, ...], capacity: Resources, now: datetime) -> Snapshot:
    """A host of these nodes."""
    return Snapshot(
        tick=1,
        host=HOST,
        taken_at=now,
        due_at=now,
        capacity=capacity,
        reserve=ZERO,
        host_used=ZERO,
        nodes=states,
        prices=(),
        earned=EarnedUsd(),
    )


def attended(node: FileNode) -> NodePlan:
    """What the node's adapter is told."""
    return NodePlan(
        context=Context(node=node.name, host=HOST),
        spec=StillSpec(),
        options=None,
        levers=(node.lever,),  # type: ignore[arg-type]
    )


def _settings(machine: Machine) -> ReallocationPlan:
    timing = {}
    for node in machine.nodes:
        cost = together_cost((node.lever,))
        timing[node.name] = LeverTiming(
            downtime_s=cost.downtime_s, settle_s=cost.settle_s, deadline_s=cost.deadline_s
        )
    limits = MoveLimits(min_hold_s=0.0, max_moves_per_hour=1000)
    return ReallocationPlan(limits=limits, settings=SagaSettings(levers=timing))


def state_of(node: FileNode, has: Resources, now: datetime) -> NodeState:
    """A node that is there and may be moved."""
    return NodeState(
        name=node.name,
        host=HOST,
        protocol="still",
        emulated=False,
        health="online",
        health_reason="",
        last_seen_at=now,
        resources_as_of=now,
        rate=None,
        worth=None,
        earned=EarnedUsd(),
        points=None,
        allocation=has,
        used=Resources(),
        committed=Resources(),
        floor=node.least,
        limits=Limits(),
        levers=(LeverState(kind=node.lever.lever.kind, sets=node.lever.sets(), mode="auto"),),
        outlooks=(),
        findings=(),
        failures=(),
        facts=(),
    )


def _some_split(machine: Machine, present: Mapping[str, Resources], chance: random.Random) -> dict[str, Resources]:
    """What some nodes have and some of what is free, given out anew among them."""
    some = chance.sample(machine.nodes, chance.randint(2, len(machine.nodes)))
    goal: dict[str, dict[Any, float | None]] = {node.name: {} for node in some}
    for name in RESOURCES:
        having = [node for node in some if node.start.get(name) is not None]
        free = machine.capacity[name] - sum(has.or_zero(name) for has in present.values())
        spare = sum(present[node.name].or_zero(name) - node.least.or_zero(name) for node in having)
        spare = max(0.0, spare + min(free, 0.0) + chance.random() * max(free, 0.0))
        weights = {node.name: chance.random() for node in having}
        for node in having:
            amount = node.least.or_zero(name) + spare * weights[node.name] / sum(weights.values())
            amount = min(amount, node.most.get(name) or amount)
            decimals = 0 if (node.name, name) == ("compute", "cpu_cores") else 2 if name == "cpu_cores" else 3
            goal[node.name][name] = int(amount * 10**decimals) / 10**decimals
    return {node: resources(amounts) for node, amounts in goal.items()}


def plan_between(
    identity: str, present: Mapping[str, Resources], goal: Mapping[str, Resources], now: datetime
) -> Plan:
    """A plan to go from one split to another, whatever it brings."""
    return Plan(
        id=identity,
        decision_id=f"d{identity}",
        decided_at=now,
        reasons=(),
        sentence="A random split.",
        strategy="keep",
        solver="keep",
        solver_chain=(),
        from_value={node: present[node] for node in goal},
        to_value=dict(goal),
        gain_usd_per_hour=None,
        gain_usd=None,
        cost_usd=None,
        net_benefit_usd=None,
        net_benefit_pct=None,
        horizon_h=1.0,
        can_reallocate=True,
        blockers=(),
        status="feasible",
        bound=None,
        gap_pct=None,
        dual_prices=Resources(),
        improvement_pct=None,
        opportunities=(),
    )
