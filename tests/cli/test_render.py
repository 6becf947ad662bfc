"""The board as it is drawn."""

from __future__ import annotations

import io
from datetime import timedelta

import msgspec
import pytest
from rich.console import Console

from orch.cli.problems import problems_of
from orch.cli.render import render
from orch.cli.words import octets
from orch.model.board import ObserverView
from orch.model.money import EarnedUsd
from orch.model.readings import ObserverRate
from orch.model.resources import Resources

WHOLE = """\
 EMULATED 60x  orch · mode auto · running · 2026-03-01 10:30 UTC
0.9144 USD net a day · 1.02 gross · fresh, 1 min old
0.0424 USD/h gross, accrued, 90 % 0.0339 to 0.0509
leaves out address: income not known
earned so far: 12.30 settled · 3.21 accrued · 0.00 estimated USD
No problems.

node      protocol  health   USD/h     90 % interval  share  earned USD
───────────────────────────────────────────────────────────────────────
disk      storj     online  0.0123  0.0098 to 0.0148   50 %       12.30
compute   golem     online  0.0301  0.0241 to 0.0361   50 %       12.30
address   grass     online       —                 —      —       12.30

now → optimal        cores  memory GB  Mbit/s  disk GB
──────────────────────────────────────────────────────
disk               6 → 1.5         16     150    3,000
compute            2 → 6.5          8     100    6,000
  one more, USD/h   0.0024          —       —        —
address                  1          —       —        —
to give away            15         62     480   11,900

Opportunity  +0.0213 USD/h  0.0170 to 0.0256, estimated
             over 24 h at least 0.4089 - cost 0.0016 = net 0.4073 USD
             Stay: disk rests.
Next move    in 12 min; next decision in 40 s
             disk rests. (until in 42 min)

Last changes
30 min ago  settled, pending  disk cores 6 → 1.5

uptime 99.8 % · moves a day 3.2 · paid — · prediction error —
"""
COMPACT = """\
 EMULATED 60x  orch · mode auto · running · 2026-03-01 10:30 UTC
0.9144 USD net a day · 1.02 gross · fresh, 1 min old
0.0424 USD/h gross, accrued, 90 % 0.0339 to 0.0509
leaves out address: income not known
earned so far: 12.30 settled · 3.21 accrued · 0.00 estimated USD
No problems.
now → optimal  health   USD/h    cores  memory GB  Mbit/s  disk GB
──────────────────────────────────────────────────────────────────
disk           online  0.0123  6 → 1.5         16     150    3,000
compute        online  0.0301  2 → 6.5          8     100    6,000
address        online       —        1          —       —        —
Opportunity  +0.0213 USD/h  0.0170 to 0.0256, estimated
             over 24 h at least 0.4089 - cost 0.0016 = net 0.4073 USD
             Stay: disk rests.
Next move    in 12 min; next decision in 40 s

Last changes
30 min ago  settled, pending  disk cores 6 → 1.5
"""


def drawn(board, now=None, width=80, **options):
    console = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    console.print(render(board, now, **options))
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def test_the_whole_board(make):
    assert drawn(make.board()) == WHOLE


def test_the_compact_board(make):
    assert drawn(make.board(), compact=True) == COMPACT
    assert len(COMPACT.splitlines()) <= 22


def test_what_needs_a_hand_comes_before_the_tables_and_is_counted(make):
    nodes = (
        make.node("disk"),
        make.node("compute", health="offline", usd=None),
        make.node("address", usd=None, usd_per_hour=make.rate(0.01, net=-0.002)),
    )
    alerts = (
        make.alert("a1", "info", sentence="a better split is known"),
        make.alert("a2", "warning", sentence="disk earns little"),
        make.alert("a3", "page", node=None, sentence="a move is stuck"),
        make.alert("a4", "page", "pending", sentence="not yet"),
    )
    shown = drawn(make.board(nodes=nodes, alerts=alerts)).splitlines()
    assert shown[5:10] == [
        "4 problems",
        "! a move is stuck → look at its log",
        "! compute is offline: nobody listens → run check",
        "! disk earns little → look at its log",
        "! address loses money: -0.0020 USD/h after running costs → stop it, or give it",
    ]
    table = [line.split()[0] for line in shown if line[:7] in ("disk   ", "compute", "address")]
    assert table[:3] == ["compute", "disk", "address"]
    assert "Alerts  3 firing (2 above), 1 pending" in shown
    assert "not yet" not in "\n".join(shown)


def test_a_node_that_an_alert_speaks_of_is_one_problem(make):
    nodes = (make.node("disk", health="offline"),)
    assert len(problems_of(make.board(nodes=nodes, alerts=(make.alert(node="disk"),)))) == 1
    unknown = problems_of(make.board(nodes=(make.node("disk", health="unknown"),)))
    assert unknown[0].sentence == "disk is not known to be well: nobody listens"


def test_unknown_is_a_dash_and_never_a_zero(make):
    board = make.board(
        nodes=(make.node("disk", usd=None, allocation=Resources(), optimal=Resources()),),
        capacity=Resources(),
        opportunity=None,
        blockers=(),
        next_decision_at=None,
        next_reallocation_at=None,
        recent_changes=(),
    )
    total = msgspec.structs.replace(board.total, usd_per_hour=None, by_protocol={}, earned_usd=EarnedUsd())
    shown = drawn(msgspec.structs.replace(board, total=total))
    assert "— USD a day  not known yet" in shown
    rows = {line.split()[0]: line for line in shown.splitlines() if line.startswith(("disk", "to give"))}
    assert rows["disk"].split() == ["disk", "—", "—", "—", "—"]
    assert rows["to"].split() == ["to", "give", "away", "—", "—", "—", "—"]
    assert "Opportunity  not known" in shown
    assert "Next move    none in sight; next decision —" in shown
    assert "none yet" in shown


def test_real_nodes_are_not_called_emulated_and_one_emulated_node_is_enough(make):
    board = make.board(nodes=(make.node("disk", emulated=False),))
    real = msgspec.structs.replace(board, engine=msgspec.structs.replace(board.engine, kind="real", speed=1.0))
    assert "EMULATED" not in drawn(real)
    assert "EMULATED" in drawn(msgspec.structs.replace(real, nodes=(make.node("disk"),)))


def test_a_stopped_board_says_how_old_it_is(make):
    board = make.board()
    stopped = msgspec.structs.replace(board, engine=msgspec.structs.replace(board.engine, running=False, pid=None))
    first = drawn(stopped, make.NOW + timedelta(hours=3)).splitlines()[0]
    assert first == " EMULATED 60x  orch · mode auto · STOPPED · 2026-03-01 10:30 UTC, 3 h old"


def test_protocols_are_summed_up_where_several_nodes_share_one(make):
    nodes = (make.node("disk"), make.node("disk2", protocol="storj"), make.node("compute"))
    assert "by protocol: golem 0.0301 · storj 0.0123" in drawn(make.board(nodes=nodes))
    assert "by protocol" not in drawn(make.board())


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "0.9144 USD net a day · 1.02 gross · fresh, 1 min old"),
        ({"age_s": 7300.0}, "0.9144 USD net a day · 1.02 gross · stale, 2 h old"),
        ({"evidence": "estimated"}, "0.9144 USD net a day · 1.02 gross · estimated, 1 min old"),
        ({"net": None}, "— USD net a day (running costs not known) · 1.02 gross · fresh, 1 min old"),
    ],
)
def test_the_first_figure_is_what_is_left_of_a_day_with_a_word_of_trust(make, changes, line):
    board = make.board()
    total = msgspec.structs.replace(board.total, usd_per_hour=make.rate(0.0424, **{"net": 0.0381, **changes}))
    assert drawn(msgspec.structs.replace(board, total=total)).splitlines()[1] == line


def test_a_move_that_could_have_been_is_not_told_as_one_of_the_past(make):
    due = {"next_reallocation_at": make.NOW - timedelta(minutes=1), "next_decision_at": make.NOW}
    assert "Next move    once nothing is in its way; next decision due" in drawn(make.board(**due))
    assert "Next move    with the next decision; next decision due" in drawn(make.board(blockers=(), **due))


def test_nothing_to_gain_hides_what_would_stand_in_the_way(make):
    board = make.board()
    none = msgspec.structs.replace(
        board.opportunity, gain_usd_per_hour=make.rate(0.0), sentence="Stay: all is well."
    )
    shown = drawn(msgspec.structs.replace(board, opportunity=none))
    assert "Opportunity  none: no better split is found" in shown
    assert "disk rests" not in shown


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(make, width, compact):
    nodes = tuple(make.node(f"a-node-with-a-rather-long-name-{index}", "degraded") for index in range(6))
    board = make.board(nodes=nodes, alerts=(make.alert(sentence="word " * 60, remedy="x" * 200),))
    assert max(map(len, drawn(board, width=width, compact=compact).splitlines())) <= width


def test_nothing_a_node_says_gives_orders_to_the_terminal(make):
    board = make.board(nodes=(make.node("di\x1b[2Jsk", "degraded", health_reason="\x1b]0;owned\x07\x9b31m"),))
    assert not set(drawn(board)) & {"\x1b", "\x07", "\x9b"}


# -- what asking costs -------------------------------------------------------------------------------------


def observer(hourly=True, **changes):
    fields = {
        "requests": 1500,
        "bytes": 2_345_678,
        "seconds": 12.34,
        "since": None,
        "per_hour": ObserverRate(requests=88.4, bytes=123_456.0, seconds=1.26) if hourly else None,
    }
    return ObserverView(**{**fields, **changes})


def test_what_asking_costs_is_told_by_the_hour_and_before_that_so_far(make):
    nodes = (
        make.node("disk", observer=observer()),
        make.node("compute", observer=observer(hourly=False)),
        make.node("address", usd=None),
    )
    shown = drawn(make.board(nodes=nodes))
    told = " ".join(shown.split())
    assert "orch asks: disk 88 requests, 123 kB, 1.3 s an hour" in told
    assert "compute 1500 requests, 2.3 MB, 12.3 s so far" in told
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_400, "99.4 kB"),
        (1.5e5, "150 kB"),
        (1e6, "1.0 MB"),
        (2e12, "2000.0 GB"),
    ],
)
def test_data_is_told_in_decimal_units(count, words):
    assert octets(count) == words
