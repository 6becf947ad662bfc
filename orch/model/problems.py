"""The planning problem as numbers, and a solver's answer.

Maximise, over allocations x[n, r] of one host,

    horizon_h * sum_n on[n] * (base[n] + sum_k worth[n, k] * level[n, k]
                               + sum_r law[n, r] * (x[n, r] - need[n, r]) ** power[n, r])
      - sum_n change_usd[n] * (x[n] != present[n])
      - sum_n,r unit_usd[n, r] * |x[n, r] - present[n, r]|

subject to   x[n] >= on[n] * floor[n],   x[n] >= on[n] * need[n] + sum_k takes[n, k] * level[n, k],
             0 <= level[n, k] <= on[n] * width[n, k],
             x[n, r] <= on[n] * cap[n, r],   sum_n x[n, r] <= capacity[r],   x[n] == present[n] where locked,
             on[n] == 1 unless may_stop[n] (and present is then whatever it is), at most max_changes nodes changed,
             x[n, r] == on[n] * present[n, r], or a whole number of steps above floor, where step is given.

An unknown floor is 0, an unknown cap is the capacity, an unknown need is the floor. Resources of which a node's
`present` is unknown are not planned for that node: it keeps what it has, `capacity` must have been reduced by
whatever it may use, and what its activities take of them does not count. Where a resource's `capacity` is
unknown, every node keeps its present amount of it.

In arrays: hosts x nodes x resources, a law or segments of falling worth by node and resource (or by bundle); many
hosts at once have exactly this form in `orch.solvers.arrays`.

A node runs (on[n] == 1) with all of its floor and need; one that may stop and gets less gets nothing. What runs
also counts in `pairs` (what two nodes earn more, or less, while both run) and `groups` (how many may run at once).
With `max_variance` a split's variance must not exceed it:

    sum_n,m share[n] * share[m] * covariance[n][m] <= max_variance,   share[n] = income[n] / covariance_at[n],

income[n] being what node n earns with the split, USD per hour, without pairs; where `covariance_at` is not above
0, share[n] is 1. An `objective` adds what a plug-in says of the whole split, in USD per hour.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from orch.model.base import Value
from orch.model.resources import ResourceName, Resources

Status: TypeAlias = Literal["optimal", "feasible", "infeasible", "out_of_time"]


class Activity(Value):
    """One way to earn with more: up to `width` units, each taking `takes`, each worth USD per hour.

    Segments of one concave curve are activities with the same `takes` and falling worth; a bundle takes
    several resources in fixed proportion. `low`/`high` bound the mean worth (90 %).
    """

    takes: Resources
    width: float
    usd_per_hour: float
    low: float
    high: float


class PowerLaw(Value):
    """Income that grows by a power of one resource: `usd_per_hour * (amount - need) ** power`, 0 < power <= 1.

    `low`/`high` bound `usd_per_hour` (90 %). Of a resource that is not planned for the node it does not count.
    """

    resource: ResourceName
    usd_per_hour: float
    power: float
    low: float
    high: float


class ProblemNode(Value):
    """One node of a problem; amounts in the resources' own units, money in USD.

    `base_low_usd_per_hour` and `base_high_usd_per_hour` bound the mean base (90 %); None: not known apart from it.
    `change_usd` is what a change costs, whichever it is; `pause_usd` what the change of single resources does.
    Solvers count on `change_usd`, a plan is billed for the dearest of the resources that it changes. `need` is
    where activities and laws begin, when that is not the floor. A resource with a law is taken by no activity and
    by no other law.
    """

    name: str
    present: Resources
    floor: Resources
    cap: Resources
    activities: tuple[Activity, ...] = ()
    base_usd_per_hour: float = 0.0
    step: Resources = Resources()
    may_stop: bool = False
    locked: bool = False
    locked_by: tuple[str, ...] = ()
    change_usd: float = 0.0
    pause_usd: Resources = Resources()
    unit_usd: Resources = Resources()
    need: Resources = Resources()
    base_low_usd_per_hour: float | None = None
    base_high_usd_per_hour: float | None = None
    laws: tuple[PowerLaw, ...] = ()


class Pair(Value):
    """Two nodes that earn `usd_per_hour` more (less, when negative) while both of them run."""

    first: str
    second: str
    usd_per_hour: float


class Group(Value):
    """Nodes of which at most `most` may run at once, such as the devices behind one address."""

    name: str
    nodes: tuple[str, ...]
    most: int


class Problem(Value):
    """One host's problem. `capacity` is what may be given out: the host's less its reserve.

    `covariance` is that of the nodes' hourly rates, (USD/h)^2, by node in the problem's order, and `covariance_at`
    the rates (USD/h) it belongs to (empty: what the nodes earn with the present split). `objective` names a
    plug-in of group `orch.objectives`, or a function as `module:name`.
    """

    host: str
    capacity: Resources
    nodes: tuple[ProblemNode, ...]
    horizon_h: float
    max_changes: int | None = None
    pairs: tuple[Pair, ...] = ()
    groups: tuple[Group, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    covariance_at: tuple[float, ...] = ()
    max_variance: float | None = None
    objective: str | None = None


class Budget(Value):
    """How long a solver may take, in real seconds."""

    seconds: float = 1.0


class SolverJob(Value):
    """A problem for a solver in another process: one by its name, as `module:name` or `/path/to/file.py:name`."""

    id: str
    solver: str
    problem: Problem
    budget: Budget
    seed: int


class Share(Value):
    """The allocation an answer gives to one node."""

    node: str
    allocation: Resources


class Answer(Value):
    """What a solver found. `objective_usd` and `bound_usd` are over the horizon, as in the problem.

    `dual_prices` is what one more unit of a resource would add, in USD per hour. `reason` says why a
    problem is infeasible, or why there is no better status.
    """

    solver: str
    status: Status
    shares: tuple[Share, ...]
    objective_usd: float | None
    bound_usd: float | None
    gap_pct: float | None
    dual_prices: Resources
    seconds: float
    seed: int
    reason: str = ""
