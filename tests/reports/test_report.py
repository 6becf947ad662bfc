"""A report put together by hand: sums, what is unknown, what is suggested; and its three faces."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.model.board import Kpis
from orch.model.report import Comparison, Drawn
from orch.model.switches import Missed
from orch.reports.html import report_html
from orch.reports.report import Sources, exact, generate_report
from orch.reports.svg import compared, nice, stacked_areas
from orch.reports.text import report_text, usd
from orch.store.books import IncomeStep
from orch.store.reporting import FIGURES, AlertSum, LedgerSum, NodeTimes
from orch.store.series import KpiHour, Line, Uptime
from tests.fakes.values import rate, reallocation

T0 = datetime(2026, 11, 1, tzinfo=UTC)
END = T0 + timedelta(days=2)
HOUR = timedelta(hours=1)


def booked(node, kind, evidence, usd_, unpriced=0):
    return LedgerSum(
        node=node, protocol="storj", kind=kind, evidence=evidence, usd=Decimal(usd_), entries=2, unpriced=unpriced
    )


LEDGER = (
    booked("<disk>", "earned", "settled", "1.000000000000000001"),
    booked("<disk>", "correction", "settled", "-0.25"),
    booked("<disk>", "earned", "accrued", "0.5"),
    booked("<disk>", "earned", "speculative", "99"),
    booked("<disk>", "fee", "settled", "-0.10"),
    booked("<disk>", "paid", "settled", "7"),
    booked("points", "earned", "estimated", "0", unpriced=2),
)


def times(node, mean, online=95, unknown=0, **means):
    known = dict.fromkeys(FIGURES) | {"cpu_allocated": 4.0, "cpu_used": 2.0} | means
    return NodeTimes(node=node, ticks=100, online=online, unknown=unknown, usd_per_hour=mean, means=known)


def sources(**rest):
    known = {
        "kind": "emulated",
        "host": "here & now",
        "ledger": LEDGER,
        "times": (times("<disk>", 0.03), times("points", None, online=0, unknown=100)),
        "uptime": Uptime(ticks=100, online=90, degraded=0, unknown=10, offline=0),
        "kpis": (
            KpiHour(taken_at=T0, host="h", kpis=Kpis(prediction_mape_pct=12.0, prediction_coverage_pct=60.0)),
        ),
        "decisions": (48, 2, {"LEVER_IN_SUGGEST_MODE": 40, "GAIN_BELOW_COST": 8}),
        "alerts": (AlertSum(rule="node_lost", node="<disk>", severity="page", count=6, lasted_s=7200.0),),
        "rates": (Line(node="<disk>", resource=None, unit="USD/h", points=((T0, 0.03), (T0 + HOUR, 0.02))),),
        "recorded_since": T0 - HOUR,
        "comparison": Comparison(
            hours=48.0,
            as_recorded_usd=1.5,
            never_moved_usd=1.2,
            best_fixed_usd=2.5,
            moving_cost_usd=0.1,
            gained_by_moving_usd=0.2,
            left_on_the_table_usd=1.1,
            splits=3,
        ),
        "costs": {int(T0.timestamp()) // 3600: 0.01, int(T0.timestamp()) // 3600 + 1: 0.01},
        "charged_usd": -0.1,
    }
    return Sources(**(known | rest))


MOVES = (
    reallocation("r2", verdict="paid", cost_usd=Decimal("0.1"), realised_gain_usd_per_hour=rate(0.01)),
    reallocation("r1", state="rolled_back", sentence="a <b>bold</b> move"),
)
HOURLY = tuple(
    IncomeStep(node="<disk>", starts_at=T0 + hour * HOUR, usd=0.03, evidence="accrued") for hour in range(48)
)


def made(hourly=HOURLY, **rest):
    return generate_report(sources(**rest), MOVES, Missed(usd=0.6, hours=12.0), hourly, T0, END, 3600)


def test_sums_are_exact_and_only_of_income():
    found = made()
    assert found.booked.income_usd == Decimal("1.250000000000000001")
    assert (found.booked.settled_usd, found.booked.accrued_usd) == (
        Decimal("0.750000000000000001"),
        Decimal("0.5"),
    )
    assert found.booked.after_fees_usd == Decimal("1.150000000000000001")
    assert sum(node.income_usd for node in found.nodes) == found.booked.income_usd
    assert found.earned_usd == pytest.approx(1.44)


def test_net_is_of_the_hours_whose_costs_are_known():
    net = made().net
    assert (net.hours, net.gross_usd, net.running_usd) == (2, pytest.approx(0.06), pytest.approx(0.02))
    assert net.net_usd == pytest.approx(0.06 - 0.1 - 0.02)
    assert made(costs={}).net is None


def test_moves_forecasts_and_uptime():
    found = made()
    moves = found.moves
    assert (moves.count, moves.settled, moves.rolled_back, moves.paid) == (2, 1, 1, 1)
    assert (moves.success_rate_pct, moves.realised_usd) == (100.0, pytest.approx(0.24))
    assert (found.forecasts.error_pct, found.forecasts.coverage_pct, found.forecasts.hours) == (12.0, 60.0, 1)
    assert found.uptime.uptime_pct == pytest.approx(100.0)
    disk, points = found.nodes
    assert (disk.uptime_pct, disk.cpu_used_pct, points.uptime_pct, points.unknown_pct) == (95.0, 50.0, None, 100.0)
    assert found.efficiency_usd_per_hour.cpu_cores == pytest.approx(0.03 / 4)


def test_what_is_unknown_is_said_and_never_a_zero():
    found = made(comparison=None, costs={}, kpis=(), recorded_since=T0 + 5 * HOUR)
    assert len(found.unknown) == 6
    points = found.nodes[1]
    assert (points.earned_usd, points.usd_per_hour, points.share_pct) == (None, None, None)
    line = next(each for each in report_text(found).splitlines() if each.startswith("  points"))
    assert line.split()[1:6] == ["?", "?", "?", "?", "?"]
    nothing = made(ledger=(), times=(), rates=(), hourly=(), recorded_since=None, costs={}, comparison=None)
    assert (nothing.earned_usd, nothing.usd_per_hour, nothing.nodes) == (None, None, ())
    assert "<svg" not in report_html(nothing)


def test_suggestions_are_ordered_by_what_they_bring():
    found = made().suggestions
    worth = [each.usd_per_day or 0.0 for each in found]
    assert worth == sorted(worth, reverse=True)
    told = " ".join(f"{each.sentence} {each.remedy}" for each in found)
    for words in ("levers only suggest", "best fixed split", "was online 95.0 %", "came 6 times", "only 60 %"):
        assert words in told


class Page(HTMLParser):
    """Checks that every element is closed, and notes what could ask for something."""

    VOID = ("meta", "br", "line", "rect", "path", "i")

    def __init__(self, text):
        super().__init__()
        self.open, self.asks, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.asks += [(tag, name) for name, _ in attrs if name in ("src", "href", "srcset", "action", "onclick")]
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.asks.append((tag, ""))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_asks_for_nothing_and_shows_names_as_they_are():
    page = Page(report_html(made()))
    assert page.open == []
    assert page.asks == []
    assert "a <b>bold</b> move" in page.texts
    assert any("EMULATED" in each for each in page.texts)
    assert "url(" not in report_html(made())
    assert "$1.25" in page.texts


def test_the_text_fits_a_terminal():
    lines = report_text(made()).splitlines()
    assert "EMULATED" in lines[0]
    assert [line for line in lines[:40] if len(line) > 80] == []


def test_json_has_money_as_text():
    body = msgspec.json.decode(msgspec.json.encode(made()))
    assert body["booked"]["income_usd"] == "1.250000000000000001"
    assert body["nodes"][1]["usd_per_hour"] is None


# -- charts --------------------------------------------------------------------------------------------------


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_scale_ends_at_a_round_figure_not_far_above(value):
    top = nice(value)
    assert value * (1 - 1e-6) <= top <= value * 5.1


def test_a_gap_in_the_record_is_not_bridged():
    points = tuple((T0 + hour * HOUR, 1.0) for hour in (0, 1, 5, 6))
    drawn = stacked_areas([Drawn(node="a", points=points)], 3600, "USD/h", "x")
    (path,) = re.findall(r' d="([^"]+)"', drawn)
    assert path.count("M") == 2
    assert stacked_areas([], 3600, "USD/h", "x") == ""


def test_bars_stand_for_losses_too():
    widths = [
        float(each) for each in re.findall(r'width="([\d.]+)"', compared([("a", -1.0), ("b", 2.0)], "USD", "x"))
    ]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)


def test_money_of_nearly_nothing_has_no_sign():
    assert [usd(each) for each in (None, -0.001, -0.4, 1234.5)] == ["?", "$0.00", "-$0.40", "$1,234.50"]
    assert exact([Decimal("1E+2"), Decimal("0.50")]) == Decimal("100.5")
