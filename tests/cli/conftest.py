"""A small recorded house: a board, decisions, moves, a ledger, in a database written by the real writer."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner

from orch.cli import main
from orch.model.alerts import Alert
from orch.model.board import Dashboard, EngineView, Kpis, NodeView, OpportunityView, TotalView
from orch.model.money import EarnedUsd, Entry, Rate
from orch.model.moves import Change
from orch.model.plans import Blocker, Opportunity, PlanStanding
from orch.model.resources import ZERO, Resources
from orch.store.database import open_for_writing, open_read_only
from orch.store.shelf import Shelf
from orch.system.paths import DATABASE_FILE, EngineInfo, web_token, write_engine
from orch.web.backend import Backend, BoardSlot
from orch.web.server import WebServer
from tests.fakes import values

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=30)
BEFORE = {
    "disk": Resources(cpu_cores=6.0, memory_gb=16.0, bandwidth_mbps=150.0, storage_gb=3000.0),
    "compute": Resources(cpu_cores=2.0, memory_gb=8.0, bandwidth_mbps=100.0, storage_gb=6000.0),
}
AFTER = {
    "disk": Resources(cpu_cores=1.5, memory_gb=16.0, bandwidth_mbps=150.0, storage_gb=3000.0),
    "compute": Resources(cpu_cores=6.5, memory_gb=8.0, bandwidth_mbps=100.0, storage_gb=6000.0),
}


def rate(mean=0.25, evidence="accrued", net=None, age_s=60.0):
    return Rate(
        low=mean * 0.8, mean=mean, high=mean * 1.2, net_mean=net, evidence=evidence, window_s=3600.0, age_s=age_s
    )


def node(name="disk", health="online", usd=0.0123, **changes):
    fields = {
        "name": name,
        "host": "here",
        "protocol": {"disk": "storj", "compute": "golem"}.get(name, "grass"),
        "emulated": True,
        "health": health,
        "health_reason": "" if health == "online" else "nobody listens",
        "last_seen_at": NOW - timedelta(seconds=40),
        "usd_per_hour": None if usd is None else rate(usd),
        "share_pct": None if usd is None else 50.0,
        "allocation": BEFORE.get(name, Resources(cpu_cores=1.0)),
        "allocation_pct": Resources(cpu_cores=10.0),
        "optimal": AFTER.get(name, Resources()),
        "used": Resources(cpu_cores=0.5),
        "committed": Resources(),
        "worth": Resources(cpu_cores=0.0024) if name == "compute" else Resources(),
        "earned_usd": EarnedUsd(settled=Decimal("12.30")),
        "locked_by": (),
    }
    return NodeView(**{**fields, **changes})


def alert(alert_id="a1", severity="warning", state="firing", **changes):
    fields = {
        "id": alert_id,
        "rule": "low_earnings",
        "node": "disk",
        "severity": severity,
        "state": state,
        "since": NOW - timedelta(minutes=5),
        "sentence": "disk earns little",
        "remedy": "look at its log",
    }
    return Alert(**{**fields, **changes})


def move(move_id="r1", state="settled", when=START, **changes):
    taken = 1.5 if state == "settled" else None
    over = state in ("settled", "rolled_back", "stuck", "refused")
    fields = {
        "plan_id": "p1",
        "decision_id": "d1",
        "state": state,
        "started_at": when,
        "ended_at": when + timedelta(minutes=1) if over else None,
        "changes": (Change(node="disk", resource="cpu_cores", from_value=6.0, to_value=1.5, read_back=taken),),
        "reasons": ("GAIN_ABOVE_COST",),
        "sentence": "Move 4.5 cores from disk to compute.",
        "predicted_gain_usd_per_hour": rate(0.02),
        "cost_usd": Decimal("0.0016"),
    }
    return values.reallocation(move_id, **fields | changes)


def decision(decision_id="d1", when=START, **changes):
    fields = {
        "decided_at": when,
        "reasons": ("HOLD_ACTIVE", "GAIN_BELOW_COST"),
        "sentence": "Stay: disk rests.",
        "solver_chain": ("linear", "greedy"),
        "plan_id": f"p{decision_id[1:]}",
        "from_value": BEFORE,
        "to_value": AFTER,
        "gain_usd_per_hour": rate(0.0213, "estimated"),
        "gain_usd": Decimal("0.4089"),
        "cost_usd": Decimal("0.0016"),
        "net_benefit_usd": Decimal("0.4073"),
        "net_benefit_pct": 99.6,
        "can_reallocate": False,
        "blockers": (
            Blocker(code="HOLD_ACTIVE", sentence="disk rests.", node="disk", until=when + timedelta(minutes=42)),
        ),
    }
    return values.decision(decision_id, **fields | changes)


def plan(of):
    opportunity = Opportunity(
        kind="misallocated",
        node="compute",
        resource="cpu_cores",
        from_value=2.0,
        to_value=6.5,
        usd_per_hour=rate(0.0213),
        evidence="estimated",
    )
    return values.plan(
        of,
        bound=1.0,
        gap_pct=0.0,
        dual_prices=Resources(cpu_cores=0.0024),
        improvement_pct=41.0,
        opportunities=(opportunity,),
    )


def board(**changes):
    nodes = changes.pop("nodes", (node("disk"), node("compute", usd=0.0301), node("address", usd=None)))
    of = decision("d2", NOW - timedelta(seconds=20))
    fields = {
        "schema": 1,
        "as_of": NOW,
        "engine": EngineView(
            running=True, pid=os.getpid(), version="0.1.0", mode="auto", kind="emulated", speed=60.0
        ),
        "total": TotalView(
            usd_per_hour=rate(0.0424, net=0.0381),
            earned_usd=EarnedUsd(settled=Decimal("12.30"), accrued=Decimal("3.21")),
            leaves_out=("address",),
            by_protocol={"storj": rate(0.0123), "golem": rate(0.0301)},
        ),
        "nodes": nodes,
        "capacity": Resources(cpu_cores=16.0, memory_gb=64.0, bandwidth_mbps=500.0, storage_gb=12000.0),
        "reserve": Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=20.0, storage_gb=100.0),
        "opportunity": OpportunityView(
            decision_id=of.id,
            gain_usd_per_hour=of.gain_usd_per_hour,
            gain_usd=of.gain_usd,
            cost_usd=of.cost_usd,
            net_benefit_usd=of.net_benefit_usd,
            net_benefit_pct=of.net_benefit_pct,
            horizon_h=24.0,
            sentence=of.sentence,
        ),
        "can_reallocate": False,
        "blockers": of.blockers,
        "next_decision_at": NOW + timedelta(seconds=40),
        "next_reallocation_at": NOW + timedelta(minutes=12),
        "recent_changes": (move(),),
        "alerts": (),
        "kpis": Kpis(uptime_pct=99.8, reallocations_per_day=3.2),
    }
    return Dashboard(**{**fields, **changes})


def entry(entry_id, usd, evidence="settled", kind="earned", name="disk", when=START, **changes):
    fields = {
        "entry_id": entry_id,
        "booked_at": when,
        "period_start": when - timedelta(hours=1),
        "period_end": when,
        "host": "here",
        "node": name,
        "protocol": "storj",
        "stream": "sat|2026-03",
        "kind": kind,
        "amount": Decimal("2.5"),
        "unit": "GLM",
        "usd_price": Decimal("0.2"),
        "usd_price_source": "override",
        "usd_price_at": when,
        "usd": None if usd is None else Decimal(usd),
        "evidence": evidence,
        "reference": "invoice, 7",
        "emulated": True,
    }
    return Entry(**{**fields, **changes})


LEDGER = (
    entry("e1", "0.123456789012345678"),
    entry("e2", "10"),
    entry("e3", "-0.5", kind="correction"),
    entry("e4", "0.5", "accrued", "correction"),
    entry("e5", "-0.25", kind="fee"),
    entry("e6", None, unit="DATA"),
    entry("e7", "3", "speculative"),
    entry("e8", "0.7", "estimated", name="compute", when=START + timedelta(minutes=20)),
)


def snapshot(when, tick):
    def state(name, usd):
        return values.node_state(
            name,
            host="here",
            protocol="storj",
            emulated=True,
            last_seen_at=when,
            resources_as_of=when,
            rate=rate(usd),
            allocation=BEFORE[name],
            used=Resources(cpu_cores=0.5),
        )

    nodes = (state("disk", 0.01 + tick / 1000), state("compute", 0.03))
    nothing = {"capacity": ZERO, "reserve": ZERO, "host_used": ZERO}
    return values.snapshot(*nodes, at=when, tick=tick, host="here", **nothing)


def write(data_dir, kind="emulated"):
    """A database with everything in it; returns the open writer."""
    data_dir.mkdir(exist_ok=True)
    writer = open_for_writing(data_dir / DATABASE_FILE, kind, "here", START)
    for tick in range(7):
        when = START + timedelta(minutes=5 * tick)
        writer.add_tick(snapshot(when, tick), LEDGER if tick == 0 else (), tick)
    for each in (decision("d1"), decision("d2", NOW - timedelta(seconds=20))):
        writer.add_decision(each, plan(each))
    writer.add_reallocation(move("r1"))
    writer.add_reallocation(
        move("r2", "rolled_back", START + timedelta(minutes=10), rolled_back_reason="It did not take.")
    )
    writer.add_board(NOW, msgspec.json.encode(board()))
    writer.commit()
    return writer


@pytest.fixture
def make():
    return SimpleNamespace(
        NOW=NOW,
        START=START,
        alert=alert,
        board=board,
        decision=decision,
        entry=entry,
        move=move,
        node=node,
        plan=plan,
        rate=rate,
        write=write,
    )


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home and a working directory without any configuration."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("ORCH_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def orch():
    """Call a command; gives exit_code, stdout, stderr."""

    def call(*args):
        return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="orch")

    return call


@pytest.fixture(scope="session")
def stopped(tmp_path_factory):
    """The data directory of an engine that has stopped: only read.

    Its database stays open for reading: DuckDB takes long to begin, and further readers share what was begun.
    """
    data_dir = tmp_path_factory.mktemp("stopped") / "data"
    write(data_dir).close()
    with open_read_only(data_dir / DATABASE_FILE):
        yield data_dir


@pytest.fixture
def own_stopped(stopped, tmp_path):
    """A copy of it, to do with as one likes."""
    return Path(shutil.copytree(stopped, tmp_path / "data"))


class Running:
    """The real HTTP interface over a real writer, announced as the running engine."""

    def __init__(self, data_dir, kind="emulated"):
        self.data_dir = data_dir
        self.orders = []
        self.standing = PlanStanding(plan_id="p1", state="open", sentence="Plan p1 may be approved.")
        self.writer = write(data_dir, kind)
        self.slot = BoardSlot()
        self.slot.swap(msgspec.json.encode(board()))
        shelf = Shelf()
        shelf.put(self.writer)
        token_file, token = web_token(data_dir)
        backend = Backend(
            board=self.slot,
            shelf=shelf,
            tell=lambda name, message: not self.orders.append((name, message)),
            ask=lambda _name, _question: self.standing,
            token=token,
            open_reads=False,
            version="0.1.0",
            started_at=START,
            now=lambda: NOW + timedelta(microseconds=1),
            config={},
        )
        self.server = WebServer(backend, "127.0.0.1", 0)
        self.url = self.server.start()
        self.token_file = str(token_file)
        self.announce()

    def announce(self, **changes):
        fields = {
            "pid": os.getpid(),
            "url": self.url,
            "token_file": self.token_file,
            "kind": "emulated",
            "started_at": START,
            "version": "0.1.0",
        }
        write_engine(self.data_dir, EngineInfo(**{**fields, **changes}))

    def close(self):
        self.server.stop()
        self.writer.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """A running engine's data directory and HTTP interface: only asked."""
    engine = Running(tmp_path_factory.mktemp("running") / "data")
    yield engine
    engine.close()


@pytest.fixture
def own_running(tmp_path):
    """One of its own, to do with as one likes, and the orders it was given."""
    engine = Running(tmp_path / "live")
    yield engine
    engine.close()
