"""Figures for Prometheus: what is shown, what is documented, and what the dashboard draws are one list."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from litestar.testing import TestClient
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from orch.cli import main
from orch.model.board import Kpis, NodeKpis, ObserverView
from orch.model.resources import Resources
from orch.web.app import create_app
from orch.web.backend import BoardSlot
from orch.web.metrics import samples
from orch.web.metrics_list import FIGURES, PROCESS
from tests.fakes.values import NOON, rate
from tests.fakes.web import HERE, board, encoded, serving

ROOT = Path(__file__).parents[2]
FULL = Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=8.0, storage_gb=4.0)
NET = rate(0.02, 0.1, net_mean=0.01)


def everything_known():
    """A board that leaves no figure out."""
    shown = board()
    node = replace(
        shown.nodes[0],
        usd_per_hour=NET,
        optimal=FULL,
        worth=FULL,
        observer=ObserverView(requests=3, bytes=4_000, seconds=0.5, since=NOON, per_hour=None),
    )
    return replace(
        shown,
        nodes=(node, shown.nodes[1]),
        total=replace(shown.total, usd_per_hour=NET),
        reserve=FULL,
        kpis=Kpis(
            total_usd_per_hour=0.02,
            allocation_efficiency=FULL,
            uptime_pct=90.0,
            uptime_unknown_pct=1.0,
            reallocations_per_day=2.0,
            success_rate_pct=50.0,
            nodes={"disk": NodeKpis(usd_per_hour=0.02, utilisation=FULL, time_to_reconnect_s=7.0)},
            cost_effectiveness=3.0,
            prediction_mape_pct=25.0,
            prediction_coverage_pct=80.0,
        ),
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("metrics")) as backend:
        backend.board.swap(encoded(everything_known()))
        with TestClient(create_app(backend), base_url=HERE) as client:
            client.get("/nowhere")
            yield client


@pytest.fixture(scope="module")
def told(client):
    """Every sample by its name: labels and value."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_what_is_listed_is_shown_and_nothing_else(told):
    assert set(told) - set(PROCESS) == {figure.shown for figure in FIGURES}
    assert set(PROCESS) <= set(told)
    for figure in FIGURES:
        for labels, _ in told[figure.shown]:
            assert set(labels) == set(figure.labels), figure.name


def test_the_page_about_it_lists_the_same():
    text = (ROOT / "orch" / "web" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(orch_\w+)` \| (\w+) \| ?(.*?) ?\| (.+) \|$", text, re.MULTILINE)
    listed = [(name, kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows]
    assert listed == [(figure.shown, figure.kind, figure.labels, figure.meaning) for figure in FIGURES]
    assert all(f"`{name}`" in text for name in PROCESS)


def test_names_say_their_unit():
    for figure in FIGURES:
        assert re.fullmatch(r"orch(_[a-z]+)+", figure.name), figure.name
        assert not figure.name.endswith(("_total", "_pct", "_gb", "_mbps", "_ms")), figure.name


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("orch_usd_per_hour", {}, 0.02),
        ("orch_net_usd_per_hour", {}, 0.01),
        ("orch_node_memory_bytes", {"node": "disk", "protocol": "storj", "amount": "allocated"}, 2e9),
        ("orch_node_bandwidth_bytes_per_second", {"node": "disk", "protocol": "storj", "amount": "used"}, 1e6),
        ("orch_node_health", {"node": "relay", "protocol": "streamr", "health": "unknown"}, 1.0),
        ("orch_node_health", {"node": "relay", "protocol": "streamr", "health": "online"}, 0.0),
        ("orch_node_observer_requests_total", {"node": "disk", "protocol": "storj"}, 3.0),
        ("orch_node_observer_received_bytes_total", {"node": "disk", "protocol": "storj"}, 4000.0),
        ("orch_node_observer_wait_seconds_total", {"node": "disk", "protocol": "storj"}, 0.5),
        ("orch_uptime_ratio", {}, 0.9),
        ("orch_board_timestamp_seconds", {}, NOON.timestamp()),
        ("orch_alerts", {"severity": "page", "state": "firing"}, 1.0),
        ("orch_blockers", {"code": "HOLD_ACTIVE"}, 1.0),
        ("orch_http_responses_total", {"status": "404"}, 1.0),
    ],
)
def test_figures_are_in_base_units(told, name, labels, value):
    assert (labels, pytest.approx(value)) in told[name]


def test_what_is_not_known_is_left_out():
    found = samples(board()).found
    assert [labels[0] for labels, _ in found["orch_node_usd_per_hour"]] == ["disk"]
    assert "orch_net_usd_per_hour" not in found
    assert "orch_uptime_ratio" not in found


def test_before_the_first_board_the_process_is_told_of(tmp_path):
    with (
        serving(tmp_path, board=BoardSlot()) as backend,
        TestClient(create_app(backend), base_url=HERE) as client,
    ):
        text = client.get("/metrics").text
    assert "process_resident_memory_bytes" in text
    assert "orch_boards_total 0.0" in text
    assert "orch_usd_per_hour" not in text


def test_openmetrics_is_spoken_to_whoever_asks_for_it(client):
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_the_dashboard_draws_figures_that_there_are():
    done = CliRunner().invoke(main, ["grafana"])
    assert done.exit_code == 0, done.output
    drawn = json.loads(done.output)
    asked = " ".join(target["expr"] for panel in drawn["panels"] for target in panel["targets"])
    names = set(re.findall(r"\b(?:orch|process)_\w+", asked))
    assert len(names) > 15
    assert names <= {figure.shown for figure in FIGURES} | set(PROCESS)
    ids = [panel["id"] for panel in drawn["panels"]]
    assert len(ids) == len(set(ids))
