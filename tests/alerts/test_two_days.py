"""Two days of trouble, written by hand: what arrives at a real web hook by Apprise is compared word by word."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from actors.monitor import Monitor, MonitorPlan
from actors.stage import Stage
from orch.alerts.desk import Channel, Terms
from orch.alerts.watch import Watch
from orch.earnings.costs import RunningCosts
from orch.messages import NoticeDelivered, NoticeFailed, SilenceAlert, SnapshotPublished
from orch.model.board import EngineView
from orch.model.money import Price, PriceNow
from orch.model.readings import Finding
from orch.model.resources import Resources
from orch.system.notify import deliver
from tests.fakes.caches import MemoryCache
from tests.fakes.values import node_state, rate, snapshot

if TYPE_CHECKING:
    from orch.model.fleet import Snapshot
    from orch.model.notices import Notice
    from tests.fakes.sink import Sink

T0 = datetime(2026, 11, 22, tzinfo=UTC)
TICK = timedelta(minutes=3)
NAMES = ("address", "compute", "disk", "relay")
VIEW = EngineView(running=True, pid=1, version="1", mode="auto", kind="real", speed=1.0)
OLD = Finding(code="old", severity="warning", sentence="nothing heard for long", remedy="look")


@dataclass
class Outside:
    """Delivers at once, by the same function as the workers, and tells what came of it."""

    stage: Stage
    sink: Sink
    seen: list[tuple[float, str]] = field(default_factory=list)

    def send(self, notice: Notice, *, reply_to: str) -> None:
        attempt = deliver(self.sink.url, notice)
        if attempt.arrived:
            self.seen.append(((self.stage.now() - T0).total_seconds() / 3600, notice.title))
            self.stage.tell(reply_to, NoticeDelivered(notice_id=notice.id, channel=notice.channel))
        else:
            failed = NoticeFailed(notice_id=notice.id, channel=notice.channel, sentence=attempt.sentence)
            self.stage.tell(reply_to, failed)


def is_lost(name: str, hour: float) -> bool:
    flaps = hour < 11 and int(hour * 6) % 2 == 0
    together = 18 <= hour < 18.4
    return {
        "relay": flaps or together,
        "disk": together,
        "compute": together or 44 <= hour < 45,
        "address": 36 <= hour < 39,
    }[name]


def price(state: str, age_s: float) -> PriceNow:
    quote = Price(token="GLM", usd=Decimal("0.2"), source="s", observed_at=T0, fetched_at=T0)
    return PriceNow(token="GLM", state=state, price=quote, age_s=age_s)


def world(now: datetime) -> Snapshot:
    """What is seen at a time."""
    hour = (now - T0).total_seconds() / 3600
    nodes = []
    for name in NAMES:
        lost = is_lost(name, hour)
        poor = name == "disk" and 22 <= hour < 33
        nodes.append(
            node_state(
                name,
                health="offline" if lost else "online",
                health_reason="nobody listens" if lost else "",
                rate=rate(0.002 if poor else 0.02),
                findings=(OLD,) if lost else (),
            )
        )
    prices = (price("fresh", 0.0),)
    if 14 <= hour < 16:
        prices = (price("stale", 1800.0), PriceNow(token="DATA", state="disputed", price=None, age_s=None))
    return snapshot(*nodes, at=now, prices=prices, capacity=Resources(cpu_cores=32.0))


def play(sink: Sink, restart_at: tuple[float, ...] = ()) -> tuple[list[tuple[float, str]], Stage]:
    stage, cache = Stage(1, T0), MemoryCache()
    outside = Outside(stage, sink)
    watch = Watch(terms=Terms(channels=(Channel(name="hook"),)))
    plan = MonitorPlan(
        engine=VIEW, costs=RunningCosts(), board_every_s=86_400.0, watch=watch, cache=cache, notifier=outside
    )
    stage.add(Monitor("monitor", stage.house(), plan))
    for step in range(int(timedelta(hours=48) / TICK)):
        now = T0 + step * TICK
        hour = step * TICK / timedelta(hours=1)
        stage.run_until(now)
        if hour in restart_at:
            stage.dismiss("monitor")
            stage.add(Monitor("monitor", stage.house(), plan))
        if hour == 36.5:
            order = SilenceAlert(alert_id="x", rule="node_lost", node="address", for_s=4 * 3600.0)
            stage.tell("monitor", order)
        if hour == 44:
            sink.statuses = [503, 503]
        stage.tell("monitor", SnapshotPublished(snapshot=world(now)))
    stage.drain()
    return outside.seen, stage


EXPECTED = [
    # The node that flaps for eleven hours, 33 times: told twice, six hours apart, and both times when it was back.
    (0, "Node lost: relay ($0.48 a day)"),
    (0, "Over: Node lost: relay"),
    (6, "Node lost: relay ($0.48 a day)"),
    (6, "Over: Node lost: relay"),
    # Prices: the dispute is explained by the outage.
    (14, "Prices are stale"),
    (16, "Over: Prices are stale"),
    # Three at once: one page. That they have findings, too, goes without saying.
    (18, "Node lost x3: compute, disk, relay ($1.44 a day)"),
    (18, "Over: Node lost x3: compute, disk, relay"),
    # Eleven hours of low earnings: repeated every four.
    (22, "Low earnings: disk ($0.43 a day)"),
    (26, "Still: Low earnings: disk ($0.36 a day)"),
    (30, "Still: Low earnings: disk ($0.31 a day)"),
    (33, "Over: Low earnings: disk"),
    # Silenced half an hour after it was told: its end is not told.
    (36, "Node lost: address ($0.48 a day)"),
    # The hook refuses twice: the alert stays armed.
    (44, "Node lost: compute ($0.48 a day)"),
    (45, "Over: Node lost: compute"),
]


def test_exactly_these_notices_arrive(sink: Sink) -> None:
    seen, _ = play(sink)
    assert [(int(hour), title) for hour, title in seen] == EXPECTED
    assert sink.titles == [title for _, title in EXPECTED]
    assert sink.asked == len(EXPECTED) + 2
    counts = Counter(title.partition(" ($")[0].partition(":")[0].split(" x")[0] for title in sink.titles)
    assert counts == {"Node lost": 5, "Prices are stale": 1, "Low earnings": 1, "Still": 2, "Over": 6}
    pages = [hour for hour, title in seen if title.startswith("Node lost: relay")]
    assert pages[1] - pages[0] >= 6.0
    # What happened, what it costs, what to do.
    first = sink.bodies[0]
    assert first["type"] == "failure"
    lines = first["message"].splitlines()
    assert lines[0] == "relay is offline: nobody listens. That costs $0.48 a day."
    assert lines[1] == "To do: Check that the golem process runs and that its API answers."
    assert lines[2].startswith("Severity page, since 2026-11-22 00:00 UTC, ")
    assert sink.bodies[1]["type"] == "success"
    assert "What it costs a day is not known." in sink.bodies[4]["message"]


def test_a_restart_in_the_midst_of_it_changes_nothing(sink: Sink) -> None:
    seen, stage = play(sink, restart_at=(0.2, 3.0, 14.5, 18.2, 27.0, 36.6, 38.0, 44.1))
    assert [title for _, title in seen] == [title for _, title in EXPECTED]
    assert stage.names() == ("monitor",)
