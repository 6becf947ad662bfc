"""What a node's earned figures are made of: its ledger, summed by stream, and the newest entries."""

from __future__ import annotations

import csv
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orch.cli.words import relative, usd
from orch.model.base import Value
from orch.model.money import EarnedUsd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from rich.console import RenderableType
    from rich.table import Table

NEWEST = 20
MOST_STREAMS = 12
INCOME = ("earned", "correction")
NOTHING = Decimal(0)
KINDS: dict[str, str] = {
    "earned": "income before fees, corrections counted",
    "held": "of it kept back by the network",
    "released": "given back of that",
    "paid": "paid out to you: no income of its own",
    "fee": "kept by the network",
    "gas": "spent on transactions",
    "penalty": "taken away",
}
"""In the order in which they are shown."""


class StreamSum(Value):
    """All entries of one stream, kind and evidence. `usd` leaves out the `unpriced` amount."""

    stream: str
    kind: str
    evidence: str
    unit: str
    amount: Decimal
    usd: Decimal
    unpriced: Decimal
    entries: int


class KindSum(Value):
    """All entries of one meaning and unit: income (`earned`, corrections with it), or what became of it."""

    kind: str
    unit: str
    amount: Decimal
    usd: Decimal
    unpriced: Decimal
    entries: int


class Trail(Value):
    """The body of `status --trace NODE --json`. `newest` are ledger rows, the newest first."""

    schema: int
    node: str
    earned_usd: EarnedUsd
    streams: tuple[StreamSum, ...]
    newest: tuple[dict[str, str | None], ...]
    kinds: tuple[KindSum, ...] = ()


def read_trail(node: str, chunks: Iterable[bytes]) -> Trail:
    """The trail of a node from the ledger's CSV; sums are exact, memory does not grow with the ledger."""
    sums: dict[tuple[str, str, str, str], list[Any]] = {}
    newest: deque[dict[str, str | None]] = deque(maxlen=NEWEST)
    earned = dict.fromkeys(("settled", "accrued", "estimated"), Decimal(0))
    for row in csv.DictReader(_lines(chunks)):
        if row["node"] != node:
            continue
        newest.appendleft({key: value or None for key, value in row.items()})
        money, worth = Decimal(row["amount"]), Decimal(row["usd"]) if row["usd"] else None
        found = sums.setdefault(
            (row["stream"], row["kind"], row["evidence"], row["unit"]), [Decimal(0), Decimal(0), Decimal(0), 0]
        )
        found[0] += money
        found[1 if worth is not None else 2] += money if worth is None else worth
        found[3] += 1
        if worth is not None and row["kind"] in INCOME and row["evidence"] in earned:
            earned[row["evidence"]] += worth
    streams = tuple(
        StreamSum(
            stream=stream,
            kind=kind,
            evidence=evidence,
            unit=unit,
            amount=money,
            usd=worth,
            unpriced=unpriced,
            entries=count,
        )
        for (stream, kind, evidence, unit), (money, worth, unpriced, count) in sorted(sums.items())
    )
    return Trail(
        schema=1,
        node=node,
        earned_usd=EarnedUsd(**earned),
        streams=streams,
        newest=tuple(newest),
        kinds=sums_by_kind(streams),
    )


def sums_by_kind(streams: Iterable[StreamSum]) -> tuple[KindSum, ...]:
    """Income, then what was held back, released, paid out and lost of it; what has no entry is left out."""
    found: dict[tuple[str, str], KindSum] = {}
    for each in streams:
        kind = "earned" if each.kind in INCOME else each.kind
        zero = KindSum(kind=kind, unit=each.unit, amount=NOTHING, usd=NOTHING, unpriced=NOTHING, entries=0)
        known = found.get((kind, each.unit), zero)
        found[kind, each.unit] = KindSum(
            kind=kind,
            unit=each.unit,
            amount=known.amount + each.amount,
            usd=known.usd + each.usd,
            unpriced=known.unpriced + each.unpriced,
            entries=known.entries + each.entries,
        )
    return tuple(sorted(found.values(), key=lambda each: (list(KINDS).index(each.kind), each.unit)))


def trail_page(trail: Trail, now: datetime) -> RenderableType:
    """The trail for a terminal."""
    from datetime import datetime

    from rich.console import Group
    from rich.text import Text

    from orch.cli.words import earned_in_words, harmless

    trail = harmless(trail)
    if not trail.streams:
        return Text(f"The ledger has no entry of {trail.node}.")
    sums = _table(("stream", "kind, evidence"), ("amount", "USD", "rows"))
    largest = sorted(trail.streams, key=lambda each: abs(each.usd), reverse=True)
    for each in largest[:MOST_STREAMS]:
        worth = usd(each.usd) if each.unpriced == 0 else f"{usd(each.usd)} + ?"
        money = f"{float(each.amount):,.6g} {each.unit}"
        sums.add_row(each.stream, f"{each.kind}, {each.evidence}", money, worth, str(each.entries))
    more = len(largest) - MOST_STREAMS
    rest = f"and {more} smaller ones; all of them with --json, or `orch export ledger`" if more > 0 else ""
    kinds = _table(("kind", "what it is"), ("amount", "USD", "rows"))
    for total in trail.kinds:
        worth = usd(total.usd) if total.unpriced == 0 else f"{usd(total.usd)} + ?"
        money = f"{float(total.amount):,.6g} {total.unit}"
        kinds.add_row(total.kind, KINDS[total.kind], money, worth, str(total.entries))
    rows = _table(("booked", "kind", "evidence", "reference"), ("amount", "USD price, source"))
    for row in trail.newest:
        booked = relative(datetime.fromisoformat(row["booked_at"] or ""), now)
        price = f"{float(row['usd_price']):.6g} {row['usd_price_source']}" if row["usd_price"] else "—"
        money = f"{float(row['amount'] or 0):,.6g} {row['unit']}"
        rows.add_row(booked, row["kind"], row["evidence"], row["reference"], money, price)
    return Group(
        Text(f"{trail.node}: what it earned, entry by entry", style="bold"),
        Text(earned_in_words(trail.earned_usd)),
        Text("\nIncome, and what became of it", style="bold"),
        kinds,
        Text("\nThe largest streams", style="bold"),
        sums,
        Text(rest, style="dim"),
        Text(f"The newest {len(trail.newest)} entries", style="bold"),
        rows,
    )


def _table(left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in left:
        table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=40)
    for title in right:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines of a byte stream, each with its end."""
    held = b""
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        for line in whole:
            yield f"{line.decode()}\n"
    if held:
        yield held.decode()
