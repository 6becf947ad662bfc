"""Lists of decisions, moves and alerts: their parts, and what is asked of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from orch.errors import UsageError
from orch.model.alerts import Alert
from orch.model.moves import Change
from orch.model.plans import Blocker
from orch.model.resources import Resources
from orch.store import lists
from orch.store.database import open_for_writing
from tests.fakes.values import NOON, decision, reallocation

SAME = {"disk": Resources(cpu_cores=1.0), 'odd"name': Resources(cpu_cores=1.0)}
STAY = decision("d0", reasons=("ALREADY_BEST",), from_value=SAME, to_value=SAME)
HELD = Blocker(code="HOLD_ACTIVE", sentence="held", node="compute")


def alert(name: str, **rest) -> Alert:
    known = {"rule": "node_lost", "node": "disk", "severity": "page", "state": "firing", "sentence": "s"}
    return Alert(**{"id": name, "since": NOON, "remedy": "r", **known, **rest})


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    writer = open_for_writing(tmp_path_factory.mktemp("lists") / "orch.duckdb", "emulated", "h", NOON)
    moved = SAME | {"disk": Resources(cpu_cores=2.0)}
    writer.add_decision(STAY, None)
    writer.add_decision(replace(STAY, id="d1", verdict="move", reasons=("GAIN_ABOVE_COST",), to_value=moved), None)
    writer.add_decision(replace(STAY, id="d2", reasons=("GAIN_BELOW_COST", "HOLD_ACTIVE"), blockers=(HELD,)), None)
    change = Change(node="disk", resource="cpu_cores", from_value=1.0, to_value=2.0, read_back=2.0)
    writer.add_reallocation(reallocation("r0", state="refused", reasons=("HOLD_ACTIVE",)))
    writer.add_reallocation(reallocation("r1", changes=(change,)))
    writer.add_alert(alert("a0", state="resolved", since=NOON - timedelta(days=100)))
    writer.add_alert(alert("a1", node=None, rule="price_stale"))
    writer.add_alert(alert("a2"))
    writer.commit()
    yield writer.connection
    writer.close()


def ids(page) -> list[str]:
    return [each.id for each in page.items]


@pytest.mark.parametrize(
    ("ask", "wanted", "expected"),
    [
        (lists.decisions, {}, ["d2", "d1", "d0"]),
        (lists.decisions, {"reason": "HOLD_ACTIVE"}, ["d2"]),
        (lists.decisions, {"reason": "HOLD"}, []),
        (lists.decisions, {"node": "disk"}, ["d1"]),
        (lists.decisions, {"node": "compute"}, ["d2"]),
        (lists.decisions, {"node": 'odd"name'}, []),
        (lists.decisions, {"node": "nobody"}, []),
        (lists.decisions, {"verdict": "stay"}, ["d2", "d0"]),
        (lists.decisions, {"verdict": "stay", "reason": "ALREADY_BEST"}, ["d0"]),
        (lists.reallocations, {}, ["r1", "r0"]),
        (lists.reallocations, {"node": "disk"}, ["r1"]),
        (lists.reallocations, {"node": "compute"}, []),
        (lists.reallocations, {"state": "refused"}, ["r0"]),
        (lists.reallocations, {"reason": "HOLD_ACTIVE"}, ["r0"]),
        (lists.alerts, {}, ["a2", "a1", "a0"]),
        (lists.alerts, {"node": "disk"}, ["a2", "a0"]),
        (lists.alerts, {"state": "firing"}, ["a2", "a1"]),
        (lists.alerts, {"rule": "price_stale"}, ["a1"]),
    ],
)
def test_a_list_holds_what_was_asked_for_newest_first(database, ask, wanted, expected):
    assert ids(ask(database, **wanted)) == expected


@pytest.mark.parametrize("ask", [lists.decisions, lists.reallocations, lists.alerts])
def test_the_parts_of_a_list_are_the_list(database, ask):
    whole, found, cursor = ids(ask(database)), [], None
    for _ in whole:
        part = ask(database, 1, cursor)
        found += ids(part)
        cursor = part.next
    assert (found, cursor) == (whole, None)


def test_parts_keep_to_what_was_asked_for(database):
    first = lists.decisions(database, 1, verdict="stay")
    second = lists.decisions(database, 1, first.next, verdict="stay")
    assert (ids(first), ids(second), second.next) == (["d2"], ["d0"], None)


@pytest.mark.parametrize(
    "cursor",
    ["rubbish", "", "AAAA", "\N{SNOWMAN}", "MjAyNi0xMS0yMlQxMjowMDowMCswMjowMCBk", "MDAwMS0wMS0wMVQwMDowMDowMCBk"],
)
def test_a_cursor_of_something_else_is_refused(database, cursor):
    with pytest.raises(UsageError, match="not a cursor"):
        lists.decisions(database, 1, cursor)
