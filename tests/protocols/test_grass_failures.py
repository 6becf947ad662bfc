"""Grass's traps, one test each: epochs, units, tokens that die in two ways, and a dashboard that changes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from orch.earnings.ledger import Ledger
from orch.model.money import Amounts, PriceNow
from orch.model.wire import NoReply, Reply, Secret
from orch.protocols.attend import Attended, take
from orch.protocols.base import Context
from orch.protocols.grass import PROTOCOL, GrassOptions
from orch.protocols.schedule import Schedule, Turn

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
CONTEXT = Context(node="address", host="here")


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TOKEN = f"{part({'alg': 'HS256'})}.{part({'exp': (NOW + timedelta(days=90)).timestamp()})}.c2ln"


def begin(**options):
    return PROTOCOL.begin(GrassOptions(token=Secret(value=TOKEN), **options), CONTEXT)


def reply(data, at=NOW):
    body = json.dumps({"result": {"data": data}}).encode()
    return Reply(
        status=200, headers=(("Content-Type", "application/json"),), body=body, received_at=at, elapsed_s=0.1
    )


def refusal(reason, status, at=NOW):
    return NoReply(
        reason=reason, sentence=f"status {status}", retryable=reason != "unauthorised", failed_at=at, elapsed_s=0.1
    )


def device(address="203.0.113.24", **more):
    return {"deviceId": "d", "ipAddress": address, "ipScore": 75, "aggUptime": 432_000, "multiplier": 1.25} | more


def epoch(name, start, end, points, uptime_h):
    days = {"epochName": name, "startDate": start, "endDate": end}
    return days | {"totalPoints": points, "rewardPoints": 0, "totalUptime": uptime_h * 3600}


SEPTEMBER = epoch("Epoch 23", "2026-09-01", "2026-09-30", 21_000.0, 700)
OCTOBER = epoch("Epoch 24", "2026-10-01", "2026-10-31", 26_250.0, 700)


def told(key, data, memory=None, at=NOW):
    return PROTOCOL.absorb(begin() if memory is None else memory, key, reply(data, at), at)


def outcome(memory, key, answer, now=NOW):
    turn = Turn(key=key, lane="fast", period_s=3600.0, backoff_max_s=3600.0, asked_at=now)
    attended = Attended(memory=memory, schedule=Schedule(turns={turn.key: turn}))
    state, failure = take(PROTOCOL, attended, key, answer, now)
    return failure, state.memory


def reading(memory, now=NOW):
    return PROTOCOL.reading(memory, now)


def codes(memory, now=NOW):
    return {finding.code for finding in reading(memory, now).findings} - {"grass_rate_unknown"}


def facts(memory):
    return dict(reading(memory).facts)


# -- points ----------------------------------------------------------------------------------------------


def test_the_accounts_own_epochs_are_the_measure_and_their_spread_the_doubt():
    memory = told("epochs", {"data": [SEPTEMBER, OCTOBER]}, told("devices", [device()]))
    known = facts(memory)
    assert known["points_per_hour"] == "37.50"
    assert known["points_per_hour_interval"] == "30.00 to 37.50"
    assert known["points_rate"].startswith("measured in Epoch 24")
    assert known["points_per_hour at 203.0.113.24"] == "37.50"


def test_less_than_a_day_of_uptime_calibrates_nothing():
    short = epoch("Epoch 24", "2026-10-01", "2026-10-31", 5000.0, 23)
    memory = told("epochs", {"data": [short]}, told("devices", [device()]))
    assert facts(memory)["points_rate"].startswith("prior")


def test_points_count_for_each_address_and_not_for_each_device():
    rows = [device(), device(deviceId="e"), device("203.0.113.25", deviceId="f")]
    memory = told("epochs", {"data": [OCTOBER]}, told("devices", rows))
    assert facts(memory)["points_per_hour"] == "75.00"
    assert codes(memory) == {"grass_shared_address"}


def test_usd_needs_the_operators_word_and_is_then_an_interval_from_nothing_that_is_never_earned():
    without = told("epochs", {"data": [SEPTEMBER, OCTOBER]}, told("devices", [device()]))
    assert reading(without).pace is None
    assert reading(without).paced, "no other figure may stand for it"
    certain = told("epochs", {"data": [OCTOBER]}, told("devices", [device()], begin(tokens_per_point=45e-6)))
    pace = reading(certain).pace
    assert (pace.low, pace.evidence) == (0.0, "speculative")
    assert 0 < pace.mean < pace.high
    ledger = Ledger("here")
    ledger.book(reading(certain), lambda unit: PriceNow(token=unit, state="unknown", price=None, age_s=None), NOW)
    earned = ledger.earned("address")
    assert (earned.settled, earned.accrued, earned.estimated) == (0, 0, 0)


def test_a_pace_from_long_ago_says_nothing_of_now():
    memory = told("devices", [device()], begin(tokens_per_point=45e-6))
    assert reading(memory, NOW + timedelta(hours=2)).pace is not None
    assert reading(memory, NOW + timedelta(hours=4)).pace is None


@pytest.mark.parametrize("multiplier", [1, 1.25, None])
def test_a_multiplier_may_be_whole_broken_or_absent(multiplier):
    expected = 37.5 * (multiplier or 1)
    memory = told("devices", [device(multiplier=multiplier)])
    assert float(facts(memory)["points_per_hour"]) == pytest.approx(expected, abs=0.01)


# -- epochs ----------------------------------------------------------------------------------------------

ENDS = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "final"),
    [(ENDS - timedelta(seconds=1), False), (ENDS, True), (ENDS + timedelta(days=1), True)],
    ids=["the last second", "the first of the next", "a day later"],
)
def test_an_epoch_ends_after_its_last_day(now, final):
    (accrual,) = reading(told("epochs", {"data": [OCTOBER]}, at=now), now).accruals
    assert (accrual.final, accrual.period_end == ENDS) == (final, final)


def test_a_balance_that_falls_to_zero_at_an_epochs_start_takes_nothing_back():
    memory = told("epochs", {"data": [OCTOBER]}, told("user", {"totalPoints": 26_250.0}))
    running = epoch("Epoch 25", "2026-11-01", "2026-11-30", 0, 0)
    memory = told("epochs", {"data": [running, OCTOBER]}, told("user", {"totalPoints": 0}, memory))
    (accrual,) = reading(memory).accruals
    assert accrual.amounts == Amounts(speculative=Decimal(26_250))


def test_a_settled_epoch_that_is_corrected_is_stated_as_it_is_now():
    memory = told("epochs", {"data": [OCTOBER]})
    memory = told("epochs", {"data": [OCTOBER | {"totalPoints": 20_000}]}, memory)
    (accrual,) = reading(memory).accruals
    assert accrual.amounts.speculative == 20_000


def test_the_same_epoch_twice_or_in_another_order_is_one():
    once = told("epochs", {"data": [SEPTEMBER, OCTOBER]})
    twice = told("epochs/history", {"data": [OCTOBER, SEPTEMBER, OCTOBER]}, once)
    assert reading(twice).accruals == reading(once).accruals


def test_reward_points_are_no_income():
    memory = told("epochs", {"data": [OCTOBER | {"rewardPoints": 5000}]})
    assert reading(memory).accruals[0].amounts.total == 26_250


# -- the token -------------------------------------------------------------------------------------------


def test_401_and_429_in_turn_are_one_dead_token():
    memory = told("devices", [device()])
    for hour in range(1, 6):
        at = NOW + timedelta(hours=hour)
        answer = refusal("unauthorised", 401, at) if hour % 2 else refusal("rate_limited", 429, at)
        failure, memory = outcome(memory, "devices", answer, at)
        assert failure.reason == answer.reason
    found = [each for each in reading(memory, at).findings if each.code == "grass_token_refused"]
    assert len(found) == 1
    assert "2026-11-15 13:00" in found[0].sentence


def test_a_token_refused_in_three_rounds_is_not_asked_with_again():
    memory = begin()
    for number in range(3):
        assert next(each.key for each in PROTOCOL.endpoints(memory, NOW)) == "devices"
        _, memory = outcome(memory, "devices", refusal("unauthorised", 401, NOW + timedelta(hours=number)))
    assert PROTOCOL.endpoints(memory, NOW + timedelta(days=30)) == ()
    assert "grass_token_refused" in codes(memory)


def test_one_refusal_in_a_good_round_is_forgiven():
    _, memory = outcome(begin(), "devices", refusal("unauthorised", 401))
    memory = told("devices", [device()], memory)
    assert (memory.refusals, memory.refused_since) == (0, None)


def test_the_tokens_end_is_stated_and_warned_of_a_week_before():
    assert facts(begin())["token_ends"] == "2027-02-13"
    assert codes(begin(), NOW + timedelta(days=82)) == set()
    assert codes(begin(), NOW + timedelta(days=84)) == {"grass_token_expiring"}


def test_a_paused_account_is_told():
    memory = told("settings", {"isConnectionPaused": True, "pauseConnectionExpiry": "2026-11-16T00:00:00.000Z"})
    assert codes(memory) == {"grass_paused"}
    memory = told("settings", {"isConnectionPaused": False, "pauseConnectionExpiry": None}, memory)
    assert codes(memory) == set()


def test_settings_that_are_gone_change_nothing_else():
    memory = told("devices", [device()])
    missing = replace(refusal("http_status", 404), status=404)
    failure, after = outcome(memory, "settings", missing)
    assert failure.reason == "http_status"
    assert reading(after) == reading(memory)


# -- clocks ----------------------------------------------------------------------------------------------


def test_a_clock_that_steps_back_does_no_harm():
    memory = told("epochs", {"data": [OCTOBER]}, told("devices", [device()], at=NOW))
    early = NOW - timedelta(days=2)
    assert reading(memory, early).accruals[0].amounts == reading(memory).accruals[0].amounts
    again = told("devices", [device(aggUptime=1)], memory, at=early)
    assert reading(again, early).health == "online"
