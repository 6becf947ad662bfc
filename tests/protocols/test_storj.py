"""A storage node's answers become income, room to grow, health and advice; wrong answers become nothing at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.errors import AbsurdError, ProtocolError, ShapeError
from orch.model.money import Amounts
from orch.model.resources import Resources
from orch.model.wire import NoReply, Reply
from orch.protocols.base import Context
from orch.protocols.storj import PROTOCOL
from orch.protocols.storj_values import StorjOptions

US = "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S"
EU = "12L9ZFwhzVpuEKMUNUqkaTLGzwY9G24tbiigLiXpmZWKwmcNDDs"
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
HEALTHY = (
    "healthy_sno",
    "healthy_satellite_us",
    "healthy_satellite_eu",
    "healthy_satellites",
    "pricing_us",
    "pricing_eu",
    "healthy_estimate_us",
    "young_estimate_eu",
    "distributed_paystubs",
)


@pytest.fixture
def answer(answers):
    return answers("storj")


@pytest.fixture
def empty():
    return PROTOCOL.begin(StorjOptions(url="http://node:14002/"), Context(node="disk", host="here"))


@pytest.fixture
def after(answer, empty):
    """The memory after some situations, in order: names, or (name, time) pairs."""

    def run(*situations, memory=empty):
        for each in situations:
            situation, at = each if isinstance(each, tuple) else (each, NOW)
            key, reply = answer(situation, at)
            if isinstance(reply, NoReply):
                memory = PROTOCOL.failed(memory, key, reply, at)
            else:
                memory = PROTOCOL.absorb(memory, key, reply, at)
        return memory

    return run


def reading(memory, now=NOW):
    return PROTOCOL.reading(memory, now)


def codes(memory, now=NOW):
    return {finding.code for finding in reading(memory, now).findings}


def streams(memory, now=NOW):
    return {(accrual.stream, accrual.kind): accrual for accrual in reading(memory, now).accruals}


def no_reply(reason, at=NOW, status=None):
    return NoReply(reason=reason, sentence=reason, retryable=True, failed_at=at, elapsed_s=1.0, status=status)


def test_nothing_asked_is_unknown_and_not_zero(empty):
    read = reading(empty)
    assert (read.health, read.health_reason) == ("unknown", "no usable answer yet")
    assert (read.accruals, read.pace, read.outlooks) == ((), None, ())
    assert read.used == read.allocation == Resources()


def test_what_is_asked_grows_with_what_is_known(empty, after):
    assert [e.key for e in PROTOCOL.endpoints(empty, NOW)] == [
        "sno",
        "satellites",
        "history/2024-11/2026-10",
        "paystubs/2026-10",
        "paystubs/2026-09",
        "held",
        "notifications",
    ]
    asked = {e.key: e for e in PROTOCOL.endpoints(after("disqualified_sno"), NOW)}
    assert asked["sno"].request.url == "http://node:14002/api/sno/"
    assert (asked["sno"].vital, asked["sno"].lane, asked["sno"].period_s) == (True, "fast", 60)
    urls = {key: e.request.url.removeprefix("http://node:14002/api/") for key, e in asked.items()}
    assert urls[f"satellite/{US}"] == f"sno/satellite/{US}"
    assert urls[f"pricing/{US}"] == f"sno/satellites/{US}/pricing"
    assert urls[f"estimate/{US}"] == f"sno/estimated-payout?id={US}"
    assert urls["paystubs/2026-10"] == "heldamount/paystubs/2026-10"
    assert urls["history/2024-11/2026-10"] == "heldamount/paystubs/2024-11/2026-10"
    assert asked["history/2024-11/2026-10"].once
    assert all(e.lane == "slow" for key, e in asked.items() if key != "sno")
    assert not any(EU in key for key in asked)


def test_a_healthy_node(after):
    read = reading(after(*HEALTHY))
    assert (read.health, read.findings, read.emulated) == ("online", (), False)
    assert read.last_seen_at == NOW
    assert read.allocation == Resources(storage_gb=6000.0)
    assert read.used == read.committed == Resources(storage_gb=3720.0)
    assert read.floor == Resources(storage_gb=3720.0)
    assert dict(read.facts)["version"] == "1.162.3"
    assert dict(read.facts)["held_back_pct"] == "up to 75"


@pytest.mark.parametrize(
    ("situation", "health", "code"),
    [
        ("fresh_sno", "online", None),
        ("unreached_sno", "offline", "storj_unreached"),
        ("never_pinged_sno", "offline", "storj_unreached"),
        ("disqualified_sno", "degraded", "storj_disqualified"),
        ("suspended_sno", "degraded", "storj_suspended"),
        ("outdated_sno", "online", "storj_outdated"),
        ("full_sno", "online", "storj_overused"),
        ("old_version_diskspace_sno", "online", None),
    ],
)
def test_health_and_findings_by_situation(after, situation, health, code):
    memory = after(situation)
    assert reading(memory).health == health
    assert codes(memory) - {"storj_unpaid_space"} == ({code} if code else set())


@pytest.mark.parametrize(
    ("situation", "allocation", "used", "floor"),
    [
        ("healthy_sno", 6000, 3720, 3720),
        ("old_version_diskspace_sno", 6000, 3600, 3600),
        ("fresh_sno", 1000, 0, 500),
        ("full_sno", 6000, 6100, 6000),
    ],
)
def test_both_meanings_of_disk_space(after, situation, allocation, used, floor):
    read = reading(after(situation))
    assert read.allocation.storage_gb == pytest.approx(allocation)
    assert read.used.storage_gb == pytest.approx(used)
    assert read.floor.storage_gb == pytest.approx(floor)


@pytest.mark.parametrize(
    ("situation", "error"),
    [
        ("html_200_sno", ShapeError),
        ("html_labelled_json_sno", ShapeError),
        ("truncated_sno", ShapeError),
        ("empty_body_sno", ShapeError),
        ("null_sno", ShapeError),
        ("key_gone_sno", ShapeError),
        ("nan_sno", AbsurdError),
        ("negative_sno", AbsurdError),
        ("absurd_sno", AbsurdError),
        ("strange_satellite_sno", AbsurdError),
        ("negative_satellite_us", AbsurdError),
        ("absurd_score_satellite_us", AbsurdError),
        ("negative_estimate_us", AbsurdError),
        ("other_month_paystubs", AbsurdError),
        ("beyond_history", AbsurdError),
        ("pricing_html_200", ShapeError),
    ],
)
def test_a_wrong_answer_is_a_typed_error_and_changes_nothing(after, answer, situation, error):
    memory = after(*HEALTHY)
    before = msgspec.json.encode(memory)
    key, reply = answer(situation)
    with pytest.raises(error, match=f"^{key}"):
        PROTOCOL.absorb(memory, key, reply, NOW)
    assert msgspec.json.encode(memory) == before


def test_scores_of_a_node_not_judged_yet_are_no_alarm_and_low_ones_are(after):
    fresh = after("healthy_sno", "fresh_satellite_us")
    assert codes(fresh) == set()
    low = after("healthy_sno", "low_scores_satellite_us")
    assert codes(low) == {"storj_audit_score", "storj_suspension_score", "storj_online_score_low"}
    assert reading(low).health == "degraded"


@pytest.mark.parametrize(
    ("failures", "health"),
    [(["refused"], "degraded"), (["refused", "timeout"], "offline"), (["shape", "shape", "shape"], "degraded")],
)
def test_one_missed_poll_is_not_offline_for_a_node_that_was_there(after, failures, health):
    memory = after("healthy_sno")
    for reason in failures:
        memory = PROTOCOL.failed(memory, "sno", no_reply(reason), NOW)
    assert reading(memory).health == health
    assert reading(memory).used.storage_gb == 3720.0
    assert reading(after("healthy_sno", memory=memory)).health == "online"


def test_a_node_that_never_answered_is_offline_at_once_and_a_silent_one_unknown(empty, after):
    assert reading(PROTOCOL.failed(empty, "sno", no_reply("refused"), NOW)).health == "offline"
    assert reading(after("healthy_sno"), NOW + timedelta(minutes=16)).health == "unknown"


def test_slow_endpoints_that_fail_are_told_but_do_not_make_the_node_ill(after):
    memory = after("healthy_sno")
    for _ in range(3):
        memory = PROTOCOL.failed(memory, "satellites", no_reply("timeout"), NOW)
    assert codes(memory) == {"storj_endpoint"}
    assert reading(memory).health == "online"
    assert codes(after("healthy_satellites", memory=memory)) == set()


def test_a_satellite_that_is_no_longer_trusted_is_left_alone_for_a_day(after):
    memory = after("healthy_sno", "gone_404_satellite_eu")
    assert not any(EU in e.key for e in PROTOCOL.endpoints(memory, NOW))
    assert any(EU in e.key for e in PROTOCOL.endpoints(memory, NOW + timedelta(hours=25)))
    assert codes(memory) == set()


def test_the_500_of_a_disqualified_satellite_hurts_nobody_else(after):
    memory = after("healthy_sno", "healthy_estimate_us", "disqualified_500_estimate_eu")
    assert (f"{US}:2026-11", "earned") in streams(memory)
    assert reading(memory).health == "online"


def test_the_running_month_is_estimated_gross_to_the_last_digit(after):
    memory = after("healthy_sno", "healthy_satellite_us", "healthy_estimate_us", "young_estimate_eu")
    found = streams(memory)
    running = found[f"{US}:2026-11", "earned"]
    assert running.amounts == Amounts(estimated=Decimal("2.8706"))
    assert (running.unit, running.semantics, running.final) == ("USD", "per_period", False)
    assert (running.period_start, running.period_end) == (datetime(2026, 11, 1, tzinfo=UTC), None)
    assert running.as_of == NOW
    assert found[f"{US}:2026-10", "earned"].amounts == Amounts(estimated=Decimal("5.7009"))
    assert found[f"{US}:2026-10", "earned"].period_end == datetime(2026, 11, 1, tzinfo=UTC)
    assert found[f"{EU}:2026-11", "earned"].amounts.total == Decimal("0.1014")
    assert (f"{EU}:2026-10", "earned") not in found


@pytest.mark.parametrize(
    ("situation", "earned", "others", "final"),
    [
        ("distributed_paystubs", Amounts(settled=Decimal("3.959896")), {}, True),
        ("undistributed_paystubs", Amounts(accrued=Decimal("3.959896")), {}, False),
        (
            "held_paystubs",
            Amounts(settled=Decimal("0.4"), accrued=Decimal("3.6")),
            {"held": Amounts(accrued=Decimal(3))},
            False,
        ),
        (
            "released_paystubs",
            Amounts(settled=Decimal("3.959896")),
            {"released": Amounts(settled=Decimal("2.25"))},
            True,
        ),
        ("none_yet_paystubs", None, {}, False),
    ],
)
def test_statements(after, situation, earned, others, final):
    found = streams(after(situation))
    by_kind = {kind: accrual for (_, kind), accrual in found.items()}
    if earned is None:
        assert found == {}
        return
    assert by_kind["earned"].amounts == earned
    assert by_kind["earned"].final is final
    assert {kind: a.amounts for kind, a in by_kind.items() if kind != "earned"} == others
    assert all(stream.endswith(":2026-10") for stream, _ in found)


def test_a_statement_replaces_the_estimate_of_its_month_and_stays(after):
    memory = after("healthy_sno", "healthy_estimate_us", "distributed_paystubs", "healthy_estimate_us")
    memory = after("none_yet_paystubs", memory=memory)
    october = streams(memory)[f"{US}:2026-10", "earned"]
    assert october.amounts == Amounts(settled=Decimal("3.959896"))
    assert october.reference == "paystub 2026-10"


def test_past_months_are_read_in_one_go(after):
    found = streams(after("two_months_history", "undistributed_paystubs"))
    assert found[f"{US}:2026-09", "earned"].amounts == Amounts(settled=Decimal(3))
    assert found[f"{US}:2026-10", "earned"].amounts == Amounts(accrued=Decimal("3.959896"))


DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("later", "november"),
    [
        (timedelta(seconds=30), Decimal("2.8706")),  # either month: left out
        (timedelta(minutes=10), Decimal("5.6049")),  # the node's own closed figure
    ],
)
def test_a_month_keeps_its_last_estimate_when_the_next_one_begins(after, later, november):
    at = DECEMBER + later
    before = DECEMBER - timedelta(minutes=5)
    memory = after(("healthy_sno", before), ("healthy_estimate_us", before), ("month_rollover_estimate_us", at))
    found = streams(memory, at)
    assert found[f"{US}:2026-11", "earned"].amounts.total == november
    assert found[f"{US}:2026-11", "earned"].period_end == DECEMBER
    if later > timedelta(minutes=2):
        assert found[f"{US}:2026-12", "earned"].amounts.total == 0


def test_the_31st_does_not_repeat_the_running_month_as_the_one_before(after):
    halloween = datetime(2026, 10, 31, 12, tzinfo=UTC)
    found = streams(after(("repeats_current_estimate_us", halloween)), halloween)
    assert {stream for stream, _ in found} == {f"{US}:2026-10"}
    day_before = halloween - timedelta(days=1)
    assert len(streams(after(("repeats_current_estimate_us", day_before)), day_before)) == 2


def test_an_estimate_of_nothing_for_real_use_is_not_believed(after):
    memory = after("healthy_sno", "healthy_estimate_us", "no_prices_estimate_us")
    assert streams(memory)[f"{US}:2026-11", "earned"].amounts.total == Decimal("2.8706")
    assert "storj_no_prices" in codes(memory)
    assert "storj_no_prices" not in codes(after("healthy_estimate_us", memory=memory))


def test_a_disqualification_takes_the_running_month(after):
    memory = after("healthy_sno", "young_estimate_eu", ("disqualified_sno", NOW + timedelta(minutes=1)))
    lost = streams(memory)[f"{EU}:2026-11", "earned"]
    assert lost.amounts.total == 0
    assert lost.as_of == NOW + timedelta(minutes=1)


def test_pace_is_reported_bytes_and_what_came_since_times_price_plus_egress(after):
    pace = reading(after(*HEALTHY)).pace
    came = 1.5 * (10.3 / 2 + 5.15) / 1000
    storage = (3.5 + 0.5 * came) * 1.49 / 720
    egress = 1.5 * (5.9 + 6.3 + 5.5 + 7.0 + 6.1 + 5.8 + 6.4 + 7 * 2.614) / 1000 * 2.0 / (7 * 24)
    assert pace.mean == pytest.approx(storage + egress, rel=2e-3)
    assert pace.mean > storage + egress  # there is more to be read now than a week ago
    assert storage < pace.low < pace.mean < pace.high < storage + 2 * egress
    assert pace.high - pace.mean > pace.mean - pace.low  # prices are cut to whole cents
    assert (pace.unit, pace.evidence, pace.window_s, pace.as_of) == ("USD", "estimated", 7 * 86400, NOW)


@pytest.mark.parametrize(
    "missing", ["healthy_sno", "healthy_satellite_us", "healthy_satellite_eu"], ids=lambda name: f"without {name}"
)
def test_pace_is_unknown_until_every_satellite_has_spoken(after, missing):
    assert reading(after(*(each for each in HEALTHY if each != missing))).pace is None


def test_pace_without_prices_is_unknown_and_said(after):
    memory = after("healthy_sno", "no_prices_satellite_us", "healthy_satellite_eu", "pricing_unknown_us")
    assert reading(memory).pace is None
    assert "storj_no_prices" in codes(memory)
    assert reading(after("pricing_us", memory=memory)).pace is not None


def test_a_satellite_that_is_disqualified_pays_nothing_more(after):
    both = reading(after(*HEALTHY)).pace
    one = reading(after(*HEALTHY, "disqualified_sno")).pace
    assert 0 < one.mean < both.mean


def test_pace_goes_on_over_the_edge_of_a_month(after, answer):
    late = DECEMBER - timedelta(minutes=10)
    memory = after(*((each, late) for each in HEALTHY[:6]))
    before = reading(memory, late).pace
    at = DECEMBER + timedelta(minutes=20)
    for situation in ("healthy_satellite_us", "healthy_satellite_eu"):
        key, reply = answer(situation, at)
        body = json.loads(reply.body) | {"storageDaily": None, "bandwidthDaily": None}
        reply = msgspec.structs.replace(reply, body=json.dumps(body).encode())
        memory = PROTOCOL.absorb(memory, key, reply, at)
    after_edge = reading(memory, at).pace
    assert after_edge.mean == pytest.approx(before.mean, rel=0.02)
    assert after_edge.window_s > 6 * 86400


def test_outlook_is_a_stock_that_fills_by_what_comes_in(after):
    (outlook,) = reading(after(*HEALTHY)).outlooks
    pace = reading(after(*HEALTHY)).pace
    assert (outlook.form, outlook.resource, outlook.unit) == ("stock", "storage_gb", "USD")
    assert outlook.used == pytest.approx(3720)
    assert outlook.per_unit_hour * outlook.used == pytest.approx(pace.mean)
    assert outlook.fill_per_hour == pytest.approx((14.7 + 0.75 - 0.45) / 24)


def test_a_full_disk_is_judged_by_the_days_it_had_room(after):
    (outlook,) = reading(after("full_sno", "healthy_satellites")).outlooks
    assert outlook.fill_per_hour == pytest.approx(0.625)
    (unknown,) = reading(after("full_sno", "null_lists_satellites")).outlooks
    assert unknown.fill_per_hour is None


def test_before_anything_is_stored_a_gigabyte_is_worth_its_storage_price(after):
    memory = after(("healthy_sno", NOW), "fresh_satellite_us", "pricing_us", "pricing_eu")
    assert reading(memory).outlooks[0].per_unit_hour is None
    key = f"satellite/{EU}"
    fresh = PROTOCOL.absorb(memory, key, _joined_today(), NOW)
    assert reading(fresh).outlooks[0].per_unit_hour == pytest.approx(1.49 / 720 / 1000)
    assert reading(fresh).pace.mean == 0


def _joined_today():
    body = {
        "storageDaily": [],
        "bandwidthDaily": None,
        "audits": {"auditScore": 0, "suspensionScore": 0, "onlineScore": 0},
        "priceModel": {"EgressBandwidth": 0, "RepairBandwidth": 0, "AuditBandwidth": 0, "DiskSpace": 0},
        "nodeJoinedAt": "0001-01-01T00:00:00Z",
    }
    headers = (("Content-Type", "application/json"),)
    return Reply(status=200, headers=headers, body=json.dumps(body).encode(), received_at=NOW, elapsed_s=0.1)


def test_on_a_full_disk_what_deletions_let_in_is_the_lower_limit(after, answer):
    memory = after("full_sno")
    key, reply = answer("healthy_satellites")
    body = json.loads(reply.body)
    for row in body["bandwidthDaily"]:
        row["delete"] = row["ingress"]["usage"] + row["ingress"]["repair"] - 100_000_000
    reply = msgspec.structs.replace(reply, body=json.dumps(body).encode())
    (outlook,) = reading(PROTOCOL.absorb(memory, key, reply, NOW)).outlooks
    assert outlook.fill_per_hour == pytest.approx(15.45 / 24)


def test_own_growth_with_room_counts_more_than_reported_traffic(after, answer):
    memory = after("healthy_satellites")
    for hour in range(8):
        at = NOW + timedelta(hours=hour)
        key, reply = answer("healthy_sno", at)
        body = json.loads(reply.body)
        body["diskSpace"]["used"] += hour * 200_000_000
        reply = msgspec.structs.replace(reply, body=json.dumps(body).encode())
        memory = PROTOCOL.absorb(memory, key, reply, at)
    assert reading(memory, at).outlooks[0].fill_per_hour == pytest.approx(0.2)


def test_quic_is_told_after_three_hours_and_forgotten_when_it_works(after):
    memory = after("quic_sno", ("quic_sno", NOW + timedelta(hours=3)))
    assert "storj_quic" not in codes(memory, NOW + timedelta(hours=2))
    assert "storj_quic" in codes(memory, NOW + timedelta(hours=3))
    later = after("healthy_sno", memory=memory)
    assert "storj_quic" not in codes(later, NOW + timedelta(hours=3))


def test_a_crash_loop_is_told(answer, empty):
    memory = empty
    for minutes in (0, 10, 20, 30):
        at = NOW + timedelta(minutes=minutes)
        key, reply = answer("healthy_sno", at)
        body = json.loads(reply.body) | {"startedAt": at.isoformat()}
        memory = PROTOCOL.absorb(memory, key, msgspec.structs.replace(reply, body=json.dumps(body).encode()), at)
    assert "storj_restarts" in codes(memory, at)
    assert "storj_restarts" not in codes(memory, at + timedelta(hours=1))


def test_a_report_older_than_two_days_is_told(after):
    memory = after(*HEALTHY)
    assert "storj_report_old" in codes(memory, NOW + timedelta(days=2))


def test_emulated_answers_mark_the_reading(after, empty):
    assert reading(after("emulated_sno")).emulated
    refused = msgspec.structs.replace(no_reply("http_status", status=500), headers=(("x-orch-emulated", "1"),))
    assert reading(PROTOCOL.failed(empty, "sno", refused, NOW)).emulated


def test_memory_does_not_grow_for_ever(after):
    memory = after(*HEALTHY)
    size = len(msgspec.json.encode(memory))
    for day in range(1, 400, 7):
        at = NOW + timedelta(days=day)
        memory = after(("healthy_sno", at), ("healthy_estimate_us", at), memory=memory)
    assert len(memory.estimates) <= 10
    assert len(msgspec.json.encode(memory)) < 4 * size


KEYS = ("sno", "satellites", f"satellite/{US}", f"pricing/{US}", f"estimate/{US}", "paystubs/2026-10", "what")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("healthy_sno", "healthy_satellites", "healthy_satellite_us", "pricing_us", "healthy_estimate_us")


def _paths(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _paths(child, (*path, key))


@given(st.data())
def test_a_twisted_answer_is_taken_in_or_refused_and_never_changes_what_was_known(answers, data):
    name = data.draw(st.sampled_from((*NAMES, "distributed_paystubs")))
    key, reply = answers("storj")(name)
    body = json.loads(reply.body)
    path = data.draw(st.sampled_from(list(_paths(body))))
    twist = data.draw(JSON)
    if path:
        target = body
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = twist
    else:
        body = twist
    reply = msgspec.structs.replace(reply, body=json.dumps(body).encode())
    memory = PROTOCOL.begin(StorjOptions(), Context(node="n", host="h"))
    for each in (*NAMES, "distributed_paystubs"):
        memory = PROTOCOL.absorb(memory, *answers("storj")(each), NOW)
    before = msgspec.json.encode(memory)
    try:
        changed = PROTOCOL.absorb(memory, key, reply, NOW)
    except ProtocolError:
        changed = memory
    read = PROTOCOL.reading(changed, NOW)
    assert all(accrual.amounts.total >= 0 for accrual in read.accruals)
    assert read.pace is None or read.pace.low <= read.pace.mean <= read.pace.high
    assert PROTOCOL.endpoints(changed, NOW)
    assert msgspec.json.encode(memory) == before


@given(st.sampled_from(KEYS), JSON)
def test_arbitrary_json_is_refused_or_harmless(key, value):
    memory = PROTOCOL.begin(StorjOptions(), Context(node="n", host="h"))
    headers = (("Content-Type", "application/json"),)
    reply = Reply(status=200, headers=headers, body=json.dumps(value).encode(), received_at=NOW, elapsed_s=0.1)
    try:
        changed = PROTOCOL.absorb(memory, key, reply, NOW)
    except (ShapeError, AbsurdError):
        return
    assert PROTOCOL.reading(changed, NOW).node == "n"
