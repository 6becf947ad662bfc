"""Structs as rows and back: which field is which column.

A `Shape` ties one Struct to one table. Columns have the fields' Python names (`from_value`, never `from`);
nested fields are JSON columns, with the names JSON has elsewhere inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import msgspec

from orch.model.alerts import Alert
from orch.model.board import Kpis
from orch.model.money import Entry
from orch.model.moves import Reallocation, StepRecord
from orch.model.plans import Decision
from orch.model.resources import RESOURCES
from orch.store.values import from_stored, to_json, to_stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from orch.model.fleet import NodeState, Snapshot
    from orch.model.readings import Failure, Health

S = TypeVar("S", bound=msgspec.Struct)
Row: TypeAlias = tuple[Any, ...]


class Shape(Generic[S]):
    """One Struct as the leading columns of one table.

    Args:
        table: The table.
        struct: The Struct; its fields are the columns, in order.
        nested: The fields kept as JSON.
        passing: Fields of the present moment only, which have defaults and no column.
    """

    def __init__(
        self,
        table: str,
        struct: type[S],
        nested: frozenset[str] = frozenset(),
        passing: frozenset[str] = frozenset(),
    ) -> None:
        self.table = table
        self.struct = struct
        fields = [field for field in msgspec.structs.fields(struct) if field.name not in passing]
        self.fields = tuple(field.name for field in fields)
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            field.name: msgspec.json.Decoder(field.type) for field in fields if field.name in nested
        }

    @property
    def columns(self) -> str:
        """The columns, for a SELECT."""
        return ", ".join(self.fields)

    def encode(self, value: S) -> Row:
        """The row of a value. Raises StoreError for money or times that cannot be kept."""
        return tuple(self._encode(name, getattr(value, name)) for name in self.fields)

    def decode(self, row: Sequence[Any]) -> S:
        """The value of a row whose first columns are this shape's."""
        pairs = zip(self.fields, row, strict=False)
        return self.struct(**{name: self._decode(name, value) for name, value in pairs})

    def _encode(self, name: str, value: Any) -> Any:
        if name not in self._decoders:
            return to_stored(value)
        return None if value is None else to_json(value)

    def _decode(self, name: str, value: Any) -> Any:
        if name not in self._decoders:
            return from_stored(value)
        return None if value is None else self._decoders[name].decode(value)


ENTRY = Shape("ledger", Entry)
ALERT = Shape(
    "alerts",
    Alert,
    passing=frozenset({"cost_usd_per_day", "unknown_since", "silenced_until", "inhibited_by"}),
)
DECISION = Shape(
    "decisions",
    Decision,
    frozenset({"reasons", "solver_chain", "from_value", "to_value", "gain_usd_per_hour", "blockers"}),
)
REALLOCATION = Shape(
    "reallocations",
    Reallocation,
    frozenset({"changes", "reasons", "predicted_gain_usd_per_hour", "realised_gain_usd_per_hour"}),
)
STEP = Shape("reallocation_steps", StepRecord, frozenset({"goal", "undo", "read_back"}))
KPIS = Shape("kpi_hourly", Kpis, frozenset({"allocation_efficiency", "nodes"}))


def sample_row(node: NodeState, taken_at: datetime) -> Row:
    """One row of `samples`: a node at one tick."""
    rate = node.rate
    return (
        to_stored(taken_at),
        node.host,
        node.name,
        node.health,
        rate and rate.low,
        rate and rate.mean,
        rate and rate.high,
        rate and rate.evidence,
        *(node.used.get(name) for name in RESOURCES),
        *(node.allocation.get(name) for name in RESOURCES),
    )


def tick_row(snapshot: Snapshot) -> Row:
    """One row of `ticks`: the whole host at one tick."""
    return to_stored(snapshot.taken_at), snapshot.host, fleet_health(tuple(node.health for node in snapshot.nodes))


def failure_row(failure: Failure, host: str, node: str | None) -> Row:
    """One row of `failures`."""
    return to_stored(failure.failed_at), host, node, failure.endpoint, failure.reason, failure.sentence


def fleet_health(healths: Sequence[Health]) -> Health:
    """The health of a host with these nodes: its worst one's.

    An offline node settles that not all are online, whatever is unknown of the others; an unknown one leaves
    it open; without any node nothing is known.
    """
    order: tuple[Health, ...] = ("offline", "unknown", "degraded")
    if not healths:
        return "unknown"
    return next((health for health in order if health in healths), "online")
