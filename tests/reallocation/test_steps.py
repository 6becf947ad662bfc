"""Steps: what order keeps every moment within capacity."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.model.resources import RESOURCES, Resources, resources
from orch.reallocation.steps import changes_of, order_steps, split_of, undo_order

NODES = ("a", "b", "c")
amounts = st.integers(0, 64).map(float)
allocations = st.builds(
    Resources, cpu_cores=amounts, memory_gb=amounts, bandwidth_mbps=amounts, storage_gb=st.none() | amounts
)
splits = st.fixed_dictionaries(dict.fromkeys(NODES, allocations))


def worst_sum(split, before, after, node, name):
    """The sum of one resource when the node in flight has whichever of its two values is larger."""
    others = sum(has.or_zero(name) for other, has in split.items() if other != node)
    return others + max(before.or_zero(name), after.or_zero(name))


def assert_never_more_than(capacity, split, moves):
    """Walk `moves` of (node, new amounts); returns the last split."""
    for node, amounts in moves:
        after = amounts.filled(split[node])
        for name in RESOURCES:
            assert worst_sum(split, split[node], after, node, name) <= capacity[name] + 1e-6
        split = {**split, node: after}
    return split


def reachable(present, goal):
    """The end that can be reached: what is unknown on either side stays as it is."""
    return {
        node: resources(
            {
                name: goal[node].get(name) if None not in (has.get(name), goal[node].get(name)) else has.get(name)
                for name in RESOURCES
            }
        )
        for node, has in present.items()
    }


def capacity_of(*ends):
    return {name: max(sum(has.or_zero(name) for has in end.values()) for end in ends) for name in RESOURCES}


def test_a_node_that_gives_and_gets_releases_before_anyone_is_granted_anything():
    present = {"x": Resources(cpu_cores=4, memory_gb=2), "y": Resources(cpu_cores=1, memory_gb=8)}
    goal = {"x": Resources(cpu_cores=2, memory_gb=6), "y": Resources(cpu_cores=3, memory_gb=4)}

    steps = order_steps(present, goal)

    assert [(step.index, step.node, step.kind) for step in steps] == [
        (0, "x", "release"),
        (1, "y", "release"),
        (2, "x", "grant"),
        (3, "y", "grant"),
    ]
    assert steps[0].goal == Resources(cpu_cores=2)
    assert steps[0].undo == Resources(cpu_cores=4)
    assert steps[3].goal == Resources(cpu_cores=3)


@pytest.mark.parametrize(
    ("present", "goal"),
    [
        ({"x": Resources(cpu_cores=4)}, {"x": Resources(cpu_cores=4)}),
        ({"x": Resources(cpu_cores=4)}, {"x": Resources(cpu_cores=4 + 1e-9)}),
        ({"x": Resources()}, {"x": Resources(cpu_cores=4)}),
        ({"x": Resources(cpu_cores=4)}, {"x": Resources()}),
        ({}, {"x": Resources(cpu_cores=4)}),
    ],
    ids=["same", "hair's breadth", "present unknown", "goal unknown", "node unknown"],
)
def test_what_does_not_change_or_is_not_known_is_left_alone(present, goal):
    assert order_steps(present, goal) == ()
    assert changes_of(present, goal) == ()


@settings(max_examples=60)
@given(splits, splits)
def test_the_steps_lead_to_the_goal_and_never_past_a_capacity_that_holds_both_ends(present, goal):
    goal = reachable(present, goal)
    steps = order_steps(present, goal)

    end = assert_never_more_than(capacity_of(present, goal), present, [(step.node, step.goal) for step in steps])

    assert end == goal


@settings(max_examples=60)
@given(splits, splits, st.integers(0, 6))
def test_any_prefix_is_undone_to_the_start_without_passing_capacity(present, goal, tried):
    goal = reachable(present, goal)
    steps = order_steps(present, goal)
    tried = list(range(min(tried, len(steps))))
    capacity = capacity_of(present, goal)
    reached = assert_never_more_than(capacity, present, [(steps[i].node, steps[i].goal) for i in tried])

    undos = undo_order(steps, tried)

    assert assert_never_more_than(capacity, reached, [(step.node, step.undo) for step in undos]) == present
    assert sorted(step.index for step in undos) == tried


@settings(max_examples=60)
@given(splits, splits)
def test_changes_name_exactly_what_steps_touch(present, goal):
    changes, steps = changes_of(present, goal), order_steps(present, goal)

    assert {(change.node, change.resource) for change in changes} == {
        (step.node, name) for step in steps for name, _ in step.goal.known()
    }
    for step in steps:
        assert all(split_of(changes, "to")[step.node].get(name) == amount for name, amount in step.goal.known())
        assert all(split_of(changes, "from")[step.node].get(name) == amount for name, amount in step.undo.known())
