"""What another strategy or solver would have made of a recorded time.

Incomes are those that the recorded curves give to a split: what a node would have earned with what it never had
is estimated, not measured. Every lever counts as free to act, holds and the budget of moves apply, and costs are
those the plans reckoned with. Perfect foresight and the best fixed split choose among the splits that any of them
had.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace

from orch.errors import StoreError
from orch.model.base import Value
from orch.model.moves import Guards
from orch.model.resources import Resources, resources, same
from orch.planning.problem import build_problem
from orch.reallocation.guards import guards_of
from orch.reallocation.holds import Past, remember
from orch.replay.contenders import settled_story
from orch.replay.noise import Difference, compare
from orch.replay.recorded import decide_again
from orch.replay.splits import LONGEST_STEP_S, distinct, held_in, income_of
from orch.solvers.answers import moving_cost
from orch.solvers.levels import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orch.model.fleet import NodeState, Snapshot
    from orch.model.problems import Problem
    from orch.reallocation.settings import MoveLimits
    from orch.replay.contenders import Entrant
    from orch.replay.market import Floats
    from orch.replay.recorded import Bench, Recorded
    from orch.replay.splits import Split


FORESIGHT = "perfect foresight"
RECORDED = "as recorded"


class Row(Value):
    """What one of them would have earned; regret is what perfect foresight earns more. USD."""

    name: str
    income_usd: float
    moving_cost_usd: float
    net_usd: float
    moves: int
    regret_usd: float
    versus_recorded: Difference


class _Course:
    """One entrant's way through the recorded time."""

    def __init__(self, entrant: Entrant, start: Split, limits: MoveLimits) -> None:
        self.entrant = entrant
        self.split = start
        self.moves = 0
        self.costs: list[float] = []
        self.splits: list[Split] = []
        self._limits = limits
        self._past = Past()

    def step(self, recorded: Recorded, bench: Bench, problem: Problem) -> None:
        inputs, now = recorded.inputs, recorded.decision.decided_at
        self.split = {name: self.split.get(name, given) for name, given in held_in(inputs.snapshot).items()}
        settings = replace(bench.settings(inputs.settings), solver=self.entrant.solver)
        then = replace(
            inputs,
            snapshot=_with(inputs.snapshot, self.split, problem),
            guards=guards_of(self._past, now, self._limits),
        )
        identity = recorded.decision.id
        decision, _ = decide_again(
            then, settings, self.entrant, self.entrant.solvers, now, identity, f"p{identity[1:]}"
        )
        cost = 0.0
        if decision.verdict == "move":
            self._past = remember(self._past, settled_story(decision, now), self._limits)
            self.split = dict(decision.to_value)
            self.moves += 1
            cost = float(decision.cost_usd or 0)
        self.costs.append(cost)
        self.splits.append(self.split)


class _Done(NamedTuple):
    """What was done: the split, the time and the moving costs of each decision."""

    splits: list[Split]
    times: list[float]
    costs: list[float]


class _Way(NamedTuple):
    """The splits that somebody held and what moving cost, by decision. Not `from_start`: held from before then."""

    name: str
    splits: list[Split]
    costs: list[float]
    from_start: bool = True

    def path(self, start: Split) -> list[Split]:
        return [start, *self.splits] if self.from_start else self.splits


def what_if(
    read: Callable[[], Iterable[Recorded]],
    bench: Bench,
    entrants: Sequence[Entrant],
    limits: MoveLimits,
    *,
    seed: int = 0,
    told: Callable[[int, int], object] | None = None,
    whole: int = 0,
) -> tuple[Row, ...]:
    """A row per entrant, and for what was done, for keeping the first split, the best fixed one, and foresight.

    Args:
        read: Reads the recorded decisions from their beginning.
        bench: What they are made again with.
        entrants: Who is asked.
        limits: Holds and the budget of moves.
        seed: Of the bootstrap.
        told: Is told how many decisions are done, of `whole`.
        whole: How many there are.

    Raises:
        StoreError: Fewer than two decisions can be replayed.
    """
    courses, was = _played(read(), bench, entrants, limits, told, whole)
    if len(was.splits) < 2:
        raise StoreError("Fewer than two decisions can be replayed: let orch run for a while.")
    splits = distinct([*was.splits, *(each for course in courses for each in course.splits)])
    hours = np.append(np.minimum(np.diff(was.times), LONGEST_STEP_S), 0.0) / 3600.0
    income, moving = _incomes(read(), bench, splits)
    income *= hours[:, None]
    moments = np.arange(len(was.splits))
    lines = [
        (way, income[moments, [splits.index(each) for each in way.splits]])
        for way in _ways(courses, was, splits, income, moving)
    ]
    net = {way.name: earned - np.asarray(way.costs) for way, earned in lines}
    bound = float(net[FORESIGHT].sum())
    days = np.unique(np.asarray(was.times, dtype=np.int64) // 86400, return_inverse=True)[1]

    def daily(values: Floats) -> Floats:
        return np.bincount(days, weights=values).astype(np.float64)

    return tuple(
        Row(
            name=way.name,
            income_usd=float(earned.sum()),
            moving_cost_usd=float(np.asarray(way.costs).sum()),
            net_usd=float(net[way.name].sum()),
            moves=sum(before != after for before, after in pairwise(way.path(was.splits[0]))),
            regret_usd=bound - float(net[way.name].sum()),
            versus_recorded=compare(daily(net[way.name]), daily(net[RECORDED]), seed),
        )
        for way, earned in lines
    )


def _played(
    read: Iterable[Recorded],
    bench: Bench,
    entrants: Sequence[Entrant],
    limits: MoveLimits,
    told: Callable[[int, int], object] | None,
    whole: int,
) -> tuple[list[_Course], _Done]:
    """Every entrant's way through the recorded decisions, and what was done."""
    courses: list[_Course] = []
    was = _Done([], [], [])
    for recorded in read:
        decision, present = recorded.decision, held_in(recorded.inputs.snapshot)
        courses = courses or [_Course(each, present, limits) for each in entrants]
        problem = problem_of(recorded, bench)
        for course in courses:
            course.step(recorded, bench, problem)
        was.splits.append(present)
        was.times.append(decision.decided_at.timestamp())
        was.costs.append(float(decision.cost_usd or 0) if decision.verdict == "move" else 0.0)
        if told is not None:
            told(len(was.splits), whole)
    return courses, was


def _ways(
    courses: Sequence[_Course], was: _Done, splits: Sequence[Split], income: Floats, moving: Floats
) -> list[_Way]:
    """Those of the entrants, then what they are compared with."""
    ways = [_Way(course.entrant.label, course.splits, course.costs) for course in courses]
    ways.append(_Way(RECORDED, was.splits, was.costs))
    count = len(was.splits)
    if all(way.name != "keep" for way in ways):
        ways.append(_Way("keep", [was.splits[0]] * count, [0.0] * count))
    best = int(np.argmax(income.sum(axis=0)))
    ways.append(_Way("best fixed", [splits[best]] * count, [0.0] * count, from_start=False))
    ways.append(_Way(FORESIGHT, *_foreseen(splits, income, moving)))
    return ways


def problem_of(recorded: Recorded, bench: Bench) -> Problem:
    """The curves of a recorded moment, nothing being held."""
    inputs = recorded.inputs
    problem, _ = build_problem(inputs.snapshot, Guards(), bench.settings(inputs.settings))
    return problem


def _incomes(read: Iterable[Recorded], bench: Bench, splits: Sequence[Split]) -> tuple[Floats, Floats]:
    """USD per hour by moment and split; and what going from one split to another costs, by moment."""
    income, moving = [], []
    for recorded in read:
        problem = problem_of(recorded, bench)
        income.append([income_of(problem, split) for split in splits])
        row = []
        for one in splits:
            nodes = tuple(replace(node, present=one.get(node.name, node.present)) for node in problem.nodes)
            there = replace(problem, nodes=nodes)
            present = {node.name: node.present for node in nodes}
            row.append([moving_cost(there, {**present, **_known(two, present)}) for two in splits])
        moving.append(row)
    return np.asarray(income), np.asarray(moving)


def _known(split: Split, present: Split) -> Split:
    return {name: given for name, given in split.items() if name in present}


def _foreseen(splits: Sequence[Split], income: Floats, moving: Floats) -> tuple[list[Split], list[float]]:
    """The best way through the splits, from the first one, and what its moves cost (dynamic programming)."""
    best = np.full(len(splits), -math.inf)
    best[0] = 0.0
    came = []
    for step in range(len(income)):
        ways = best[:, None] - moving[step]
        came.append(np.argmax(ways, axis=0))
        best = ways[came[-1], np.arange(len(splits))] + income[step]
    path = [int(np.argmax(best))]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    path.reverse()
    costs = [float(moving[step, path[step], path[step + 1]]) for step in range(len(income))]
    return [splits[place] for place in path[1:]], costs


def _with(snapshot: Snapshot, split: Split, problem: Problem) -> Snapshot:
    curves = {node.name: node for node in problem.nodes}

    def put(state: NodeState) -> NodeState:
        given = split[state.name]
        levers = tuple(replace(lever, mode="auto") for lever in state.levers)
        if same(given, state.allocation):
            return replace(state, levers=levers)
        curve = curves[state.name]
        here, there = evaluate(curve, state.allocation).mean, evaluate(curve, given).mean
        rate = state.rate
        if rate is not None and here > 0.0:
            by = max(there, 0.0) / here
            rate = replace(rate, low=rate.low * by, mean=rate.mean * by, high=rate.high * by)
        return replace(
            state,
            levers=levers,
            allocation=given,
            rate=rate,
            used=_within(state.used, given),
            committed=_within(state.committed, given),
        )

    return replace(snapshot, nodes=tuple(put(state) for state in snapshot.nodes))


def _within(amounts: Resources, given: Resources) -> Resources:
    """No more than was given."""
    return resources({name: min(amount, given.or_zero(name)) for name, amount in amounts.known()})
