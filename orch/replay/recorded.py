"""A recorded data directory through the decide step again: the same decisions, or those of another strategy."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import fields, replace

from orch.errors import StoreError
from orch.model.base import Value
from orch.model.problems import Budget
from orch.planning.decide import decide
from orch.planning.settings import PlanSettings
from orch.solvers.registry import solvers_for
from orch.store.inputs import read_inputs
from orch.store.queries import decisions_by_id
from orch.strategies.registry import fit_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import duckdb

    from orch.model.inputs import DecisionInputs
    from orch.model.plans import Decision, Plan
    from orch.replay.contenders import Entrant
    from orch.solvers.base import Solver
    from orch.strategies.base import Fitted, StrategySpec

SHOWN = 20
BATCH = 256
SOLVER_S = 60.0
"""A solver may take its time: what it finds must not depend on how busy this machine is."""


class Differs(Value):
    """A decision that came out differently, and in which fields."""

    id: str
    fields: tuple[str, ...]
    recorded: str
    replayed: str


class Again(Value):
    """What a replay found. `missing`: decisions of which it is not recorded what they were made of."""

    schema: int
    since: datetime | None
    until: datetime | None
    decisions: int
    same: int
    missing: int
    moves: int
    differs: tuple[Differs, ...]
    """The first few."""


class Recorded(NamedTuple):
    """A decision, with what it was made of."""

    decision: Decision
    inputs: DecisionInputs


class Bench:
    """Strategies and solvers as decisions name them, loaded once each.

    Args:
        loaders: The strategies there are, a user's own among them.
        solvers: More solvers by name, such as a user's own.
    """

    def __init__(
        self, loaders: Mapping[str, Callable[[], StrategySpec]], solvers: Mapping[str, Solver] | None = None
    ) -> None:
        self._loaders = loaders
        self._own = dict(solvers or {})
        self._fitted: dict[tuple[str, bytes], Fitted] = {}
        self._solvers: dict[str, Mapping[str, Solver]] = {}
        self._settings: dict[bytes, PlanSettings] = {}

    def fitted(self, name: str, packed: bytes) -> Fitted:
        """A strategy with its recorded options. Raises ConfigError when it is not to be had any more."""
        key = (name, packed)
        if key not in self._fitted:
            given: dict[str, Any] = msgspec.msgpack.decode(packed)
            options = {
                each: msgspec.convert(value, self._loaders[each]().options)
                for each, value in given.items()
                if each in self._loaders
            }
            self._fitted[key] = fit_strategy(name, options, self._loaders)
        return self._fitted[key]

    def solvers(self, name: str) -> Mapping[str, Solver]:
        """A solver and those it falls back to."""
        if name not in self._solvers:
            self._solvers[name] = {**solvers_for("conic"), **solvers_for(name), **self._own}
        return self._solvers[name]

    def settings(self, packed: bytes) -> PlanSettings:
        """How was planned, with time enough for the solver."""
        if packed not in self._settings:
            found = msgspec.msgpack.decode(packed, type=PlanSettings)
            self._settings[packed] = replace(found, budget=Budget(seconds=SOLVER_S))
        return self._settings[packed]

    def decide(self, recorded: Recorded) -> Decision:
        """The decision made again, from what it was made of."""
        inputs, known = recorded.inputs, recorded.decision
        settings = self.settings(inputs.settings)
        fitted = self.fitted(inputs.strategy, inputs.options)
        plan_id = known.plan_id or f"p{known.id[1:]}"
        found, _ = decide_again(
            inputs, settings, fitted, self.solvers(settings.solver), known.decided_at, known.id, plan_id
        )
        return found


def decide_again(
    inputs: DecisionInputs,
    settings: PlanSettings,
    who: Fitted | Entrant,
    solvers: Mapping[str, Solver],
    now: datetime,
    decision_id: str,
    plan_id: str,
) -> tuple[Decision, Plan | None]:
    """What somebody decides from what a decision was made of."""
    return decide(
        inputs.snapshot,
        inputs.guards,
        settings,
        strategy=who.strategy,
        options=who.options,
        solvers=solvers,
        decision_id=decision_id,
        plan_id=plan_id,
        now=now,
        previous_prices=inputs.prices or None,
        foresight=inputs.foresight,
    )


def decisions(connection: duckdb.DuckDBPyConnection) -> Iterator[Recorded]:
    """The recorded decisions with what they were made of, in the order of time.

    Raises:
        StoreError: The record cannot be read.
    """
    for batch in _batches(read_inputs(connection.cursor())):
        known = decisions_by_id(connection, [decision_id for decision_id, _ in batch])
        yield from (Recorded(known[each], inputs) for each, inputs in batch if each in known)


def _batches(rows: Iterator[tuple[str, DecisionInputs]]) -> Iterator[list[tuple[str, DecisionInputs]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def count_decisions(connection: duckdb.DuckDBPyConnection) -> int:
    """How many decisions are recorded, whatever is known of them."""
    found: int = connection.execute("SELECT count(*) FROM decisions").fetchall()[0][0]
    return found


def replay(
    connection: duckdb.DuckDBPyConnection, bench: Bench, told: Callable[[int, int], object] | None = None
) -> Again:
    """Make every recorded decision again, and compare it field by field.

    Raises:
        StoreError: Nothing is recorded that could be replayed, or it cannot be read.
        ConfigError: A strategy is not to be had any more.
    """
    whole = count_decisions(connection)
    done = same = moves = 0
    since = until = None
    differs: list[Differs] = []
    for recorded in decisions(connection):
        again = bench.decide(recorded)
        done += 1
        moves += again.verdict == "move"
        since, until = since or recorded.decision.decided_at, recorded.decision.decided_at
        if again == recorded.decision:
            same += 1
        elif len(differs) < SHOWN:
            differs.append(_difference(recorded.decision, again))
        if told is not None:
            told(done, whole)
    if not done:
        raise StoreError(
            "Nothing can be replayed: no decision has a record of what it was made of. That is kept for 30 days, "
            "and not by older versions."
        )
    return Again(
        schema=1,
        since=since,
        until=until,
        decisions=done,
        same=same,
        missing=whole - done,
        moves=moves,
        differs=tuple(differs),
    )


def _difference(recorded: Decision, again: Decision) -> Differs:
    names = tuple(
        each.name for each in fields(recorded) if getattr(recorded, each.name) != getattr(again, each.name)
    )
    return Differs(id=recorded.id, fields=names, recorded=recorded.sentence, replayed=again.sentence)
