"""Many samples at once, from columns of NumPy arrays: imported history and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orch.model.money import EVIDENCE
from orch.store.maintenance import FIGURES
from orch.store.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import numpy as np
    from numpy.typing import NDArray

HEALTHS = ("online", "degraded", "unknown", "offline")
"""In the order of the codes, as in the schema."""
BATCH = 400_000


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """Samples column by column, all of one length n, in the order of time.

    Attributes:
        taken_at: datetime64[us], UTC.
        node: Index into the node names.
        health: Index into HEALTHS.
        evidence: Index into EVIDENCE; -1 where the rate is unknown.
        figures: The remaining columns by name, float64; absent ones are unknown, and so is NaN.
    """

    taken_at: NDArray[np.datetime64]
    node: NDArray[np.integer[Any]]
    health: NDArray[np.integer[Any]]
    evidence: NDArray[np.integer[Any]]
    figures: Mapping[str, NDArray[np.float64]]


def load_samples(
    connection: duckdb.DuckDBPyConnection, host: str, nodes: Sequence[str], columns: SampleColumns
) -> int:
    """Append samples of one host in batches of one transaction each; returns how many.

    Rows of one batch may end up in any order, which lets both threads write: a fifth of a second per half
    million rows instead of half a second.
    """
    total = len(columns.taken_at)
    figures = ", ".join(
        f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END" if name in columns.figures else "NULL"
        for name in FIGURES
    )
    query = f"""
        INSERT INTO samples (taken_at, host, node, health, evidence, {", ".join(FIGURES)})
        SELECT taken_at, $host, ($nodes)[node + 1], ($healths)[health + 1]::health,
               CASE WHEN evidence < 0 THEN NULL ELSE ($evidence)[evidence + 1] END::evidence, {figures}
        FROM incoming_samples
    """  # noqa: S608 - nothing from outside is in it
    names = {"host": host, "nodes": list(nodes), "healths": list(HEALTHS), "evidence": list(EVIDENCE)}
    connection.execute("SET preserve_insertion_order = false").fetchall()
    try:
        for start in range(0, total, BATCH):
            part = slice(start, start + BATCH)
            incoming = {
                "taken_at": columns.taken_at[part],
                "node": columns.node[part],
                "health": columns.health[part],
                "evidence": columns.evidence[part],
                **{name: values[part] for name, values in columns.figures.items()},
            }
            connection.register("incoming_samples", incoming)
            try:
                with transaction(connection):
                    connection.execute(query, names).fetchall()
            finally:
                connection.unregister("incoming_samples")
    finally:
        connection.execute("RESET preserve_insertion_order").fetchall()
    return total
