"""Results kept for as long as what they are made from stays the same."""

from dataclasses import dataclass

from orch.model import kept
from orch.model.kept import Alike, kept_by


@dataclass
class Node:
    name: str
    rows: tuple[int, ...]
    month: str = "2026-11"


def counted():
    calls = []

    @kept_by(lambda node, factor: (node.rows, node.month, str(factor)), lambda node, _: node.name)
    def total(node, factor):
        calls.append(node.name)
        return sum(node.rows) * factor

    return total, calls


def test_the_same_parts_are_worked_out_once():
    total, calls = counted()
    rows = (1, 2, 3)
    assert [total(Node("a", rows), 2) for _ in range(3)] == [12, 12, 12]
    assert calls == ["a"]


def test_another_part_is_worked_out_anew_and_equal_text_is_no_other_part():
    total, calls = counted()
    rows = tuple(range(1000, 1003))
    total(Node("a", rows), 2)
    assert total(Node("a", rows, month=f"{2026}-{11}"), 2) == 6006
    assert calls == ["a"]
    assert total(Node("a", rows, month="2026-12"), 2) == 6006
    assert total(Node("a", (1,)), 2) == 2
    assert total(Node("a", (1,)), 3) == 3
    assert calls == ["a"] * 4


def test_what_is_alike_is_no_other_part_and_what_only_looks_so_is():
    calls = []

    @kept_by(lambda rows, how: (how(rows),), lambda *_: "a")
    def total(rows, how):
        calls.append(how)
        return sum(rows)

    for _ in range(2):
        assert [total([1000 + number], Alike) for number in (1, 1, 2)] == [1001, 1001, 1002]
    assert calls == [Alike] * 4
    for _ in range(2):
        total([1000], tuple)
    assert calls[4:] == [tuple] * 2


def test_nodes_do_not_see_each_others_results():
    total, calls = counted()
    one, other = Node("a", (1,)), Node("b", (2,))
    assert [total(one, 1), total(other, 1), total(one, 1), total(other, 1)] == [1, 2, 1, 2]
    assert calls == ["a", "b"]


def test_no_more_is_kept_than_a_fleet_needs(monkeypatch):
    monkeypatch.setattr(kept, "MOST_KEPT", 3)
    total, calls = counted()
    nodes = [Node(name, (number,)) for number, name in enumerate("abcd")]
    assert [total(node, 1) for node in nodes] == [0, 1, 2, 3]
    assert [total(node, 1) for node in nodes[3:]] == [3]
    assert total(nodes[0], 1) == 0
    assert calls == ["a", "b", "c", "d", "a"]
