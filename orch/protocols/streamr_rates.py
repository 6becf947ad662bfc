"""What an operator earns per second now, measured at two blocks, and what the contracts' rule says it should.

Between two events the income of a stake is constant to the wei, so two blocks without a withdrawal between
them give it exactly; time is block time. A sponsorship pays until a second that it states itself. The rule
`payout * stake / total staked` is a cross-check: the payout has no getter, so it comes from a subgraph, or from
the first rate that was measured. Three figures are told apart: gross, after the protocol's fee (what all who
hold a part of the operator get), and the owner's net.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.base import Value
from orch.model.kept import kept_by
from orch.model.readings import Pace
from orch.protocols.streamr_memory import Slope
from orch.protocols.streamr_money import WHOLE

if TYPE_CHECKING:
    from orch.protocols.streamr_memory import Earnings, StreamrMemory

KEPT_SLOPES = 13
"""Rates of about an hour."""

HOUR_S = 3600.0
OLDEST = timedelta(hours=6)
"""A rate measured longer ago than this says nothing of now."""

LONGEST_SAMPLE_S = 2 * HOUR_S
"""Two samples further apart may hide that a sponsorship ran dry and was funded again between them."""

DISAGREEMENT = 0.05


class Stake(Value):
    """One row of the stake table; wei, wei per second, None where it is not known.

    `earns` is measured, `model` by the contracts' rule, `payout` what the sponsorship pays to all.
    """

    sponsorship: str
    staked: int | None
    total: int | None
    payout: float | None
    earns: float | None
    model: float | None
    owed: int
    solvent_until: int | None
    running: bool | None
    locked: int | None
    leave_penalty: int | None


def with_slope(memory: StreamrMemory) -> StreamrMemory:
    """The memory with the rate since the last sample, if the earnings are newer and nothing was withdrawn."""
    newest, before = memory.earnings, memory.sampled
    if newest is None or (before is not None and newest.block.number <= before.block.number):
        return memory
    memory = replace(memory, sampled=newest)
    slope = None if before is None else _slope(memory, before, newest)
    if slope is None:
        return memory
    return replace(memory, slopes=(*memory.slopes, slope)[-KEPT_SLOPES:], payouts=_payouts(memory, slope))


def _slope(memory: StreamrMemory, before: Earnings, newest: Earnings) -> Slope | None:
    """The rate between two samples; None where a withdrawal, a new stake or too long a time lies between."""
    first, last = before.block, newest.block
    seconds = (last.mined_at - first.mined_at).total_seconds()
    if not 0 < seconds <= LONGEST_SAMPLE_S:
        return None
    if any(event.kind == "profit" and first.number < event.block <= last.number for event in memory.events):
        return None
    owed = dict(zip(before.sponsorships, before.outstanding, strict=True))
    now = dict(zip(newest.sponsorships, newest.outstanding, strict=True))
    if any(each not in owed or wei < owed[each] for each, wei in now.items()):
        return None
    return Slope(
        first=first, last=last, wei_per_s={each: (wei - owed[each]) / seconds for each, wei in now.items()}
    )


def _payouts(memory: StreamrMemory, slope: Slope) -> dict[str, float]:
    """What sponsorships pay out to all, the first time it can be told."""
    found = dict(memory.payouts)
    for each, rate in slope.wei_per_s.items():
        staked, total = effective_stake(memory, each), memory.words.get(f"total/{each}")
        if each not in found and rate > 0 and staked and total and _paid_throughout(memory, each, slope):
            found[each] = rate * total / staked
    return found


def _paid_throughout(memory: StreamrMemory, sponsorship: str, slope: Slope) -> bool:
    until = memory.words.get(f"solvent/{sponsorship}")
    return until is not None and until >= slope.last.mined_at.timestamp()


def effective_stake(memory: StreamrMemory, sponsorship: str) -> int | None:
    """What is staked there less what was slashed, in wei."""
    staked = memory.words.get(f"stake/{sponsorship}")
    return None if staked is None else max(0, staked - memory.words.get(f"slashed/{sponsorship}", 0))


def present(memory: StreamrMemory, now: datetime | None = None) -> dict[str, float]:
    """Wei per second of each sponsorship by the newest rate; one that has run dry since it began earns 0.

    When it runs dry is stated by the sponsorship beforehand; with `now` also what passed since the newest block.
    """
    if not memory.slopes:
        return {}
    newest = memory.slopes[-1]
    begin, end = newest.first.mined_at.timestamp(), newest.last.mined_at.timestamp()
    reached = end if now is None else max(end, now.timestamp())
    found = {}
    for each, rate in newest.wei_per_s.items():
        until = memory.words.get(f"solvent/{each}")
        found[each] = 0.0 if until is not None and begin < until <= reached else rate
    return found


@kept_by(
    lambda memory: (memory.earnings, memory.words, memory.slopes, memory.payouts, memory.graph, memory.options),
    lambda memory: memory.context.node,
)
def stake_table(memory: StreamrMemory) -> tuple[Stake, ...]:
    """What is known of each sponsorship the operator has a stake in, as of the newest earnings."""
    if memory.earnings is None:
        return ()
    measured = present(memory)
    rows = []
    for each, owed in zip(memory.earnings.sponsorships, memory.earnings.outstanding, strict=True):
        words = {name: memory.words.get(f"{name}/{each}") for name in ("total", "solvent", "running", "locked")}
        staked, total = effective_stake(memory, each), words["total"]
        payout = memory.payouts.get(each) if memory.graph is None else memory.graph.payouts.get(each)
        running = None if words["running"] is None else bool(words["running"])
        rows.append(
            Stake(
                sponsorship=each,
                staked=staked,
                total=total,
                payout=payout,
                earns=measured.get(each),
                model=_model(memory, payout, staked, total, words["solvent"], running),
                owed=owed,
                solvent_until=words["solvent"],
                running=running,
                locked=words["locked"],
                leave_penalty=memory.words.get(f"penalty/{each}"),
            )
        )
    return tuple(rows)


def _model(
    memory: StreamrMemory,
    payout: float | None,
    staked: int | None,
    total: int | None,
    solvent: int | None,
    running: bool | None,
) -> float | None:
    if payout is None or staked is None or not total or solvent is None or memory.earnings is None:
        return None
    pays = solvent > memory.earnings.block.mined_at.timestamp() and running is not False
    return payout * staked / total if pays else 0.0


def pace(memory: StreamrMemory, now: datetime) -> Pace | None:
    """Gross income per hour at the newest block; None until two samples are known, or when they are old.

    It reaches down to what is left over the next hour of the sponsorships that run dry in it.
    """
    if not memory.slopes:
        return None
    newest = memory.slopes[-1].last
    if now - newest.mined_at > OLDEST:
        return None
    rates = present(memory, now)
    second = newest.mined_at.timestamp()
    low = sum(rate * _share_of_next_hour(memory, each, second) for each, rate in rates.items())
    per_hour = HOUR_S / WHOLE
    mean = sum(rates.values()) * per_hour
    return Pace(
        unit=memory.unit,
        low=min(mean, low * per_hour),
        mean=mean,
        high=mean,
        evidence="accrued",
        window_s=memory.slopes[-1].seconds,
        as_of=newest.mined_at,
        exact=True,
    )


def _share_of_next_hour(memory: StreamrMemory, sponsorship: str, second: float) -> float:
    until = memory.words.get(f"solvent/{sponsorship}")
    if until is None or until <= second:
        return 1.0  # what it states is older than what it was seen to pay
    return min(1.0, (until - second) / HOUR_S)


@kept_by(
    lambda memory: (memory.earnings, memory.words, memory.slopes, memory.payouts, memory.graph, memory.options),
    lambda memory: memory.context.node,
)
def disagreement(memory: StreamrMemory) -> float | None:
    """By what share of itself the model differs from every rate of the last hour; None within 5 %, or unknown."""
    table = stake_table(memory)
    models = [row.model for row in table]
    if len(memory.slopes) < KEPT_SLOPES or not models or any(each is None for each in models):
        return None
    model = sum(each for each in models if each is not None)
    off = [abs(slope.total - model) / max(slope.total, model) for slope in memory.slopes if slope.total or model]
    return off[-1] if off and min(off) > DISAGREEMENT else None


def own_share(memory: StreamrMemory) -> float | None:
    """The owner's part of the operator, or None."""
    owned, supply = memory.words.get("owned"), memory.words.get("supply")
    return owned / supply if owned is not None and supply else None


def fee_share(memory: StreamrMemory) -> float | None:
    """The part of gross income that the protocol takes, or None."""
    fee = memory.words.get("fee")
    return None if fee is None or fee > WHOLE else fee / WHOLE


def owners_share(memory: StreamrMemory) -> float | None:
    """What is left of gross income for the owner: after the fee, the cut and the owner's part of the rest."""
    own, cut, fee = own_share(memory), memory.words.get("cut"), fee_share(memory)
    if own is None or cut is None or fee is None:
        return None
    return (1 - fee) * (cut / WHOLE + (1 - cut / WHOLE) * own)


@kept_by(
    lambda memory: (memory.earnings, memory.words, memory.slopes, memory.payouts, memory.graph, memory.options),
    lambda memory: memory.context.node,
)
def money_facts(memory: StreamrMemory) -> list[tuple[str, str]]:
    """Gross, after the fee, the owner's net, per stake, and the stake table, in words."""
    found = []
    rates, fee, owners = present(memory), fee_share(memory), owners_share(memory)
    if rates:
        gross = sum(rates.values()) * HOUR_S / WHOLE
        found.append(("gross", f"{gross:.6f} {memory.unit}/h"))
        if fee is not None:
            found.append(("after the protocol's fee", f"{gross * (1 - fee):.6f} {memory.unit}/h"))
        if owners is not None:
            found.append(("owner's net per hour", f"{gross * owners:.6f} {memory.unit}/h"))
        staked = memory.words.get("staked")
        if staked:
            each = gross / (staked / WHOLE) * 1000
            found.append(("per 1000 staked", f"{each:.6f} {memory.unit}/h"))
    models = [row.model for row in stake_table(memory)]
    if models and all(each is not None for each in models):
        model = sum(each for each in models if each is not None) * HOUR_S / WHOLE
        found.append(("model rate", f"{model:.6f} {memory.unit}/h"))
    found += [(f"stake in {row.sponsorship}", _row(row, memory.unit)) for row in stake_table(memory)]
    return found


def _row(row: Stake, unit: str) -> str:
    parts = []
    if row.staked is not None:
        of = "" if row.total is None else f" of {row.total / WHOLE:.2f}"
        parts.append(f"{row.staked / WHOLE:.2f}{of} {unit} staked")
    if row.earns is not None:
        parts.append(f"earns {row.earns * HOUR_S / WHOLE:.6f} {unit}/h")
    parts.append(f"{row.owed / WHOLE:.6f} owed")
    if row.solvent_until is not None:
        parts.append(_solvency(row.solvent_until))
    if row.running is False:
        parts.append("not running")
    if row.locked:
        parts.append("flagged")
    return ", ".join(parts)


def _solvency(until: int) -> str:
    try:
        return f"solvent until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return "solvent for ever"
