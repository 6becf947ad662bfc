"""The seeded generators of one host's problems, by family."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.problems.seed4 import seed4
from orch.model.problems import Activity, Group, Pair, Problem, ProblemNode
from orch.model.resources import RESOURCES, Resources, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orch.model.resources import ResourceName

CAPACITY: dict[ResourceName, float] = {
    "cpu_cores": 16.0,
    "memory_gb": 64.0,
    "bandwidth_mbps": 1000.0,
    "storage_gb": 8000.0,
}
SEGMENTS = 4
POWER_SEGMENTS = 8


def instance(family: str, size: int, seed: int) -> Problem:
    """One problem of a family with `size` nodes (`seed4` always has its four). Raises KeyError when unknown."""
    return FAMILIES[family](size, seed)


def _activity(takes: Mapping[ResourceName, float], width: float, usd: float) -> Activity:
    return Activity(takes=resources(takes), width=width, usd_per_hour=usd, low=0.8 * usd, high=1.2 * usd)


def _even(draw: random.Random, size: int) -> list[dict[ResourceName, float]]:
    """A present split that gives away most of the capacity, unevenly."""
    shares = {name: [draw.random() for _ in range(size)] for name in RESOURCES}
    return [
        {name: 0.9 * CAPACITY[name] * shares[name][index] / sum(shares[name]) for name in RESOURCES}
        for index in range(size)
    ]


def _falling(
    draw: random.Random, takes: Mapping[ResourceName, float], units: float, top: float
) -> tuple[Activity, ...]:
    """A concave curve of a few segments over `units` of a bundle, the first worth `top` USD per hour in all."""
    found, worth = [], top / units * SEGMENTS
    for _ in range(SEGMENTS):
        found.append(_activity(takes, units / SEGMENTS, worth))
        worth *= 0.4 + 0.5 * draw.random()
    return tuple(found)


def _unit(name: ResourceName, usd: float) -> float:
    """What moving one unit costs when moving all of a resource costs so much."""
    return usd / CAPACITY[name]


def linear(size: int, seed: int) -> Problem:
    """Segments of single resources, floors, caps, proportional costs."""
    draw = random.Random(f"linear {size} {seed}")
    nodes = []
    for index, present in enumerate(_even(draw, size)):
        activities: list[Activity] = []
        for name in RESOURCES:
            units = CAPACITY[name] * (0.5 + draw.random()) * 3.0 / size
            activities += _falling(draw, {name: 1.0}, units, draw.random() * 0.2)
        nodes.append(
            ProblemNode(
                name=f"node{index}",
                present=resources(present),
                floor=resources({name: 0.2 * amount for name, amount in present.items()}),
                cap=Resources(cpu_cores=12.0),
                activities=tuple(activities),
                unit_usd=resources({name: _unit(name, 0.05) for name in RESOURCES}),
            )
        )
    return Problem(host="bench", capacity=resources(CAPACITY), nodes=tuple(nodes), horizon_h=24.0)


def concave(size: int, seed: int) -> Problem:
    """Power laws `a * x ** b` of each resource, in segments that widen."""
    draw = random.Random(f"concave {size} {seed}")
    nodes = []
    for index, present in enumerate(_even(draw, size)):
        activities: list[Activity] = []
        for name in RESOURCES:
            scale, power = 0.3 * draw.random(), 0.3 + 0.6 * draw.random()
            marks = [CAPACITY[name] * (step / POWER_SEGMENTS) ** 2 for step in range(POWER_SEGMENTS + 1)]
            worth = [scale * (mark / CAPACITY[name]) ** power for mark in marks]
            for step in range(POWER_SEGMENTS):
                width = marks[step + 1] - marks[step]
                activities.append(_activity({name: 1.0}, width, (worth[step + 1] - worth[step]) / width))
        nodes.append(
            ProblemNode(
                name=f"node{index}",
                present=resources(present),
                floor=Resources(),
                cap=Resources(),
                activities=tuple(activities),
                unit_usd=resources({name: _unit(name, 0.02) for name in RESOURCES}),
            )
        )
    return Problem(host="bench", capacity=resources(CAPACITY), nodes=tuple(nodes), horizon_h=24.0)


def bundle(size: int, seed: int) -> Problem:
    """Every node takes several resources in a proportion of its own."""
    draw = random.Random(f"bundle {size} {seed}")
    return Problem(
        host="bench",
        capacity=resources(CAPACITY),
        nodes=tuple(_bundled(draw, index, present, size) for index, present in enumerate(_even(draw, size))),
        horizon_h=24.0,
    )


def _bundled(draw: random.Random, index: int, present: dict[ResourceName, float], size: int) -> ProblemNode:
    wanted = draw.sample(RESOURCES, draw.choice((2, 3)))
    takes = {name: CAPACITY[name] / 16.0 * (0.3 + 1.4 * draw.random()) for name in wanted}
    units = 16.0 * 3.0 / size * (0.5 + draw.random())
    return ProblemNode(
        name=f"node{index}",
        present=resources(present),
        floor=Resources(),
        cap=Resources(),
        activities=_falling(draw, takes, units, 0.05 + 0.25 * draw.random()),
        unit_usd=Resources(cpu_cores=_unit("cpu_cores", 0.02)),
    )


def nonconvex(size: int, seed: int) -> Problem:
    """Bundles with thresholds, whole cores, costs per change, pairs that help or hinder, and a group."""
    draw = random.Random(f"nonconvex {size} {seed}")
    nodes = []
    for index, present in enumerate(_even(draw, size)):
        node = _bundled(draw, index, present, size)
        share = 0.3 + 0.7 * draw.random()
        floor = {name: min(CAPACITY[name] / size * share, present[name]) for name in RESOURCES}
        change = draw.choice((0.0, 0.05, 0.2))
        if draw.random() < 0.3:
            whole = float(max(1, round(present["cpu_cores"])))
            floor["cpu_cores"], present["cpu_cores"] = 1.0, whole
            node = replace(node, step=Resources(cpu_cores=1.0), cap=Resources(cpu_cores=max(whole, 6.0)))
        nodes.append(
            replace(
                node,
                present=resources(present),
                floor=resources(floor),
                unit_usd=Resources(),
                may_stop=draw.random() < 0.6,
                base_usd_per_hour=0.02 + 0.1 * draw.random(),
                change_usd=change,
            )
        )
    given = {name: sum(node.present.or_zero(name) for node in nodes) for name in RESOURCES}
    capacity = {name: max(CAPACITY[name], given[name]) for name in RESOURCES}
    pairs = []
    for _ in range(size // 2):
        one, other = draw.sample(range(size), 2)
        pairs.append(Pair(first=f"node{one}", second=f"node{other}", usd_per_hour=0.08 * draw.uniform(-1.0, 1.0)))
    stoppable = [node.name for node in nodes if node.may_stop]
    groups = (Group(name="one address", nodes=tuple(stoppable[:4]), most=2),) if len(stoppable) > 4 else ()
    nodes = [_within(node, groups) for node in nodes]
    return Problem(
        host="bench", capacity=resources(capacity), nodes=tuple(nodes), horizon_h=24.0, pairs=tuple(pairs),
        groups=groups,
    )  # fmt: skip


def _within(node: ProblemNode, groups: tuple[Group, ...]) -> ProblemNode:
    """The node, stopped at present where its group has no place left for it."""
    if groups and node.name in groups[0].nodes[groups[0].most :]:
        return replace(node, present=resources({name: 0.0 for name, _ in node.present.known()}))
    return node


def risk(size: int, seed: int) -> Problem:
    """A bundle whose nodes' rates vary together, with a bound that the best split exceeds."""
    problem = bundle(size, seed)
    draw = random.Random(f"risk {size} {seed}")
    common = [draw.uniform(-0.2, 0.5) for _ in range(size)]
    own = [draw.uniform(0.05, 0.4) for _ in range(size)]
    nodes = tuple(replace(node, base_usd_per_hour=0.05 + 0.05 * draw.random()) for node in problem.nodes)
    rates = [node.base_usd_per_hour for node in nodes]
    covariance = tuple(
        tuple(
            rates[i] * rates[j] * (common[i] * common[j] + (own[i] ** 2 if i == j else 0.0)) for j in range(size)
        )
        for i in range(size)
    )
    # One that the present split meets: no node then earns more than ten times its base.
    bound = 9.0 * sum(abs(value) for row in covariance for value in row)
    return replace(problem, nodes=nodes, covariance=covariance, covariance_at=tuple(rates), max_variance=bound)


FAMILIES: dict[str, Callable[[int, int], Problem]] = {
    "linear": linear,
    "concave": concave,
    "bundle": bundle,
    "nonconvex": nonconvex,
    "risk": risk,
    "seed4": seed4,
}
FAMILY_NAMES = tuple(FAMILIES)
