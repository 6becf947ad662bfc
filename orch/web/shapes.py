"""The bodies of the HTTP interface that are not values of the model already."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from orch.model.alerts import Alert
from orch.model.base import Value
from orch.model.board import NodeView
from orch.model.moves import Reallocation
from orch.model.plans import Decision, Opportunity


class ErrorDetail(Value):
    """What went wrong: a countable code, a sentence, and whatever helps."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorBody(Value):
    """Every error of the interface has this shape."""

    error: ErrorDetail


class HealthBody(Value):
    """Whether the engine is there and how old its board is."""

    status: str
    version: str
    started_at: datetime
    board_as_of: datetime | None


class SessionBody(Value):
    """Whether whoever asks may give orders, and whether reading takes the token too."""

    may_order: bool
    reads_need_token: bool


class StreamEvent(Value):
    """One event of the stream: `board` with the encoded dashboard, or `end` when orch stops."""

    event: Literal["board", "end"]
    data: str
    id: str = ""


class NodePage(Value):
    """All nodes; there is one part only."""

    items: tuple[NodeView, ...]
    next: None


class OpportunityPage(Value):
    """All opportunities; there is one part only."""

    items: tuple[Opportunity, ...]
    next: None


class AlertPage(Value):
    """Alerts, newest first; `next` is the cursor of the following part."""

    items: tuple[Alert, ...]
    next: str | None


class DecisionPage(Value):
    """Decisions, newest first; `next` is the cursor of the following part."""

    items: tuple[Decision, ...]
    next: str | None


class ReallocationPage(Value):
    """Reallocations, newest first; `next` is the cursor of the following part."""

    items: tuple[Reallocation, ...]
    next: str | None


class AcceptedBody(Value):
    """An order was taken; what comes of it is seen in the reallocations."""

    accepted: str
    id: str


class OrderTaken(Value):
    """An order was taken. `until` is when a freeze ends, by the engine's clock."""

    accepted: str
    id: str
    until: datetime | None = None


class SilenceBody(Value):
    """A silence was ordered, or one lifted; `rule` and `node` are what it is about."""

    accepted: str
    id: str
    rule: str
    node: str | None


class SeriesLine(Value):
    """One line of a chart; a step without a figure is left out."""

    node: str
    resource: str | None
    unit: str
    points: tuple[tuple[datetime, float], ...]


class HistoryBody(Value):
    """A metric over time."""

    schema: int
    metric: str
    unit: str | None
    step_s: int
    series: tuple[SeriesLine, ...]
