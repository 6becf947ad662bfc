"""The compiled solvers from outside: whether they are there, made ready ahead of time, and asked.

They are used where numba is installed (extra `fast`), they have been compiled once (`python -m
orch.solvers.fast` takes a minute or a few) and `warm` has been called. That is done where a solver is loaded,
which takes a second: no budget counts it, and no engine waits for a compiler.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orch.model.problems import Activity, Answer, Problem, ProblemNode, Share
from orch.model.resources import Resources
from orch.solvers.answers import EXACT
from orch.solvers.flat import flat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STEPS = 24
"""Steps towards the lowest bound: one takes a few microseconds."""
PARTIAL_PER_S = 1_000_000
"""Partial choices that a slow machine looks at in a second: the work allowed follows from the budget alone."""

SOURCES = (
    "batch_bundle_compiled",
    "exact_compiled",
    "market_compiled",
    "menu_compiled",
    "settle_compiled",
    "spans_compiled",
    "split_compiled",
)

_warm: list[Any] = []


def warm(*, compiling: bool = False) -> bool:
    """Load the compiled solvers; whether they are ready.

    Args:
        compiling: Whether to compile them where that has not been done. Without, they are only ready where it has.
    """
    if _warm or not installed():
        return ready()
    from orch.solvers import exact_compiled, split_compiled

    if compiling or _compiled(exact_compiled):
        made = flat(_tiny())
        exact_compiled.proven(made, STEPS, 0.1 * EXACT, 1000)
        if made is not None:
            _, menu, _, best = exact_compiled.opened(made, STEPS, 0.0)
            _, _, grown, held = exact_compiled.valued(menu, made.pairs, best.places, best.prices)
            split_compiled.split(menu, made, best.places, grown, held)
            split_compiled.money_scale(made)
        _warm.append(exact_compiled)
    return ready()


def _compiled(module: Any) -> bool:
    """Whether machine code is kept that is younger than all it comes from."""
    kept = list(Path(module.proven._cache.cache_path).glob("exact_compiled.proven-*.nbi"))  # noqa: SLF001 - no other way
    sources = [Path(__file__).with_name(f"{name}.py") for name in SOURCES]
    return bool(kept) and max(each.stat().st_mtime for each in kept) > max(
        each.stat().st_mtime for each in sources
    )


@lru_cache(maxsize=1)
def installed() -> bool:
    """Whether numba is there."""
    return find_spec("numba") is not None


def ready() -> bool:
    """Whether the compiled solvers have been loaded."""
    return bool(_warm)


@contextmanager
def numpy_alone() -> Iterator[None]:
    """As if nothing were compiled, to measure and to compare."""
    kept, _warm[:] = list(_warm), []
    try:
        yield
    finally:
        _warm[:] = kept


def module() -> Any:
    """The compiled solvers. They must be ready."""
    return _warm[0]


def proven(problem: Problem, seconds: float, seed: int) -> Answer | None:
    """A proven answer to a plain problem, or None: then the ordinary way has the words, or the patience.

    `seconds` is how long it may take; the clock is not asked, and the answer's own is for the caller to set.
    """
    made = flat(problem)
    if made is None:
        return None
    work = max(int(seconds * PARTIAL_PER_S), 1)
    complete, usd, bound, amounts, prices, money = module().proven(made, STEPS, 0.1 * EXACT, work)
    if not complete or usd == -math.inf:
        return None
    bound = max(bound, usd)
    return Answer(
        solver="exact",
        status="optimal",
        shares=shares_of(problem, amounts),
        objective_usd=usd,
        bound_usd=bound,
        gap_pct=min(100.0 * (bound - usd) / max(abs(usd), money * EXACT), 100.0 * EXACT),
        dual_prices=resources_of(prices.tolist()),
        seconds=0.0,
        seed=seed,
    )


def shares_of(problem: Problem, amounts: NDArray[Any]) -> tuple[Share, ...]:
    """Shares from amounts by node and resource, NaN where a resource is not planned."""
    rows = zip(problem.nodes, amounts.tolist(), strict=True)
    return tuple([Share(node=node.name, allocation=resources_of(row)) for node, row in rows])


def resources_of(row: list[float]) -> Resources:
    """Amounts in the order of `RESOURCES`; NaN is unknown."""
    cores, memory, bandwidth, storage = [None if each != each else each for each in row]  # noqa: PLR0124 - NaN
    return Resources(cpu_cores=cores, memory_gb=memory, bandwidth_mbps=bandwidth, storage_gb=storage)


def _tiny() -> Problem:
    """Two nodes on one resource, so that everything is called once."""
    one = Resources(cpu_cores=1.0)
    work = Activity(takes=one, width=2.0, usd_per_hour=1.0, low=1.0, high=1.0)
    nodes = tuple(
        ProblemNode(name=name, present=one, floor=one, cap=Resources(), activities=(work,), may_stop=True)
        for name in "ab"
    )
    return Problem(host="", capacity=Resources(cpu_cores=3.0), nodes=nodes, horizon_h=1.0)


if __name__ == "__main__":
    warm(compiling=True)
