"""Commands that give the running engine orders."""

import pytest

from orch.messages import ApprovePlan, Freeze, PromoteLever, RejectPlan, Unfreeze
from orch.model.plans import PlanStanding


@pytest.fixture
def order(orch, running):
    running.orders.clear()
    running.standing = PlanStanding(plan_id="p1", state="open", sentence="may be approved")

    def order(*args):
        return orch(*args, "--data-dir", running.data_dir)

    order.engine = running
    return order


def test_a_plan_is_approved_and_rejected(order):
    for command, kind in (("approve", ApprovePlan), ("reject", RejectPlan)):
        found = order(command, "p1")
        assert (found.exit_code, found.stderr) == (0, "")
        assert found.stdout.startswith("Plan p1 is ")
        ((name, message),) = order.engine.orders
        assert (name, type(message), message.plan_id) == ("reallocation", kind, "p1")
        order.engine.orders.clear()


@pytest.mark.parametrize(
    ("command", "state", "code"),
    [
        ("approve", "unknown", 2),
        ("approve", "decided", 1),
        ("approve", "expired", 1),
        ("approve", "blocked", 1),
        ("reject", "unknown", 2),
        ("reject", "decided", 1),
    ],
)
def test_a_refusal_is_one_sentence_that_says_what_to_do(order, command, state, code):
    order.engine.standing = PlanStanding(plan_id="p1", state=state, sentence="Approve the newest.")

    found = order(command, "p1")

    assert (found.exit_code, found.stdout, found.stderr) == (code, "", "Error: Approve the newest.\n")
    assert order.engine.orders == []


def test_everything_is_frozen_for_a_while_and_thawed(order):
    found = order("freeze", "--for", "2h")
    assert found.exit_code == 0
    ((_, frozen),) = order.engine.orders
    assert isinstance(frozen, Freeze)
    assert f"until {frozen.until:%Y-%m-%d %H:%M:%S} UTC" in found.stdout

    assert order("unfreeze").exit_code == 0
    assert order.engine.orders[-1] == ("reallocation", Unfreeze())


@pytest.mark.parametrize("args", [("freeze",), ("freeze", "--for", "soon"), ("approve",), ("promote",)])
def test_wrong_usage_is_exit_2(order, args):
    found = order(*args)
    assert (found.exit_code, order.engine.orders) == (2, [])


def test_trust_is_restored_by_node_or_lever(order):
    assert order("promote", "disk").exit_code == 0
    assert order("promote", "disk", "--lever", "tc").exit_code == 0
    assert [message for _, message in order.engine.orders] == [
        PromoteLever(node="disk"),
        PromoteLever(node="disk", kind="tc"),
    ]
    unknown = order("promote", "dsik")
    assert unknown.exit_code == 2
    assert "disk" in unknown.stderr


@pytest.mark.parametrize(
    "args", [("approve", "p1"), ("reject", "p1"), ("freeze", "--for", "1h"), ("unfreeze",), ("promote", "disk")]
)
def test_every_order_needs_a_running_engine(orch, stopped, args):
    found = orch(*args, "--data-dir", stopped)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "No engine runs" in found.stderr


def test_plan_apply_without_a_terminal_is_refused_with_what_to_do_instead(order):
    found = order("plan", "--apply")
    assert (found.exit_code, found.stdout, order.engine.orders) == (2, "", [])
    assert "orch approve ID" in found.stderr
    assert order("plan", "--apply", "--json").exit_code == 2
