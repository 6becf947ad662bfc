"""`orch plan --solver`: the newest plan's inputs, fetched as a table and solved here, beside the engine."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orch.cli.source import Source
    from orch.model.plans import Plan
    from orch.replay.recorded import Bench

STANDS_ALONE = timedelta(hours=3)
"""Rows lean on one of the last hour, and on the foresight of an hour."""


def known_solver(name: str) -> str:
    """The name of an installed solver. Raises UsageError, naming those there are."""
    from orch.errors import UsageError
    from orch.solvers.registry import solver_names

    if name not in solver_names():
        raise UsageError(f"There is no solver {name!r}: take one of {', '.join(sorted(solver_names()))}.")
    return name


def solved_again(source: Source, plan: Plan, bench: Bench, solver: str) -> Plan:
    """A plan of what another plan was made of.

    Raises:
        StoreError: What it was made of is not recorded.
    """
    import duckdb

    from orch.replay.resolve import inputs_of, plan_with

    with TemporaryDirectory(prefix="orch-plan-") as room, duckdb.connect() as connection:
        path = Path(room, "decision_inputs.parquet")
        with path.open("wb") as file:
            since = plan.decided_at - STANDS_ALONE
            for chunk in source.table("decision_inputs", "parquet", since, None):
                file.write(chunk)
        connection.execute(
            "CREATE TABLE decision_inputs AS SELECT * FROM read_parquet($path) "
            "ORDER BY decided_at, NOT starts_with(id, 'foresight of '), base IS NOT NULL, id",
            {"path": str(path)},
        )
        inputs = inputs_of(connection, plan.decision_id)
    return plan_with(bench, inputs, plan, solver)
