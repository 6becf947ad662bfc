"""What is told to people outside: one notice to one channel."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from orch.model.alerts import Severity
from orch.model.base import Value

NoticeKind: TypeAlias = Literal["alerts", "report", "test"]


class Notice(Value):
    """A message to people by one channel. A report's body is written by whoever sends it, when it does.

    `period_s` is set for reports only: how far back they look. `is_over`: nothing of what it tells fires any more.
    """

    id: str
    channel: str
    kind: NoticeKind
    title: str
    body: str
    severity: Severity
    created_at: datetime
    period_s: float | None = None
    is_over: bool = False
