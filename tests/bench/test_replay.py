"""The default strategy in emulated worlds: it never costs more than its own moves."""

from __future__ import annotations

import pytest

from bench.replay_worlds import keep, play

HOURS = 24.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_default_strategy_never_falls_below_keep_by_more_than_its_moves_cost(seed):
    played = play(seed, HOURS, "threshold")
    assert played["failures"] == {}
    assert played["moves"] >= 1
    assert played["usd"] >= keep(seed, HOURS) - played["moving_cost_usd"]
