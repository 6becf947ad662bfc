"""Builders of what the recorder is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from orch.model.alerts import Alert
from orch.model.money import Entry, Rate
from orch.model.moves import Change, StepRecord
from orch.model.plans import Blocker
from orch.model.resources import ZERO, Resources
from orch.store.database import connect, open_for_writing
from tests.fakes import values

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def rate(mean=0.25, evidence="accrued"):
    return Rate(
        low=mean - 0.05, mean=mean, high=mean + 0.05, net_mean=None, evidence=evidence, window_s=3600.0, age_s=1.0
    )


RATE = rate()


def node_state(name="disk", health="online", rate=RATE, used=None, allocation=None, failures=()):
    return values.node_state(
        name,
        host="here",
        protocol="storj",
        emulated=True,
        health=health,
        last_seen_at=START,
        resources_as_of=START,
        rate=rate,
        allocation=allocation or Resources(cpu_cores=2.0, memory_gb=4.0, storage_gb=1000.0),
        used=used or Resources(cpu_cores=0.5),
        failures=failures,
    )


def snapshot(when=START, nodes=None, prices=(), tick=1):
    given = (node_state(),) if nodes is None else nodes
    nothing = {"capacity": ZERO, "reserve": ZERO, "host_used": ZERO}
    return values.snapshot(*given, at=when, tick=tick, host="here", prices=prices, **nothing)


def entry(entry_id="e1", usd="0.50", start=START, hours=1.0, **changes):
    fields = {
        "entry_id": entry_id,
        "booked_at": start + timedelta(hours=hours),
        "period_start": start,
        "period_end": start + timedelta(hours=hours),
        "host": "here",
        "node": "disk",
        "protocol": "storj",
        "stream": "sat|2026-03",
        "kind": "earned",
        "amount": Decimal("2.5"),
        "unit": "GLM",
        "usd_price": Decimal("0.2"),
        "usd_price_source": "override",
        "usd_price_at": start,
        "usd": None if usd is None else Decimal(usd),
        "evidence": "accrued",
        "reference": "invoice 7",
        "emulated": True,
    }
    return Entry(**{**fields, **changes})


def decision(decision_id="d1", when=START, **changes):
    fields = {
        "decided_at": when,
        "reasons": ("GAIN_BELOW_COST", "HOLD_ACTIVE"),
        "sentence": "Nothing to gain; 'it' stays.",
        "solver_chain": ("linear", "greedy"),
        "plan_id": "p1",
        "from_value": {"disk": Resources(cpu_cores=1.0)},
        "to_value": {"disk": Resources(cpu_cores=2.0, memory_gb=0.1)},
        "gain_usd_per_hour": rate(0.01),
        "gain_usd": Decimal("0.000000000000000001"),
        "cost_usd": Decimal("12.5"),
        "net_benefit_usd": Decimal("-12.5"),
        "can_reallocate": False,
        "blockers": (Blocker(code="HOLD_ACTIVE", sentence="held", node="disk", until=when),),
    }
    return values.decision(decision_id, **fields | changes)


def plan(plan_id="p1", decision_id="d1", when=START):
    made = decision(decision_id, when, plan_id=plan_id)
    return values.plan(made, bound=1.0, gap_pct=0.0, dual_prices=Resources(cpu_cores=0.1))


def reallocation(reallocation_id="r1", state="applying", when=START, **changes):
    fields = {
        "plan_id": "p1",
        "decision_id": "d1",
        "state": state,
        "started_at": when,
        "ended_at": None,
        "changes": (Change(node="disk", resource="cpu_cores", from_value=1.0, to_value=2.0, read_back=None),),
        "reasons": ("GAIN_ABOVE_COST",),
        "sentence": "disk gets a core",
        "predicted_gain_usd_per_hour": rate(0.01),
        "cost_usd": Decimal("0.01"),
    }
    return values.reallocation(reallocation_id, **fields | changes)


def step(index=0, phase="forward", outcome="verified", when=START):
    return StepRecord(
        reallocation_id="r1",
        step_index=index,
        node="disk",
        kind="grant",
        phase=phase,
        goal=Resources(cpu_cores=2.0),
        undo=Resources(cpu_cores=1.0),
        started_at=when,
        ended_at=when + timedelta(seconds=2),
        outcome=outcome,
        read_back=Resources(cpu_cores=2.0),
        sentence="",
    )


def alert(alert_id="a1", state="firing", since=START):
    return Alert(
        id=alert_id,
        rule="node_lost",
        node="disk",
        severity="page",
        state=state,
        since=since,
        sentence="disk is gone",
        remedy="look after it",
    )


@pytest.fixture
def make(builders):
    return builders


@pytest.fixture(scope="session")
def builders():
    return SimpleNamespace(
        START=START,
        rate=rate,
        node=node_state,
        snapshot=snapshot,
        entry=entry,
        decision=decision,
        plan=plan,
        reallocation=reallocation,
        step=step,
        alert=alert,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orch.duckdb"


@pytest.fixture
def writer(path):
    writer = open_for_writing(path, "emulated", "here", START)
    yield writer
    writer.close()


@pytest.fixture(scope="module")
def empty_writer(tmp_path_factory):
    """A writer of an empty database, for tests that only ask."""
    writer = open_for_writing(tmp_path_factory.mktemp("empty") / "orch.duckdb", "emulated", "here", START)
    yield writer
    writer.close()


@pytest.fixture(scope="module")
def emptied(tmp_path_factory):
    """Opens a database for an example and empties it before the next.

    It is one file and stays open meanwhile: DuckDB takes longer to begin than an example takes to be played.
    """
    path = tmp_path_factory.mktemp("emptied") / "orch.duckdb"
    open_for_writing(path, "emulated", "here", START).close()
    held = connect(path)
    new = held.execute("SELECT key, value FROM meta").fetchall()
    tables = [name for (name,) in held.execute("SELECT table_name FROM duckdb_tables()").fetchall()]

    def opened():
        for name in tables:
            held.execute(f"DELETE FROM {name}")
        held.executemany("INSERT INTO meta VALUES (?, ?)", new)
        return open_for_writing(path, "emulated", "here", START)

    yield opened
    held.close()
