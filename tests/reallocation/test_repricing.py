"""When a lever may set a node's own price."""

from datetime import UTC, datetime, timedelta

import pytest

from orch.model.moves import Guards, LeverName, Order
from orch.reallocation.trust import Standing, TrustedLever, obeyed, repricing_objection

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
NAME = LeverName(node="compute", kind="golem_provider")
HOLD_S = 7200.0


def levers(mode="auto"):
    return (TrustedLever(name=NAME, sets=("cpu_cores",), mode=mode),)


def repriced(ago_s):
    return obeyed(Standing(), Order(what="reprice", lever=NAME), NOW - timedelta(seconds=ago_s))


def objection(standing=None, guards=None, mode="auto", name=NAME):
    return repricing_objection(name, HOLD_S, levers(mode), standing or Standing(), guards or Guards(), NOW)


@pytest.mark.parametrize(
    "standing", [Standing(), repriced(7200), repriced(1e6)], ids=["never", "just", "long ago"]
)
def test_a_lever_in_auto_may_once_its_hold_is_over(standing):
    assert objection(standing) is None


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"mode": "approve"}, "may not act by itself"),
        ({"name": LeverName(node="other", kind="golem_provider")}, "may not act by itself"),
        ({"standing": obeyed(Standing(), Order(what="demote", lever=NAME, mode="approve"), NOW)}, "may not act"),
        ({"standing": repriced(7199)}, "it stands since 2026-11-22 12:03 UTC and has to for 2 h"),
        ({"standing": repriced(-600)}, "it stands since"),
        ({"guards": Guards(frozen_until=NOW + timedelta(hours=1))}, "levers are frozen"),
        ({"guards": Guards(stuck="r1")}, "levers are frozen"),
        ({"guards": Guards(running="r1")}, "a move is under way"),
        (
            {"guards": Guards(window_opens_at=NOW + timedelta(hours=3))},
            "maintenance windows, the next one from 17:03",
        ),
    ],
    ids=["mode", "unknown", "demoted", "hold", "clock back", "frozen", "stuck", "moving", "window"],
)
def test_otherwise_it_is_told_why_not(asked, sentence):
    assert sentence in objection(**asked)
