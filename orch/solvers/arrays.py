"""Problems of many hosts at once, as arrays: hosts x nodes x resources.

Axes: H hosts, N places for nodes on each host, R resources, B bundles, S segments. A host has its own capacities
and its own curves; what it lacks is masked by `here`. Hosts share nothing, so that each is a problem of its own:

* `Curves`: every node earns by a power law of each resource, less what moving costs. Maximise, over amounts x,

      sum_n,r  horizon_h * scale[n, r] * x[n, r] ** power[n, r] - unit_usd[n, r] * |x[n, r] - present[n, r]|

  subject to  least <= x <= most  and  sum_n x[n, r] <= capacity[r].  Falls apart by resource.
* `Bundles`: a bundle takes resources in a fixed proportion, up to the width of each of its segments, whose worth
  falls; a node may have several. Maximise, over levels y,

      horizon_h * sum_b,s worth[b, s] * y[b, s]

  subject to  0 <= y <= width  and  sum_n floor[n, r] + sum_b takes[b, r] * sum_s y[b, s] <= capacity[r].
  A node's amounts are its floor and what its bundles take; income that does not depend on them is left out.

Amounts are in the resources' own units, money in USD (per hour where said so), everything float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from orch.model.problems import Activity, Problem, ProblemNode
from orch.model.resources import RESOURCES, Resources, resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orch.model.resources import ResourceName

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]


class Curves(NamedTuple):
    """Power laws by node and resource. All (H, N, R) but `capacity`, (H, R).

    `scale` is USD per hour of one unit, at least 0; `power` above 0, at most 1; `unit_usd` is paid per unit moved.
    """

    capacity: Floats
    scale: Floats
    power: Floats
    present: Floats
    least: Floats
    most: Floats
    unit_usd: Floats
    here: Bools
    horizon_h: float


class Bundles(NamedTuple):
    """Fixed proportions in falling segments.

    `capacity` (H, R), `floor` (H, N, R), `owner` (B,) the place of each bundle's node, `takes` (H, B, R) of one
    level, `width` (H, B, S) in levels, `worth` (H, B, S) in USD per hour and level, falling; `here` (H, B).
    """

    capacity: Floats
    floor: Floats
    owner: Ints
    takes: Floats
    width: Floats
    worth: Floats
    here: Bools
    horizon_h: float


class FleetAnswer(NamedTuple):
    """A split of every host.

    `amounts` (H, N, R) and `objective_usd` (H,), over the horizon, are NaN for a host that is not `feasible` (H,).
    `prices` (H, R) is what one more unit would add, in USD over the horizon. `levels` (H, B) is of bundles, in all
    segments together, and empty of curves.
    """

    amounts: Floats
    objective_usd: Floats
    prices: Floats
    feasible: Bools
    levels: Floats


def check_curves(curves: Curves) -> None:
    """See that arrays are what `Curves` says.

    Raises:
        ValueError: A shape differs, a number is missing, negative or out of range; says which array.
    """
    hosts, nodes, kinds = curves.scale.shape
    _shaped("capacity", curves.capacity, (hosts, kinds))
    for name in ("power", "present", "least", "most", "unit_usd", "here"):
        _shaped(name, getattr(curves, name), (hosts, nodes, kinds))
    for name in ("capacity", "scale", "present", "least", "unit_usd"):
        _finite(name, getattr(curves, name))
    if not (curves.most >= 0.0).all():
        raise ValueError("most: a number is missing or negative")
    if not ((curves.power > 0.0) & (curves.power <= 1.0)).all():
        raise ValueError("power: beyond 1 a curve is not concave; every power must be above 0 and at most 1")
    _horizon(curves.horizon_h)


def check_bundles(bundles: Bundles) -> None:
    """See that arrays are what `Bundles` says.

    Raises:
        ValueError: A shape differs, a number is missing or negative, worth rises, an owner is nobody; says which.
    """
    hosts, count, kinds = bundles.takes.shape
    nodes, segments = bundles.floor.shape[1], bundles.width.shape[-1]
    _shaped("capacity", bundles.capacity, (hosts, kinds))
    _shaped("floor", bundles.floor, (hosts, nodes, kinds))
    _shaped("owner", bundles.owner, (count,))
    _shaped("width", bundles.width, (hosts, count, segments))
    _shaped("worth", bundles.worth, (hosts, count, segments))
    _shaped("here", bundles.here, (hosts, count))
    for name in ("capacity", "floor", "takes", "width", "worth"):
        _finite(name, getattr(bundles, name))
    if count and not ((bundles.owner >= 0) & (bundles.owner < nodes)).all():
        raise ValueError("owner: a bundle belongs to no node")
    if (np.diff(bundles.worth, axis=2) > 0.0).any():
        raise ValueError("worth: it must fall from segment to segment, or the curve is not concave")
    _horizon(bundles.horizon_h)


def _shaped(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name}: its shape is {array.shape}, and {shape} is needed")


def _finite(name: str, array: Floats) -> None:
    if not (np.isfinite(array) & (array >= 0.0)).all():
        raise ValueError(f"{name}: a number is missing, infinite or negative")


def _horizon(hours: float) -> None:
    if not 0.0 < hours < np.inf:
        raise ValueError(f"horizon_h: {hours} is no number of hours")


def bundles_of(problems: Sequence[Problem]) -> Bundles:
    """Problems of single hosts, with one horizon and the same number of nodes, as one array form.

    Exact for what moves without cost and in any amount: each activity becomes a bundle of one segment. A locked
    node is a floor. Amounts of an unknown present are not planned and count as nothing.

    Raises:
        ValueError: A problem has what bundles cannot say: caps, steps, stops, costs of moving, limits of changes,
            pairs, groups, a bounded variance, an objective of a plug-in, a need apart from the floor.
    """
    if not problems or len({(each.horizon_h, len(each.nodes)) for each in problems}) != 1:
        raise ValueError("all hosts need one horizon and the same number of nodes")
    for problem in problems:
        for what in _beyond_bundles(problem):
            raise ValueError(f"{problem.host}: bundles do not know {what}")
    nodes = len(problems[0].nodes)
    most = max((len(node.activities) for each in problems for node in each.nodes), default=0)
    shape = (len(problems), nodes * most)
    takes, width, worth = np.zeros((*shape, len(RESOURCES))), np.zeros((*shape, 1)), np.zeros((*shape, 1))
    floor, here = np.zeros((len(problems), nodes, len(RESOURCES))), np.zeros(shape, dtype=bool)
    for host, problem in enumerate(problems):
        for place, node in enumerate(problem.nodes):
            kept = node.present if node.locked else node.floor
            floor[host, place] = [
                0.0 if node.present.get(name) is None else kept.or_zero(name) for name in RESOURCES
            ]
            for number, each in enumerate(node.activities):
                bundle = place * most + number
                here[host, bundle] = not node.locked
                width[host, bundle] = each.width
                worth[host, bundle] = max(each.usd_per_hour, 0.0)
                takes[host, bundle] = [
                    0.0 if node.present.get(name) is None else each.takes.or_zero(name) for name in RESOURCES
                ]
    capacity = np.array([[each.capacity.or_zero(name) for name in RESOURCES] for each in problems])
    owner = np.repeat(np.arange(nodes), most)
    return Bundles(capacity, floor, owner, takes, width, worth, here, problems[0].horizon_h)


def _beyond_bundles(problem: Problem) -> list[str]:
    found = []
    if problem.max_changes is not None or problem.pairs or problem.groups:
        found.append("limits of changes, pairs or groups")
    if problem.max_variance is not None or problem.objective is not None:
        found.append("a bounded variance or an objective of a plug-in")
    if any(problem.capacity.get(name) is None for name in RESOURCES):
        found.append("an unknown capacity")
    for node in problem.nodes:
        if node.may_stop or node.change_usd or any(amount for _, amount in node.step.known()):
            found.append(f"{node.name}'s stops, steps or costs per change")
        if node.cap.known() or node.need.known():
            found.append(f"{node.name}'s cap, or its need apart from its floor")
        if not node.locked and any(amount for _, amount in node.unit_usd.known()):
            found.append(f"{node.name}'s cost of moving")
        if node.locked and node.activities:
            found.append(f"the activities of {node.name}, which is locked")
    return found


def problem_of_bundles(bundles: Bundles, host: int) -> Problem:
    """One host as a `Problem` that has the same optimum; present is the floor, which moving costs nothing from."""
    nodes = []
    for place in range(bundles.floor.shape[1]):
        floor = _amounts(bundles.floor[host, place])
        activities: list[Activity] = []
        for bundle in np.flatnonzero((bundles.owner == place) & bundles.here[host]):
            takes = _amounts(bundles.takes[host, bundle])
            for width, worth in zip(bundles.width[host, bundle], bundles.worth[host, bundle], strict=True):
                activities.append(_activity(takes, float(width), float(worth)))
        node = ProblemNode(
            name=f"node{place}", present=floor, floor=floor, cap=Resources(), activities=tuple(activities)
        )
        nodes.append(node)
    capacity = _amounts(bundles.capacity[host])
    return Problem(host=f"host{host}", capacity=capacity, nodes=tuple(nodes), horizon_h=bundles.horizon_h)


def problem_of_curves(curves: Curves, host: int, segments: int = 8) -> Problem:
    """One host as a `Problem`: its power laws in chords that touch them at both ends, so never worth more.

    Ends lie closer together where a curve bends more (squares of even steps, from 0 to what can be had at most).
    Exact in everything else.
    """
    nodes = []
    for place in range(curves.scale.shape[1]):
        activities: list[Activity] = []
        for kind, name in enumerate(RESOURCES[: curves.scale.shape[2]]):
            at = (host, place, kind)
            top = min(float(curves.most[at]), float(curves.capacity[host, kind]))
            if not curves.here[at] or top <= 0.0:
                continue
            marks = top * (np.arange(segments + 1) / segments) ** 2
            worth = curves.scale[at] * marks ** curves.power[at]
            activities += [
                _activity(resources({name: 1.0}), float(wide), float(more / wide))
                for wide, more in zip(np.diff(marks), np.diff(worth), strict=True)
            ]
        here = curves.here[host, place]
        most = curves.most[host, place]
        nodes.append(
            ProblemNode(
                name=f"node{place}",
                present=_amounts(curves.present[host, place], here),
                floor=_amounts(curves.least[host, place], here),
                need=_amounts(np.zeros(len(most)), here),
                cap=_amounts(most, here & np.isfinite(most)),
                activities=tuple(activities),
                unit_usd=_amounts(curves.unit_usd[host, place], here),
            )
        )
    capacity = _amounts(curves.capacity[host])
    return Problem(host=f"host{host}", capacity=capacity, nodes=tuple(nodes), horizon_h=curves.horizon_h)


def _activity(takes: Resources, width: float, worth: float) -> Activity:
    return Activity(takes=takes, width=width, usd_per_hour=worth, low=worth, high=worth)


def _amounts(row: Floats, here: Bools | None = None) -> Resources:
    found: dict[ResourceName, float | None] = {}
    for kind, name in enumerate(RESOURCES[: len(row)]):
        if here is None or here[kind]:
            found[name] = float(row[kind])
    return resources(found)
