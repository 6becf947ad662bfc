"""What a storage node does when it is not well, row by row, and input that no node should give.

Each way to fail has its typed failure; what was known stays, and nothing is earned or lost by it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from orch.earnings.ledger import Ledger
from orch.errors import AbsurdError, ShapeError
from orch.model.money import Amounts
from orch.model.wire import NoReply, Reply
from orch.protocols.base import Context
from orch.protocols.storj import PROTOCOL
from orch.protocols.storj_host import last_words
from orch.protocols.storj_values import StorjOptions

US = "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S"
EU = "12L9ZFwhzVpuEKMUNUqkaTLGzwY9G24tbiigLiXpmZWKwmcNDDs"
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WELL = (
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
JSON = (("Content-Type", "application/json"),)


class House:
    """One node's memory, the ledger behind it, and what is told to both."""

    def __init__(self, answers):
        self.answers = answers("storj")
        self.memory = PROTOCOL.begin(StorjOptions(url="http://node:14002"), Context(node="disk", host="here"))
        self.ledger = Ledger("here")

    def with_options(self, **more):
        options = StorjOptions(**{"url": "http://node:14002"} | more)
        self.memory = PROTOCOL.begin(options, Context(node="disk", host="here"))
        return self

    def well(self, at=NOW):
        for situation in WELL:
            self.tell(situation, at)
        return self

    def tell(self, situation, at=NOW, change=None, headers=()):
        """A situation's answer, its document changed by a function."""
        key, reply = self.answers(situation, at)
        if isinstance(reply, NoReply):
            self.memory = PROTOCOL.failed(self.memory, key, reply, at)
            return self
        if change is not None:
            document = json.loads(reply.body)
            change(document)
            reply = msgspec.structs.replace(reply, body=json.dumps(document).encode())
        reply = msgspec.structs.replace(reply, headers=(*reply.headers, *headers))
        self.memory = PROTOCOL.absorb(self.memory, key, reply, at)
        return self

    def says(self, key, body, at=NOW, headers=JSON):
        """Any bytes as an endpoint's answer."""
        reply = Reply(status=200, headers=headers, body=body, received_at=at, elapsed_s=0.1)
        self.memory = PROTOCOL.absorb(self.memory, key, reply, at)
        return self

    def fails(self, key, reason, at=NOW, status=None):
        failure = NoReply(
            reason=reason, sentence=reason, retryable=True, failed_at=at, elapsed_s=1.0, status=status
        )
        self.memory = PROTOCOL.failed(self.memory, key, failure, at)
        return self

    def read(self, at=NOW):
        return PROTOCOL.reading(self.memory, at)

    def book(self, at=NOW):
        """Book what is known; the sums by stream of what was earned."""
        self.entries = self.ledger.book(self.read(at), lambda _: None, at)
        return self.ledger.earned("disk")

    def codes(self, at=NOW):
        return {finding.code for finding in self.read(at).findings}

    def asked(self, at=NOW):
        return {endpoint.key: endpoint for endpoint in PROTOCOL.endpoints(self.memory, at)}


@pytest.fixture
def house(answers):
    return House(answers)


def untouched(house, at=NOW):
    """What must not change by a failure."""
    read = house.read(at)
    return read.allocation, read.used, read.accruals, read.pace, read.outlooks


# -- one test for each way a node fails ---------------------------------------------------------------------


def test_connection_refused_for_minutes_at_start(house):
    before = untouched(house.well())
    house.fails("sno", "refused")
    assert house.read().health == "degraded"
    house.fails("sno", "refused", NOW + MINUTE)
    read = house.read(NOW + MINUTE)
    assert (read.health, untouched(house)) == ("offline", before)
    assert "opens its port late" in read.health_reason
    house.fails("sno", "refused", NOW + 16 * MINUTE)
    assert "opens its port late" not in house.read(NOW + 16 * MINUTE).health_reason


def test_tcp_connects_and_no_answer_comes(house):
    before = untouched(house.well())
    assert all(10 <= endpoint.request.deadline_s <= 30 for endpoint in house.asked().values())
    house.fails("sno", "timeout").fails("sno", "timeout", NOW + MINUTE)
    assert (house.read().health, untouched(house)) == ("offline", before)


@pytest.mark.parametrize(
    ("minutes", "health", "severity"),
    [(1, "degraded", "warning"), (119, "degraded", "warning"), (121, "offline", "page")],
)
def test_on_this_host_an_open_port_without_an_answer_is_slow_for_two_hours_and_then_down(
    house, minutes, health, severity
):
    house.with_options(url="http://127.0.0.1:14002").well()
    before = untouched(house)
    house.fails("sno", "timeout").fails("sno", "timeout", NOW + minutes * MINUTE)
    read = house.read(NOW + minutes * MINUTE)
    (found,) = [each for each in read.findings if each.code == "storj_hangs"]
    assert (read.health, found.severity, untouched(house)) == (health, severity, before)
    house.fails("sno", "refused", NOW + 122 * MINUTE)
    assert "storj_hangs" not in house.codes(NOW + 122 * MINUTE)


@pytest.mark.parametrize(("reason", "status"), [("timeout", None), ("http_status", 500)])
def test_the_dashboard_hangs_or_fails_for_hours_and_the_money_goes_on(house, reason, status):
    house.well()
    for minutes in range(0, 180, 10):
        house.fails("sno", reason, NOW + minutes * MINUTE, status)
    later = NOW + 3 * HOUR
    house.tell("healthy_estimate_us", later, _earn(3))
    assert house.read(later).health in {"offline", "degraded"}
    assert {e.key for e in PROTOCOL.endpoints(house.memory, later)} >= {f"estimate/{US}", f"satellite/{US}"}
    assert house.asked(later)["sno"].backoff_max_s == 600
    assert _stream(house, later).amounts.estimated == Decimal("2.9006")


def test_html_with_status_200(house):
    before = untouched(house.well())
    for situation in ("html_200_sno", "html_labelled_json_sno", "pricing_html_200"):
        with pytest.raises(ShapeError):
            house.tell(situation)
    assert untouched(house) == before


def test_an_empty_body_with_status_200(house):
    house.well()
    with pytest.raises(ShapeError):
        house.tell("empty_body_sno")
    key = "payouts/2026-10"
    assert key in house.asked()
    house.says(key, b"")  # the node could not write the share of nothing as a number
    assert not house.memory.receipts
    paid = _stream(house, month="2026-10", kind="paid")
    assert (paid.amounts, paid.reference) == (Amounts(settled=Decimal("3.959896")), "paystub 2026-10")


@pytest.mark.parametrize("key", ["paystubs/2026-10", "payouts/2026-10", "held", "history/2024-11/2026-10"])
def test_null_is_an_empty_list(house, key):
    before = untouched(house.well())
    house.says(key, b"null\n")
    assert [each for each in house.read().accruals if each.kind != "paid"] == list(before[2])
    house.tell("null_lists_satellites")
    assert house.memory.merged.traffic == ()


def test_status_500_on_the_estimate_of_a_satellite_that_disqualified_the_node(house):
    house.well().tell("disqualified_500_estimate_eu")
    assert house.read().health == "online"
    house.tell("disqualified_sno")
    assert f"estimate/{EU}" not in house.asked()


def test_status_404_on_a_satellite_that_left_the_trust_list_between_two_calls(house):
    house.well().tell("gone_404_satellite_eu")
    assert f"satellite/{EU}" not in house.asked()
    assert house.codes() == set()
    assert house.read().pace is not None


@pytest.mark.parametrize("situation", ["negative_sno", "absurd_sno", "nan_sno"])
def test_negative_or_absurd_counters(house, situation):
    before = untouched(house.well())
    with pytest.raises(AbsurdError):
        house.tell(situation)
    assert untouched(house) == before


@pytest.mark.parametrize(
    ("free_gb", "code"),
    [
        (2270, None),
        (2175, None),
        (900, "storj_free_differs"),
        (200, "storj_disk_full"),
        (5500, "storj_used_differs"),
    ],
)
def test_counters_are_compared_with_what_the_disk_has(house, free_gb, code):
    """The node counts 3.72 TB as used and 2.18 TB that can be filled; its disk has 6 TB."""
    house.with_options(storage_path="/srv/storj").well()
    assert json.loads(house.asked()["disk"].request.body) == {"path": "/srv/storj"}
    before = untouched(house)
    house.says("disk", json.dumps({"disk": {"total": 6 * 10**12, "free": free_gb * 10**9}}).encode())
    found = house.codes() & {"storj_free_differs", "storj_disk_full", "storj_used_differs"}
    assert (code in found) if code else found == set()
    assert untouched(house) == before


@pytest.mark.parametrize(
    "said", [{"disk": None}, {"disk": {"total": 5, "free": 7}}, {"disk": {"total": 0, "free": 0}}]
)
def test_a_disk_that_cannot_be_is_refused(house, said):
    house.with_options(storage_path="/gone")
    with pytest.raises(AbsurdError):
        house.says("disk", json.dumps(said).encode())


def test_an_allocation_below_what_is_used_is_no_reason_to_take_more(house):
    def shrunk(document):
        document["diskSpace"] |= {"allocated": 3_000_000_000_000, "available": 0, "overused": 720_000_000_000}

    read = house.well().tell("healthy_sno", NOW + MINUTE, shrunk).read()
    assert (read.allocation.storage_gb, read.used.storage_gb, read.floor.storage_gb) == (3000, 3720, 3000)


def test_earnings_jump_when_a_satellite_reports_and_the_rate_hardly_moves(house):
    before = house.well().read().pace

    def reported(document):
        document["storageDaily"][-1] |= {"calculated": False, "atRestTotal": 28.86e12}

    read = house.tell("healthy_satellite_us", NOW + HOUR, reported).read(NOW + HOUR)
    assert read.window_s >= 24 * 3600
    assert read.pace.mean == pytest.approx(before.mean, rel=0.01)
    assert before.low < read.pace.mean < before.high


@pytest.mark.parametrize(
    "row",
    [
        {"atRestTotal": 0, "atRestTotalBytes": 0, "intervalInHours": 24},
        {"atRestTotal": 77.8e12, "atRestTotalBytes": 4.38e6, "intervalInHours": 17_755_382},
    ],
    ids=["of nothing", "over two thousand years"],
)
def test_before_1_162_a_day_without_a_report_is_no_day_without_bytes(house, row):
    before = house.well().read().pace

    def late(document):
        for each in document["storageDaily"]:
            del each["calculated"]
        document["storageDaily"][-1] |= row

    assert house.tell("healthy_satellite_us", NOW + MINUTE, late).read().pace.mean == pytest.approx(before.mean)


def test_before_1_162_half_a_day_counts_by_its_hours(house):
    before = house.well().read().pace

    def half(document):
        document["storageDaily"][-2] |= {"atRestTotal": 28.8e12, "intervalInHours": 12, "atRestTotalBytes": 2.4e12}

    assert house.tell("healthy_satellite_us", NOW + MINUTE, half).read().pace.mean == pytest.approx(before.mean)


def test_the_node_exits_by_itself_again_and_again(house):
    for minutes in (0, 10, 20, 30):
        at = NOW + minutes * MINUTE
        house.tell("healthy_sno", at, lambda document, at=at: document.update(startedAt=at.isoformat()))
    assert "storj_restarts" in house.codes(at)


def test_the_node_cannot_start(house):
    before = untouched(house.well())
    for minutes in range(0, 40, 10):
        house.fails("sno", "refused", NOW + minutes * MINUTE)
    read = house.read(NOW + 40 * MINUTE)
    assert (read.health, untouched(house, NOW + 40 * MINUTE)) == ("offline", before)
    assert read.health_reason.startswith("refused since 30 min")
    assert read.floor.storage_gb >= 500


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("FATAL Unrecoverable error {error: disk space requirement not met}", "at least 500 GB"),
        ("ERROR system clock is out of sync with all trusted satellites", "by NTP"),
        ("FATAL database disk image is malformed", "SQLite"),
        ("ERROR something else", "read the log before that line"),
    ],
)
def test_a_node_that_cannot_start_is_looked_up_in_its_log(house, line, remedy):
    house.with_options(log_path="node.log").well()
    assert "log" not in house.asked()
    house.fails("sno", "refused").fails("sno", "refused", NOW + MINUTE)
    asked = house.asked()["log"].request
    assert (asked.path, asked.tail, asked.max_bytes) == ("node.log", True, 32_000)
    text = f"2026-11-15T12:00:00Z INFO started\n2026-11-15T12:00:01Z {line}\nINFO bye\n"
    house.says("log", text.encode(), NOW + MINUTE)
    (found,) = [each for each in house.read(NOW + MINUTE).findings if each.code == "storj_last_words"]
    assert line in found.sentence
    assert remedy in found.remedy
    house.tell("healthy_sno", NOW + 2 * MINUTE)
    assert "storj_last_words" not in house.codes(NOW + 2 * MINUTE)
    assert "log" not in house.asked(NOW + 2 * MINUTE)


@pytest.mark.parametrize(
    "secret",
    [
        "operator.email: me@example.org",
        "Authorization: Bearer abc.def",
        "api-key=13Yqe3oHi5dcnGhMu2ru3cmePC9iEYv6nDrYMbLRh4wre1KtVA9SFwLNAuuvWwc43",
        "https://user:hunter2@db.example/x",
        "wallet 0x00000000000000000000000000000000000000aa",
        "node 1QzDKGHDeyuRxbvZhcwHU3syxTYtU1jHy5duAKuPxja3XC8ttk",
        '"password": "hunter2"',
    ],
)
def test_no_secret_of_a_log_is_kept(secret):
    kept = last_words(f"ERROR failed with {secret} at last\n".encode())
    assert kept.startswith("ERROR failed with")
    hidden = ("me@", "abc.def", "13Yqe", "hunter2", "aa at", "1QzD")
    assert not [each for each in hidden if each in kept]


@pytest.mark.parametrize(
    "line",
    [
        'T FATAL x.go:4 Unrecoverable error {"process": "node", "error": "it is full", "errorVerbose": "stack"}',
        '{"L":"FATAL","M":"T FATAL x.go:4 Unrecoverable error","error":"it is full","errorVerbose":"stack"}',
    ],
)
def test_of_a_line_with_its_stack_the_message_and_the_error_are_kept(line):
    assert last_words(line.encode()) == "T FATAL x.go:4 Unrecoverable error: it is full"


def test_a_log_that_is_empty_or_binary_says_little(house):
    assert last_words(b"\n \n") == ""
    assert last_words(b"\x00\x1b[31mERROR \xff bad\x07").endswith("bad ")
    assert len(last_words(b"ERROR " + b"long " * 1000)) < 450


# -- money through bad input ----------------------------------------------------------------------------------


def _earn(cents, moved=0):
    def change(document):
        document["currentMonth"]["diskSpacePayout"] = round(document["currentMonth"]["diskSpacePayout"] + cents, 2)
        document["currentMonth"]["egressBandwidth"] += moved

    return change


def _stream(house, at=NOW, month="2026-11", kind="earned", satellite=US):
    found = {(each.stream, each.kind): each for each in house.read(at).accruals}
    return found[f"{satellite}:{month}", kind]


def test_an_answer_twice_is_booked_once(house):
    house.well().book()
    sums = house.ledger.earned("disk")
    house.well()
    assert house.book() == sums
    assert house.entries == ()


def test_an_answer_that_was_overtaken_changes_nothing(house):
    house.well().tell("healthy_estimate_us", NOW + 5 * MINUTE, _earn(5))
    sums = house.book(NOW + 5 * MINUTE)
    house.tell("healthy_estimate_us", NOW + MINUTE)
    house.tell("healthy_sno", NOW - MINUTE, lambda document: document["diskSpace"].update(used=1))
    house.tell("healthy_satellite_us", NOW - MINUTE, lambda document: document.update(storageDaily=None))
    assert house.book(NOW + 6 * MINUTE) == sums
    assert house.read().used.storage_gb == 3720
    assert house.read().pace.mean > 0.008


def test_a_clock_set_back_by_hours_loses_and_invents_nothing(house):
    house.well().tell("healthy_estimate_us", NOW, _earn(5))
    first = house.book(NOW)
    back = NOW - 3 * HOUR
    house.well(back).tell("healthy_estimate_us", back + MINUTE, _earn(6))
    assert house.book(back + MINUTE).estimated >= first.estimated
    house.tell("healthy_estimate_us", NOW + HOUR, _earn(7))
    house.tell("young_estimate_eu", NOW + HOUR)
    assert house.book(NOW + HOUR).estimated - first.estimated == Decimal("0.02")


def test_a_clock_that_is_days_ahead_books_by_the_months_of_the_node(house):
    """Ours says the 2nd of December, the node's still the 30th of November."""
    ahead = datetime(2026, 12, 2, 3, tzinfo=UTC)
    date = (("Date", "Mon, 30 Nov 2026 20:00:00 GMT"),)
    house.tell("healthy_sno", ahead, headers=date).tell("healthy_estimate_us", ahead, headers=date)
    assert {each.stream for each in house.read(ahead).accruals} == {f"{US}:2026-11", f"{US}:2026-10"}
    assert "storj_clock" in house.codes(ahead)
    right = (("Date", "Wed, 02 Dec 2026 03:00:01 GMT"),)
    assert "storj_clock" not in house.tell("healthy_sno", ahead + MINUTE, headers=right).codes(ahead)


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 30 Nov 9999 20:00:00 -0000"]
)
def test_a_date_that_cannot_be_is_as_none(house, date):
    house.tell("healthy_estimate_us", headers=(("Date", date),)).tell("healthy_sno", headers=(("Date", date),))
    assert _stream(house).amounts.total == Decimal("2.8706")
    assert "storj_clock" not in house.codes()


def test_a_change_of_summer_time_is_no_restart(house):
    house.tell("healthy_sno", change=lambda document: document.update(startedAt="2026-10-25T02:30:00+02:00"))
    house.tell(
        "healthy_sno", NOW + MINUTE, lambda document: document.update(startedAt="2026-10-25T01:30:00+01:00")
    )
    assert len(house.memory.starts) == 1
    house.tell(
        "healthy_sno", NOW + 2 * MINUTE, lambda document: document.update(startedAt="2026-10-25T02:30:00+01:00")
    )
    assert len(house.memory.starts) == 2


@pytest.mark.parametrize("minutes", [-3, -1, 0, 1, 3])
def test_around_midnight_of_the_first_nothing_is_booked_twice(house, minutes):
    edge = datetime(2026, 12, 1, tzinfo=UTC)
    house.well(edge - 10 * MINUTE)
    before = house.book(edge - 10 * MINUTE)
    at = edge + minutes * MINUTE
    situation = "healthy_estimate_us" if minutes < 0 else "month_rollover_estimate_us"
    house.tell(situation, at)
    booked = house.book(at)
    new = booked.estimated - before.estimated
    assert new == (Decimal("2.7343") if minutes > 2 else 0)
    assert booked.settled == before.settled


def test_a_revised_month_is_a_correction_and_the_sum_is_the_nodes_own(house):
    house.well().book()
    house.tell("healthy_estimate_us", NOW + HOUR, _earn(-20))
    house.book(NOW + HOUR)
    assert [(entry.kind, entry.amount) for entry in house.entries] == [("correction", Decimal("-0.2"))]


def test_a_count_that_starts_again_keeps_what_was_counted(house):
    house.well()

    def lost(document):
        document["currentMonth"] |= {
            "egressBandwidth": 1_000_000_000,
            "egressBandwidthPayout": 0.2,
            "egressRepairAudit": 0,
            "egressRepairAuditPayout": 0,
        }

    before = _stream(house).amounts.estimated
    house.tell("healthy_estimate_us", NOW + HOUR, lost)
    assert _stream(house).amounts.estimated == before
    assert "storj_count_lost" in house.codes(NOW + HOUR)

    def goes_on(document):
        lost(document)
        document["currentMonth"] |= {"egressBandwidth": 2_000_000_000, "egressBandwidthPayout": 0.4}

    house.tell("healthy_estimate_us", NOW + 2 * HOUR, goes_on)
    assert _stream(house).amounts.estimated == before + Decimal("0.002")


def test_a_lower_price_is_no_lost_count(house):
    house.well()

    def cheaper(document):
        document["currentMonth"]["egressBandwidthPayout"] = 10.5

    house.tell("healthy_estimate_us", NOW + HOUR, cheaper)
    assert _stream(house).amounts.estimated == Decimal("2.8706") - Decimal("0.105")
    assert "storj_count_lost" not in house.codes(NOW + HOUR)


def test_two_days_after_its_end_a_month_stays_as_it_was(house):
    edge = datetime(2026, 12, 1, tzinfo=UTC)
    house.well(edge - HOUR)
    for days, closed in ((1, "5.6049"), (3, "5.7049"), (9, "5.7049")):
        at = edge + days * DAY + HOUR

        def more(document, days=days):
            document["previousMonth"]["diskSpacePayout"] += {1: 0, 3: 10, 9: 50}[days]

        house.tell("month_rollover_estimate_us", at, more)
        assert _stream(house, at).amounts.estimated == Decimal(closed), days


def test_the_first_of_a_month_without_any_row_is_unknown_and_not_nothing(house):
    edge = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)

    def bare(document):
        document |= {"storageDaily": None, "bandwidthDaily": None}

    house.tell("healthy_sno", edge)
    for situation in ("healthy_satellite_us", "healthy_satellite_eu"):
        house.tell(situation, edge + HOUR, bare)
    assert house.read(edge + HOUR).pace is None


def test_on_the_first_of_a_month_the_nodes_own_guess_is_better_than_nothing(house):
    edge = datetime(2026, 12, 1, 2, tzinfo=UTC)

    def guessed(document):
        row = document["storageDaily"][-1] | {"intervalStart": "2026-12-01T00:00:00Z"}
        document |= {"storageDaily": [row], "bandwidthDaily": None}

    house.tell("healthy_sno", edge)
    for situation in ("healthy_satellite_us", "healthy_satellite_eu"):
        house.tell(situation, edge, guessed)
    pace = house.read(edge).pace
    assert pace.mean == pytest.approx(3.5 * 1.49 / 720, rel=0.01)
    assert pace.high - pace.low > 0.1 * pace.mean
