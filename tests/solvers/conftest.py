"""Tiny problems, and a brute force that knows their answers by trying everything."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from orch.model.problems import Activity, Group, Pair, Problem, ProblemNode
from orch.model.resources import Resources, resources
from orch.solvers import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def earning(worth: float, width: float, **takes: float) -> Activity:
    return Activity(takes=resources(takes), width=width, usd_per_hour=worth, low=worth * 0.8, high=worth * 1.2)


def node(name: str, present: dict[str, float], *activities: Activity, **more: object) -> ProblemNode:
    fields = {
        key: resources(value) if isinstance(value, dict) else value
        for key, value in {"floor": {}, "cap": {}, **more}.items()
    }
    return ProblemNode(name=name, present=resources(present), activities=activities, **fields)


def problem(capacity: dict[str, float], *nodes: ProblemNode, horizon_h: float = 10.0, **more: object) -> Problem:
    return Problem(host="here", capacity=resources(capacity), nodes=nodes, horizon_h=horizon_h, **more)


def whole_splits(of: Problem) -> Iterator[dict[str, Resources]]:
    """Every split in whole units."""
    axes = []
    for each in of.nodes:
        ranges = [
            [(name, float(amount)) for amount in range(int(of.capacity.get(name)) + 1)]
            for name, _ in each.present.known()
        ]
        axes.append([(each.name, resources(dict(choice))) for choice in itertools.product(*ranges)])
    return (dict(choice) for choice in itertools.product(*axes))


def brute(of: Problem) -> float | None:
    """The best objective over all splits in whole units, by the checker's words; None when there is none."""
    worth = [check.objective(of, split) for split in whole_splits(of) if not check.violations(of, split)]
    return max(worth, default=None)


@st.composite
def problems(draw: Callable, *, bundles: bool, discrete: bool) -> Problem:
    """Two or three nodes on one or two resources, all numbers whole: then a best split in whole units exists
    where activities take one unit of one resource."""
    names = ["cpu_cores", "memory_gb"][: draw(st.integers(1, 2))]
    capacity = {name: float(draw(st.integers(0, 5))) for name in names}
    left = dict(capacity)
    nodes = []
    for index in range(draw(st.integers(1, 3 if len(names) == 1 else 2))):
        present = {}
        for name in names:
            present[name] = float(draw(st.integers(0, int(left[name]))))
            left[name] -= present[name]
        activities = []
        for _ in range(draw(st.integers(0, 3))):
            together = bundles and len(names) == 2 and draw(st.booleans())
            takes = dict.fromkeys(names, 1.0) if together else {draw(st.sampled_from(names)): 1.0}
            activities.append(earning(draw(st.integers(0, 9)) / 8, float(draw(st.integers(0, 4))), **takes))
        floor = {name: float(draw(st.integers(0, 2))) for name in names}
        more = {
            "floor": floor,
            "need": {name: float(draw(st.integers(0, int(floor[name])))) for name in names},
            "cap": {name: float(draw(st.integers(2, 5))) for name in names},
            "unit_usd": {name: draw(st.sampled_from([0.0, 0.5])) for name in names},
            "base_usd_per_hour": draw(st.integers(0, 4)) / 4,
            "locked": draw(st.integers(0, 5)) == 0,
        }
        if discrete:
            more |= {
                "change_usd": draw(st.sampled_from([0.0, 1.0, 5.0])),
                "may_stop": draw(st.booleans()),
                "step": {name: draw(st.sampled_from([1.0, 2.0])) for name in names},
            }
        nodes.append(node(f"n{index}", present, *activities, **more))
    if not discrete:
        return problem(capacity, *nodes)
    more = {"max_changes": draw(st.one_of(st.none(), st.integers(0, 2)))}
    if len(nodes) > 1 and draw(st.booleans()):
        worth = draw(st.sampled_from([-0.75, -0.25, 0.5, 1.0]))
        more["pairs"] = (Pair(first="n0", second="n1", usd_per_hour=worth),)
    if len(nodes) > 1 and draw(st.booleans()):
        more["groups"] = (Group(name="g", nodes=tuple(each.name for each in nodes), most=draw(st.integers(0, 2))),)
    return problem(capacity, *nodes, **more)


class Kit:
    """What the tests of this room build problems with."""

    earning = staticmethod(earning)
    node = staticmethod(node)
    problem = staticmethod(problem)
    brute = staticmethod(brute)
    problems = staticmethod(problems)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit
