"""An operator's own thresholds: what they may say, what is unknown, what is wrong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.alerts.expressions import Expression, ExpressionError
from orch.alerts.metrics import METRICS, host_metrics, node_metrics
from orch.alerts.own import OwnRule, OwnRules
from orch.alerts.rules import Facts, Timing
from orch.alerts.watch import Memory, Watch
from orch.config.load import from_tables
from orch.errors import ConfigError
from orch.model.board import Kpis
from orch.model.resources import Resources
from tests.fakes.values import node_state, rate, snapshot

KNOWN = {"a": 2.0, "b": 4.0, "zero": 0.0, "gone": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * 2", 10.0),
        ("-(a - b) / 4", 0.5),
        ("a < b", True),
        ("1 < a <= 2 < b", True),
        ("not a == 2 or b != 4", False),
        ("a / zero", None),
        ("gone + 1", None),
        ("gone > 1", None),
        ("gone > 1 and a > b", False),
        ("gone > 1 and a < b", None),
        ("gone > 1 or a < b", True),
        ("not gone > 1", None),
    ],
)
def test_what_an_expression_comes_to(text, value):
    assert Expression(text).evaluate(KNOWN) == value


WRONG = ("", "a <", "a()", "a.b > 1", "a[0] > 1", "'x' > a", "True", "a if b else a", "(a > b) + 1", "a and b > 1")
WORSE = (
    "__import__('os')",
    "a" * 501,
    "lambda: a",
    "a > (b := 2)",
    "1j > a",
    "a in b",
    "a > 1e999",
    f"a > {10**400}",
)


@pytest.mark.parametrize("text", [*WRONG, *WORSE])
def test_what_cannot_be_used_says_so(text):
    with pytest.raises(ExpressionError):
        Expression(text)


@given(st.text(max_size=40))
def test_no_text_does_more_than_fail(text):
    try:
        found = Expression(text).evaluate(dict.fromkeys("abcxyz", 1.0))
    except ExpressionError:
        return
    assert found is None or isinstance(found, (bool, float))


def facts(*nodes) -> Facts:
    now = snapshot(*nodes, capacity=Resources(cpu_cores=8.0))
    return Facts(now=now.taken_at, snapshot=now, usual={"a": 0.04})


FULL = OwnRule(
    name="disk_full",
    when="storage_used_share > 0.95",
    timing=Timing(for_s=60, keep_firing_s=60),
    sentence="The disk of {node} is nearly full",
    cost="0.3 * 24 * (usual_usd_per_hour - usd_per_hour)",
)


def full(name: str, used: float | None):
    given_ = Resources(cpu_cores=1.0, storage_gb=1000.0)
    return node_state(name, allocation=given_, used=Resources(storage_gb=used))


def test_a_rule_over_a_nodes_metric_looks_at_every_node_and_keeps_the_unknown_apart():
    held, dark = OwnRules((FULL,)).look(facts(full("a", 990.0), full("b", 100.0), full("c", None)), None)
    assert [(each.node, each.sentence) for each in held] == [
        ("a", "The disk of a is nearly full (storage_used_share = 0.99).")
    ]
    assert held[0].cost_usd_per_day == pytest.approx(0.3 * 24 * 0.02)
    assert dark == {("disk_full", "c")}


def test_own_and_built_in_rules_go_the_same_way():
    seen = facts(full("a", 990.0), full("b", None))
    watch = Watch(rules=(FULL,), off=("low_earnings",))
    looked = watch.look(Memory(), seen, Kpis())
    assert [(each.rule, each.node, each.state) for each in looked.memory.alerts] == [("disk_full", "a", "pending")]


def test_every_documented_metric_has_a_value_or_is_unknown():
    seen = facts(node_state("a", rate=rate()), node_state("b", rate=None, health="unknown"))
    for node in seen.snapshot.nodes:
        found = host_metrics(seen, Kpis(uptime_pct=99.0)) | node_metrics(seen, node)
        assert set(found) == set(METRICS)
        assert all(value is None or math.isfinite(value) for value in found.values())


# -- as configured ---------------------------------------------------------------------------------------------


def config(tmp_path, **tables):
    nodes = {"disk": {"protocol": "storj", "url": "http://127.0.0.1:1"}}
    return from_tables({"nodes": nodes, **tables}, {"HOOK": "json://me:pass@127.0.0.1/x"}, tmp_path)


def test_rules_and_channels_are_read(tmp_path):
    rule = {"name": "poor", "when": "usd_per_hour < 0.5 * usual_usd_per_hour", "for_s": 600, "node": "disk"}
    found = config(
        tmp_path,
        alerts={"off": ["finding"], "timing": {"node_lost": {"for_s": 30}}, "rules": [rule]},
        notify={
            "urls": ["mailto://me@example.org"],
            "channels": [{"name": "phone", "url": {"env": "HOOK"}, "min_severity": "page"}],
            "report": "weekly",
            "report_at": "07:30",
            "report_zone": "Europe/Berlin",
        },
    ).alerting
    assert [each.name for each in found.rules] == ["poor"]
    assert (found.timing["node_lost"].for_s, found.timing["node_lost"].keep_firing_s) == (30.0, 120.0)
    assert [(each.name, each.min_severity) for each in found.terms.channels] == [
        ("mailto-1", "info"),
        ("phone", "page"),
    ]
    assert found.urls["phone"].value == "json://me:pass@127.0.0.1/x"
    assert (found.reports.every, found.reports.hour, found.reports.minute) == ("weekly", 7, 30)


@pytest.mark.parametrize(
    ("alerts", "fault"),
    [
        ({"rules": [{"name": "x", "when": "onlin < 1"}]}, 'unknown metric "onlin", did you mean "online"?'),
        ({"rules": [{"name": "x", "when": "usd_per_hour"}]}, "is a figure; compare it with something"),
        ({"rules": [{"name": "x", "when": "usd_per_hour <"}]}, "it cannot be read"),
        ({"rules": [{"name": "x", "when": "1 < 2"}]}, "names no metric"),
        ({"rules": [{"name": "x", "when": "online < 1", "cost": "online < 1"}]}, "a cost is a figure"),
        ({"rules": [{"name": "x", "when": "online < 1", "node": "dusk"}]}, 'no such node, did you mean "disk"?'),
        ({"rules": [{"name": "x", "when": "online < 1", "inhibited_by": ["node_losst"]}]}, "did you mean"),
        ({"rules": [{"name": "node_lost", "when": "online < 1"}]}, "is a built-in rule"),
        ({"rules": [{"name": "x", "when": "online < 1"}] * 2}, "two rules have this name"),
        ({"rules": [{"name": "x"}]}, "alerts.rules[0].when: missing"),
        ({"off": ["node_last"]}, 'no built-in rule, did you mean "node_lost"?'),
        ({"timing": {"nodelost": {"for_s": 1}}}, "no built-in rule"),
        ({"rules": [{"name": "x", "when": "online < 1", "severity": "loud"}]}, "must be one of info"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_path(tmp_path, alerts, fault):
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, alerts=alerts)
    assert any(fault in each and "alerts." in each for each in caught.value.faults), caught.value.faults
