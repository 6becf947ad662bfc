"""What keeps every move from beginning is on the board at once, newer than the newest decision."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from orch.earnings.costs import RunningCosts
from orch.model.board import Kpis
from orch.model.moves import Guards
from orch.model.plans import Blocker
from orch.reallocation.guards import frozen_blockers
from orch.reports.dashboard import Times, get_dashboard_metrics
from tests.fakes.values import NOON, node_state, snapshot
from tests.fakes.web import DECISION, ENGINE

FROZEN = Guards(frozen_until=NOON + timedelta(hours=1))
THEN_FROZEN = replace(DECISION, can_reallocate=False, blockers=(Blocker(code="FROZEN", sentence="then"),))


@pytest.mark.parametrize(
    ("decision", "guards", "codes", "can"),
    [
        (DECISION, FROZEN, ["FROZEN", "HOLD_ACTIVE"], False),
        (DECISION, Guards(stuck="r1"), ["SAGA_STUCK", "HOLD_ACTIVE"], False),
        (DECISION, Guards(), ["HOLD_ACTIVE"], True),
        (DECISION, None, ["HOLD_ACTIVE"], True),
        (THEN_FROZEN, FROZEN, ["FROZEN"], False),
        (THEN_FROZEN, Guards(), [], False),
        (THEN_FROZEN, None, ["FROZEN"], False),
        (None, FROZEN, ["FROZEN"], False),
    ],
    ids=["frozen", "stuck", "free", "unknown", "frozen before", "thawed", "unknown since", "no decision yet"],
)
def test_a_freeze_is_shown_from_when_it_stands(decision, guards, codes, can):
    board = get_dashboard_metrics(
        snapshot(node_state("disk")),
        ENGINE,
        decision,
        None,
        Times(),
        (),
        (),
        Kpis(),
        RunningCosts(),
        standing=None if guards is None else frozen_blockers(guards, NOON),
    )
    assert ([each.code for each in board.blockers], board.can_reallocate) == (codes, can)
