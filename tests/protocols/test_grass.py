"""Grass answers in points: they are kept apart from money, and a dead token is told, never guessed around."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.errors import AbsurdError, ProtocolError, ShapeError
from orch.model.money import Amounts
from orch.model.wire import NoReply, Reply, Secret
from orch.protocols.base import Context
from orch.protocols.grass import PROTOCOL, GrassOptions
from orch.protocols.grass_answers import token_expiry, usable_token

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
CONTEXT = Context(node="address", host="here")


def jwt(**claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2ln"


GOOD_TOKEN = jwt(exp=(NOW + timedelta(days=90)).timestamp())


def begin(token=GOOD_TOKEN, **options):
    return PROTOCOL.begin(GrassOptions(token=None if token is None else Secret(value=token), **options), CONTEXT)


@pytest.fixture
def after(answers):
    def run(*situations, memory=None):
        memory = memory or begin()
        for each in situations:
            situation, at = each if isinstance(each, tuple) else (each, NOW)
            key, reply = answers("grass")(situation, at)
            take = PROTOCOL.failed if isinstance(reply, NoReply) else PROTOCOL.absorb
            memory = take(memory, key, reply, at)
        return memory

    return run


def reading(memory, now=NOW):
    return PROTOCOL.reading(memory, now)


def codes(memory, now=NOW):
    return {finding.code for finding in reading(memory, now).findings} - {"grass_rate_unknown"}


def test_the_token_goes_bare_and_is_never_shown():
    endpoints = PROTOCOL.endpoints(begin(token=f"Bearer {GOOD_TOKEN}\n"), NOW)
    assert [e.key for e in endpoints] == ["devices", "user", "epochs", "epochs/history", "settings"]
    for endpoint in endpoints:
        assert endpoint.request.secret_headers == (("Authorization", Secret(value=GOOD_TOKEN)),)
        assert (endpoint.period_s >= 3600, endpoint.lane) == (True, "fast")
        assert GOOD_TOKEN not in repr(endpoint)
    assert endpoints[0].request.url == "https://api.getgrass.io/activeDevices"
    assert endpoints[2].request.url.endswith(
        "epochEarnings?input=%7B%22limit%22%3A1%2C%22isLatestOnly%22%3Atrue%7D"
    )
    assert [e.once for e in endpoints] == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "grass_token_missing"),
        ("", "grass_token_unusable"),
        ("two words", "grass_token_unusable"),
        ("line\nbreak", "grass_token_unusable"),
        ("töken", "grass_token_unusable"),
    ],
)
def test_without_a_usable_token_nothing_is_asked(token, code):
    memory = begin(token=token)
    assert PROTOCOL.endpoints(memory, NOW) == ()
    assert codes(memory) == {code}
    assert reading(memory).health == "unknown"


@pytest.mark.parametrize(
    ("token", "found"),
    [
        (GOOD_TOKEN, set()),
        (jwt(exp=(NOW + timedelta(days=6)).timestamp()), {"grass_token_expiring"}),
        (jwt(exp=(NOW - timedelta(days=1)).timestamp()), {"grass_token_expired"}),
        (jwt(sub="nobody"), {"grass_token_undecodable"}),
        (jwt(exp=1e300), {"grass_token_undecodable"}),
        ("plain", {"grass_token_undecodable"}),
        ("a.%%%.c", {"grass_token_undecodable"}),
    ],
)
def test_what_the_token_says_of_its_own_end_is_told_and_never_an_error(token, found):
    memory = begin(token=token)
    assert codes(memory) == found
    assert PROTOCOL.endpoints(memory, NOW)


@given(st.text())
def test_any_text_as_token_is_read_without_an_error(text):
    usable_token(text)
    expiry = token_expiry(text)
    assert expiry is None or expiry.tzinfo is UTC


@pytest.mark.parametrize(
    ("situation", "health", "found"),
    [
        ("healthy_devices", "online", set()),
        ("no_device_devices", "degraded", set()),
        ("score_zero_devices", "degraded", {"grass_score_zero"}),
        ("score_absent_devices", "online", set()),
        ("shared_address_devices", "online", {"grass_shared_address"}),
        ("401_devices", "unknown", {"grass_token_refused"}),
        ("429_html_devices", "unknown", set()),
        ("settled_user", "unknown", set()),
    ],
)
def test_health_and_findings_by_situation(after, situation, health, found):
    memory = after(situation)
    assert reading(memory).health == health
    assert codes(memory) == found


@pytest.mark.parametrize(
    ("situation", "error"),
    [
        ("data_gone_devices", ShapeError),
        ("null_list_devices", ShapeError),
        ("key_gone_devices", ShapeError),
        ("truncated_devices", ShapeError),
        ("html_200_devices", ShapeError),
        ("empty_body_devices", ShapeError),
        ("error_200_devices", ShapeError),
        ("points_gone_user", ShapeError),
        ("negative_devices", AbsurdError),
        ("nan_devices", AbsurdError),
        ("negative_user", AbsurdError),
        ("backwards_epoch", AbsurdError),
    ],
)
def test_a_wrong_answer_is_a_typed_error_and_changes_nothing(after, answers, situation, error):
    memory = after("healthy_devices", "settled_user", "settled_epoch")
    before = msgspec.json.encode(memory)
    key, reply = answers("grass")(situation)
    with pytest.raises(error, match=f"^{key}"):
        PROTOCOL.absorb(memory, key, reply, NOW)
    assert msgspec.json.encode(memory) == before


def test_a_failing_dashboard_says_nothing_about_the_node(after):
    memory = after("healthy_devices")
    failure = NoReply(reason="timeout", sentence="too slow", retryable=True, failed_at=NOW, elapsed_s=20.0)
    memory = PROTOCOL.failed(memory, "devices", failure, NOW)
    assert (reading(memory).health, reading(memory).last_seen_at) == ("unknown", NOW)
    assert reading(after("healthy_devices", memory=memory)).health == "online"
    assert reading(memory, NOW + timedelta(hours=4)).health == "unknown"


def test_epochs_are_streams_of_points_and_the_running_one_is_unknown_not_zero(after):
    read = reading(after("history_epochs"))
    assert read.speculative
    september, october = sorted(read.accruals, key=lambda accrual: accrual.period_start)
    assert (october.stream, october.unit) == ("Epoch 24", "GRASS_POINTS")
    assert october.amounts == Amounts(speculative=Decimal("25110.4"))
    assert (october.period_start, october.period_end, october.final) == (
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
        True,
    )
    assert september.amounts.speculative == Decimal("21000.123456789")


def test_a_drop_to_zero_is_the_start_of_an_epoch_and_no_loss(after):
    memory = after("settled_epoch", "settled_user", "epoch_start_zero", "epoch_start_zero_user")
    (accrual,) = reading(memory).accruals
    assert accrual.amounts.speculative == Decimal("25110.4")
    assert dict(reading(memory).facts)["settled_points"] == "0"


def test_a_running_epoch_that_states_points_is_not_final(after):
    (accrual,) = reading(after("running_with_points_epoch")).accruals
    assert accrual.amounts == Amounts(speculative=Decimal("812.5"))
    assert (accrual.final, accrual.period_end) == (False, None)
    (later,) = reading(after("running_with_points_epoch"), datetime(2026, 12, 1, tzinfo=UTC)).accruals
    assert later.final


def test_no_epochs_is_nothing_earned_yet(after):
    assert reading(after("no_epochs")).accruals == ()


def test_points_are_no_money_without_the_operators_word(after):
    read = reading(after("healthy_devices", "settled_epoch"))
    assert read.pace is None
    (outlook,) = read.outlooks
    assert (outlook.form, outlook.per_unit_hour) == ("on_off", None)
    assert "grass_rate_unknown" in {finding.code for finding in read.findings}


def test_with_it_the_pace_is_speculative_and_reaches_down_to_nothing(after):
    read = reading(after("healthy_devices", memory=begin(tokens_per_point=45e-6)))
    assert read.pace.mean == pytest.approx(50 * 0.75 * 1.25 * 45e-6 * 0.5)
    assert read.pace.low == 0
    assert read.pace.high == pytest.approx(2 * 50 * 0.75 * 1.25 * 2 * 45e-6)
    assert (read.pace.unit, read.pace.evidence) == ("GRASS", "speculative")
    assert read.outlooks[0].per_unit_hour == read.pace.mean
    certain = reading(after("healthy_devices", memory=begin(tokens_per_point=45e-6, p_paid=1.0)))
    assert certain.pace.mean == pytest.approx(2 * read.pace.mean)


@pytest.mark.parametrize(
    ("situations", "points", "how"),
    [
        (("healthy_devices",), "46.88", "prior"),
        (("healthy_devices", "settled_epoch"), "37.48", "measured in Epoch 24"),
        (("shared_address_devices", "settled_epoch"), "37.48", "measured"),
        (("shared_address_devices",), "46.88", "prior"),
        (("no_device_devices",), "0.00", "prior"),
        (("score_zero_devices", "settled_epoch"), "0.00", "measured"),
    ],
)
def test_points_per_hour_count_addresses_not_devices_and_say_how_they_are_known(after, situations, points, how):
    facts = dict(reading(after(*situations)).facts)
    assert facts["points_per_hour"] == points
    assert facts["points_rate"].startswith(how)


def test_an_unknown_score_makes_an_unknown_prior(after):
    assert "points_per_hour" not in dict(reading(after("score_absent_devices")).facts)


def test_a_refused_token_leaves_one_question_until_it_is_taken(after):
    memory = after("401_devices", "429_html_devices")
    assert [e.key for e in PROTOCOL.endpoints(memory, NOW)] == ["devices"]
    memory = after("healthy_devices", memory=memory)
    assert len(PROTOCOL.endpoints(memory, NOW)) == 5
    assert codes(memory) == set()


def test_a_day_of_nothing_but_429_means_that_the_token_is_probably_dead(after):
    times = [NOW + timedelta(hours=hour) for hour in range(25)]
    memory = after(*(("429_html_devices", at) for at in times))
    assert codes(memory, NOW + timedelta(hours=23)) == set()
    assert codes(memory, times[-1]) == {"grass_token_expired"}
    healed = after(("settled_user", times[12]), *(("429_html_devices", at) for at in times[13:]), memory=memory)
    assert codes(healed, times[-1]) == set()


def test_emulated_answers_mark_the_reading(after):
    assert reading(after("emulated_devices")).emulated
    assert not reading(after("healthy_devices")).emulated


@pytest.mark.parametrize(
    "given",
    [{"url": "ftp://x"}, {"tokens_per_point": -1}, {"p_paid": 1.5}, {"token": "in clear"}],
)
def test_options_that_cannot_be_are_refused(given):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, GrassOptions)


def test_options_take_a_resolved_secret():
    options = msgspec.convert({"token": Secret(value="t"), "tokens_per_point": 1e-6}, GrassOptions)
    assert options.token == Secret(value="t")
    assert "Secret(***)" in repr(options)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ROWS = {
    "devices": {"deviceId": "d", "ipAddress": "203.0.113.1", "aggUptime": 5, "ipScore": 75, "multiplier": 1},
    "epochs": {"epochName": "E", "startDate": "2026-10-01", "endDate": "2026-10-31", "totalPoints": 1},
    "user": {"totalPoints": 1},
}


@given(st.sampled_from(sorted(ROWS)), st.data())
def test_twisted_answers_are_refused_or_harmless(key, data):
    row = ROWS[key] | {data.draw(st.sampled_from(sorted(ROWS[key]))): data.draw(JSON)}
    rows = {"devices": [row], "epochs": {"data": [row]}, "user": row}[key]
    body = data.draw(st.sampled_from([{"result": {"data": rows}}, {"result": rows}, rows]) | JSON)
    headers = (("Content-Type", "application/json"),)
    reply = Reply(status=200, headers=headers, body=json.dumps(body).encode(), received_at=NOW, elapsed_s=0.1)
    memory = begin(tokens_per_point=1e-5)
    before = msgspec.json.encode(memory)
    try:
        changed = PROTOCOL.absorb(memory, key, reply, NOW)
    except ProtocolError:
        changed = memory
    read = PROTOCOL.reading(changed, NOW)
    assert read.pace is None or 0 <= read.pace.low <= read.pace.mean <= read.pace.high
    assert msgspec.json.encode(memory) == before
