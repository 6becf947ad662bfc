"""A node's figures down to their entries: income told apart from what became of it."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from orch.cli.trail import read_trail, trail_page

HEADER = (
    "entry_id,booked_at,period_start,period_end,host,node,protocol,stream,kind,amount,unit,usd_price,"
    "usd_price_source,usd_price_at,usd,evidence,reference,emulated"
)
TIMES = "2026-03-01T10:00:00Z,2026-03-01T09:00:00Z,2026-03-01T10:00:00Z"


def ledger(*rows: tuple[str, str, str, str, str]) -> list[bytes]:
    """The CSV of entries `(kind, amount, unit, usd, evidence)` of one node, cut anywhere."""
    lines = [
        f"e{n},{TIMES},h,disk,storj,s{n},{kind},{amount},{unit},1,coingecko,,{usd},{evidence},0xfeed{n},false"
        for n, (kind, amount, unit, usd, evidence) in enumerate(rows)
    ]
    text = "\n".join([HEADER, *lines]).encode() + b"\n"
    return [text[at : at + 37] for at in range(0, len(text), 37)]


@pytest.fixture
def trail():
    return read_trail(
        "disk",
        ledger(
            ("earned", "5", "USD", "5", "accrued"),
            ("correction", "-1", "USD", "-1", "accrued"),
            ("held", "2", "USD", "2", "accrued"),
            ("released", "1", "USD", "1", "settled"),
            ("paid", "3", "USD", "3", "settled"),
            ("fee", "-0.5", "DATA", "-0.01", "settled"),
            ("gas", "-0.1", "POL", "", "settled"),
        ),
    )


def test_payouts_and_fees_are_told_apart_from_income(trail):
    assert [(each.kind, each.unit, each.amount, each.usd, each.unpriced) for each in trail.kinds] == [
        ("earned", "USD", Decimal(4), Decimal(4), Decimal(0)),
        ("held", "USD", Decimal(2), Decimal(2), Decimal(0)),
        ("released", "USD", Decimal(1), Decimal(1), Decimal(0)),
        ("paid", "USD", Decimal(3), Decimal(3), Decimal(0)),
        ("fee", "DATA", Decimal("-0.5"), Decimal("-0.01"), Decimal(0)),
        ("gas", "POL", Decimal("-0.1"), Decimal(0), Decimal("-0.1")),
    ]
    assert trail.earned_usd.accrued == 4
    assert sum(each.entries for each in trail.kinds) == 7


def test_the_page_names_what_each_sum_is_and_where_each_entry_can_be_looked_up(trail, make):
    console = Console(file=StringIO(), width=160)
    console.print(trail_page(trail, make.NOW))
    shown = console.file.getvalue()
    for part in ("paid out to you: no income of its own", "kept by the network", "0xfeed6", "coingecko"):
        assert part in shown
