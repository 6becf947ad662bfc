"""Golem's rate: utilisation times busy rate times what is really paid, and how sure that is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fakes.golem_node import NOW, Node, agreement_id, invoice_row, pay_row, terms_row

HOUR = timedelta(hours=1)


def worked(
    count,
    *,
    every_h=4.0,
    lasts_h=2.0,
    threads=(4,),
    used=(2.0,),
    given=4,
    lost=(),
    price=0.025,
    end=NOW,
    terms=True,
):
    """A node that sold `used` threads for `lasts_h` every `every_h`, the last time until just before `end`."""
    node = Node(now=end).online(threads=given)
    pays, invoices, signed = [], [], []
    for number in range(1, count + 1):
        over = end - (count - number) * every_h * HOUR
        began, busy = over - lasts_h * HOUR, used[number % len(used)]
        due = f"{(busy * price + 0.005) * lasts_h:.9f}"
        paid = "0" if number in lost else due
        pays.append(pay_row(number, due, due, paid, began))
        invoices.append(invoice_row(number, due, "REJECTED" if number in lost else "SETTLED", over))
        signed.append(terms_row(number, threads[number % len(threads)], began, price))
    node.say("invoices", invoices).say("payAgreements", pays)
    for number, each in enumerate(signed, start=1):
        if terms:
            node.say(f"terms/{agreement_id(number)}", each)
    return node


def test_the_rate_counts_idle_hours_and_what_is_not_paid():
    node = worked(36, lost=(5, 6))
    work, pace = node.memory.work, node.reading().pace
    assert work.busy_share == pytest.approx(0.5, abs=0.02)
    assert work.busy_rate == pytest.approx(2 * 0.025 + 0.005)
    assert work.idle_inclusive == pytest.approx(work.busy_share * work.busy_rate, rel=0.02)
    assert work.realised == pytest.approx(35 / 37)
    assert pace.mean == pytest.approx(work.busy_share * work.busy_rate * work.realised)
    assert 0 < pace.low < pace.mean < pace.high
    assert (pace.unit, pace.evidence, pace.as_of) == ("GLM", "accrued", NOW)
    facts = dict(node.reading().facts)
    assert facts["busy rate"] == "0.055 GLM per hour of work"
    assert facts["realised"] == "94.6% of 36 matured agreements"
    assert facts["utilisation"].startswith("50")
    assert "GLM/h over 142 h" in facts["idle-inclusive rate"]


@pytest.mark.parametrize(
    ("node", "known"),
    [
        (worked(2, every_h=30), False),
        (worked(3, every_h=30), True),
        (worked(5, every_h=3), False),
        (worked(8, every_h=4), True),
        (worked(8, every_h=4, terms=False), False),
    ],
    ids=["two agreements", "three", "less than a day", "more", "before their terms are read"],
)
def test_below_three_agreements_or_a_day_there_is_no_rate(node, known):
    reading = node.reading()
    assert (reading.pace is not None) is known
    assert reading.paced, "the ledger's sums do not stand in for it"


def test_more_agreements_make_it_surer():
    widths = []
    for count in (8, 16, 40):
        pace = worked(count, every_h=4, used=(1.0, 2.0, 4.0)).reading().pace
        widths.append((pace.high - pace.low) / pace.mean)
    assert widths[0] > widths[1] > widths[2]


def test_a_larger_profile_than_any_so_far_is_guessed_and_says_so():
    node = worked(20, threads=(2,), used=(2.0,), given=8)
    pace = node.reading().pace
    share = node.memory.work.busy_share
    assert pace.evidence == "estimated"
    assert 2 * 0.025 * share < pace.mean < 8 * 0.025 * share
    assert node.memory.work.sized == 0
    assert (pace.high - pace.low) / pace.mean > 0.4


def test_agreements_of_the_present_size_soon_speak_for_themselves():
    sizes, used = (2, 8), (2.0, 5.0)
    mixed = worked(40, threads=sizes, used=used, given=8).memory.work
    assert mixed.sized == 20
    assert mixed.threads == pytest.approx(5.0, abs=0.6)


def test_a_smaller_profile_is_known_from_larger_ones():
    work = worked(20, threads=(8,), used=(1.0, 6.0), given=4).memory.work
    assert work.threads == pytest.approx(2.5)
    assert work.sized == 20


def test_with_a_new_price_the_old_demand_is_an_estimate():
    node = worked(20, price=0.05)
    assert node.reading().pace.evidence == "estimated"
    assert node.memory.work.busy_rate == pytest.approx(2 * 0.025 + 0.005), "at the price of now"


def test_nothing_is_expected_while_nothing_is_sold():
    node = worked(20)
    node.say("presets", {"ver": "V1", "active": [], "presets": []}, kind="text/plain")
    pace = node.reading().pace
    assert (pace.low, pace.mean, pace.high) == (0.0, 0.0, 0.0)


def test_a_week_without_work_earns_little_and_not_surely_nothing():
    node = worked(20)
    node.later(days=9).say("payAgreements", [])
    pace = node.reading().pace
    assert (pace.low, pace.mean) == (0.0, 0.0)
    assert 0 < pace.high < 0.055 / 10


def test_used_cores_are_those_that_activities_count():
    node = Node().online(agreements=(1,))
    node.say("invoices", []).say("payAgreements", [pay_row(1, "0.1", "0.1", "0", NOW - HOUR)])
    usage = {"golem.usage.cpu_sec": 5400.0, "golem.usage.duration_sec": 3600.0}
    feed = b'data: {"activities": [{"id": "a", "state": "Ready", "agreementId": "%s", "usage": %s}]}\n'
    body = feed % (agreement_id(1).encode(), str(usage).replace("'", '"').encode())
    node.say("monitor", body, kind="text/event-stream")
    assert node.reading().used.cpu_cores == pytest.approx(1.5)
    node.say("monitor", b'data: {"activities": []}\n', kind="text/event-stream")
    assert node.reading().used.cpu_cores == pytest.approx((0.1 - 0.005) / 0.025), "its bill tells, too"
