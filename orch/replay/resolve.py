"""The newest plan made again with another solver, from what its decision was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.errors import StoreError
from orch.planning.settings import PlanSettings
from orch.replay.recorded import decide_again
from orch.store.inputs import read_inputs

if TYPE_CHECKING:
    import duckdb

    from orch.model.inputs import DecisionInputs
    from orch.model.plans import Plan
    from orch.replay.recorded import Bench


def plan_with(bench: Bench, inputs: DecisionInputs, plan: Plan, solver: str) -> Plan:
    """The plan that another solver makes of what a plan was made of, within the recorded budget.

    Its id says whose it is: it is nothing that an engine knows and could carry out.

    Raises:
        ConfigError: The strategy or the solver is not to be had.
        StoreError: There was no node to plan for.
    """
    settings = replace(msgspec.msgpack.decode(inputs.settings, type=PlanSettings), solver=solver)
    fitted = bench.fitted(inputs.strategy, inputs.options)
    _, found = decide_again(
        inputs,
        settings,
        fitted,
        bench.solvers(solver),
        plan.decided_at,
        plan.decision_id,
        f"{plan.id} by {solver}",
    )
    if found is None:
        raise StoreError("There was no node to plan for.")
    return found


def inputs_of(connection: duckdb.DuckDBPyConnection, decision_id: str) -> DecisionInputs:
    """What a decision was made of. Raises StoreError when that is not recorded."""
    for each, inputs in read_inputs(connection):
        if each == decision_id:
            return inputs
    raise StoreError(f"What decision {decision_id} was made of is not recorded: it is kept for 30 days.")
