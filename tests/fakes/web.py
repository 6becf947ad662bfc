"""A backend of the HTTP interface over a real database, and a board to put in it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from orch.earnings.costs import RunningCosts
from orch.model.alerts import Alert
from orch.model.board import Dashboard, EngineView, Kpis, NodeKpis
from orch.model.moves import Change
from orch.model.plans import Blocker, Opportunity, PlanStanding
from orch.model.resources import Resources
from orch.reports.dashboard import Times, get_dashboard_metrics
from orch.store.database import open_for_writing
from orch.store.shelf import Shelf
from orch.web.backend import Backend, BoardSlot
from tests.fakes.values import NOON, decision, node_state, rate, reallocation, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orch.messages import HowStandsPlan

TOKEN = "t" * 43
HERE = "http://127.0.0.1:8787"
ENGINE = EngineView(running=True, pid=1, version="1.2.3", mode="auto", kind="emulated", speed=60.0)
DECISION = decision(
    from_value={"disk": Resources(cpu_cores=1.0)},
    to_value={"disk": Resources(cpu_cores=2.0)},
    gain_usd_per_hour=rate(),
    gain_usd=Decimal("0.5"),
    cost_usd=Decimal("0.1"),
    net_benefit_usd=Decimal("0.4"),
    net_benefit_pct=80.0,
    blockers=(Blocker(code="HOLD_ACTIVE", sentence="held", node="disk"),),
)
ALERT = Alert(
    id="a1", rule="node_lost", node="disk", severity="page", state="firing", since=NOON, sentence="s", remedy="r"
)
OPPORTUNITY = Opportunity(
    kind="underused",
    node="disk",
    resource="cpu_cores",
    from_value=1.0,
    to_value=2.0,
    usd_per_hour=rate(),
    evidence="accrued",
)


def standing(_: str, question: HowStandsPlan) -> PlanStanding:
    """Every plan may be approved, but for the unknown."""
    state = "open" if question.plan_id == "p1" else "unknown"
    return PlanStanding(plan_id=question.plan_id, state=state, sentence=f"that plan is {state}")


class Orders(list):
    """Remembers what was told; nobody is there once `present` is False."""

    present = True

    def __call__(self, name: str, message: Any) -> bool:
        self.append((name, message))
        return self.present


def board(**rest: Any) -> Dashboard:
    """A board of two nodes, one of which earns nobody knows what."""
    full = Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=8.0, storage_gb=4.0)
    disk = node_state("disk", protocol="storj", allocation=full, used=full, committed=full, rate=rate(0.02, 0.1))
    made = get_dashboard_metrics(
        snapshot(disk, node_state("relay", protocol="streamr", rate=None, health="unknown"), capacity=full),
        ENGINE,
        DECISION,
        None,
        Times(next_decision_at=NOON, next_reallocation_at=NOON),
        (),
        (ALERT,),
        Kpis(nodes={"disk": NodeKpis(usd_per_hour=0.02, utilisation=full, time_to_reconnect_s=None)}),
        RunningCosts(),
        opportunities=(OPPORTUNITY,),
    )
    return replace(made, **rest) if rest else made


def encoded(shown: Dashboard) -> bytes:
    """As the monitor encodes it."""
    return msgspec.json.Encoder(decimal_format="string").encode(shown)


def error_of(response: Any) -> tuple[int, str]:
    """The status and the code of a refusal, which has the one shape of all refusals."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    return response.status_code, body["error"]["code"]


@contextmanager
def serving(directory: Path, **rest: Any) -> Iterator[Backend]:
    """A backend with a board, two moves, a decision and an alert; ends with its database."""
    writer = open_for_writing(directory / "orch.duckdb", "emulated", "h", NOON)
    change = Change(node="disk", resource="cpu_cores", from_value=1.0, to_value=2.0, read_back=2.0)
    writer.add_reallocation(reallocation("r1", changes=(change,)))
    writer.add_reallocation(reallocation("r2"))
    writer.add_decision(DECISION, None)
    writer.add_alert(ALERT)
    writer.commit()
    shelf = Shelf()
    shelf.put(writer)
    slot = BoardSlot()
    slot.swap(encoded(board()))
    known: dict[str, Any] = {
        "board": slot,
        "shelf": shelf,
        "tell": Orders(),
        "token": TOKEN,
        "open_reads": True,
        "version": "1.2.3",
        "started_at": NOON,
        "now": lambda: datetime(2026, 11, 22, 12, tzinfo=UTC),
        "config": {"orch": {"mode": "auto"}},
        "ask": standing,
    }
    try:
        yield Backend(**(known | rest))
    finally:
        shelf.clear()
        writer.close()
