"""Where an operator's stake would earn most: advice in words, with gain, gas and risk. Nothing is ever signed.

A stake of `x` beside others' `T` in a sponsorship that pays `r` earns `r * x / (T + x)`, so what one more
token earns falls as `r * T / (T + x)^2`: stake is filled in until all these are equal, each stake at least the
network's minimum or nothing at all (water-filling). Others are taken to stay where they are. The node's own
autostaker splits in proportion to the payouts instead; it is the fair baseline, and undoes moves by hand.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.protocols.streamr_money import WHOLE
from orch.protocols.streamr_rates import HOUR_S, own_share, stake_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orch.protocols.streamr_memory import StreamrMemory
    from orch.protocols.streamr_rates import Stake

WORTH_TELLING = 0.05
PAY_BACK_H = 7 * 24.0
SOLVENT_FOR_S = 72 * 3600
LEAST_OWN_SHARE = 0.05
GAS_TOP_UP, GAS_REDUCE, GAS_NEW, GAS_UNSTAKE = 250_000, 227_000, 580_000, 293_000
"""Measured on freshly deployed contracts; +-30 %. New stakes need the most: limits are set at 1.5 times this."""

STAKE, REDUCE = "0xadc9772e", "0xd1b68611"
"""`stake(address,uint256)` adds, `reduceStakeTo(address,uint256)` goes down to a target (0 leaves)."""

SMALLEST_MOVE = 100 * WHOLE
TRIED = 3
"""So many of the places that only hold the minimum are tried without, the poorest first."""

_ROUND = WHOLE


class Place(Value):
    """A sponsorship as the optimiser sees it: wei, wei per second. `keep` is the least that must stay."""

    sponsorship: str
    payout: float
    others: float
    staked: int
    keep: int = 0


class Move(Value):
    """One transaction: `target` is the whole stake after it, in wei."""

    sponsorship: str
    before: int
    target: int

    @property
    def gas(self) -> int:
        """About what it needs."""
        if self.target == 0:
            return GAS_UNSTAKE
        if self.target < self.before:
            return GAS_REDUCE
        return GAS_TOP_UP if self.before else GAS_NEW

    @property
    def calldata(self) -> str:
        """The call to the Operator contract, for the owner's own wallet."""
        down = self.target < self.before
        amount = self.target if down else self.target - self.before
        selector = REDUCE if down else STAKE
        return f"{selector}{self.sponsorship[2:].rjust(64, '0')}{amount:064x}"


class Advice(Value):
    """Moves, and what they bring: wei per second before, after, and as the autostaker would split it."""

    moves: tuple[Move, ...]
    before: float
    after: float
    autostaker: float
    gas: int
    risks: tuple[str, ...]

    @property
    def gain(self) -> float:
        """Wei per second more."""
        return self.after - self.before


def income(places: Sequence[Place], stakes: Sequence[float]) -> float:
    """Wei per second of stakes in places."""
    return sum(
        place.payout * stake / (place.others + stake) for place, stake in zip(places, stakes, strict=True) if stake
    )


def best_stakes(places: Sequence[Place], pool: float, least: float) -> tuple[float, ...]:
    """The stakes that earn most of `pool` wei in all: each 0, or at least `least` and what must be kept.

    Exact for each set of places; places that only hold the minimum are left out, and places put for others, as
    long as that earns more.
    """
    active = [index for index, place in enumerate(places) if place.payout > 0 or place.keep]
    while active and sum(_floor(places[index], least) for index in active) > pool:
        droppable = [index for index in active if not places[index].keep]
        if not droppable:
            return tuple(float(place.staked) for place in places)
        active.remove(min(droppable, key=lambda index: _at_least(places[index], least)))
    best = _filled(places, active, pool, least)
    while active:
        sets = [*_fewer(places, best, active, least), *_exchanged(places, active, pool, least)]
        tries = [_filled(places, each, pool, least) for each in sets]
        better = max(tries, key=lambda stakes: income(places, stakes), default=best)
        if income(places, better) <= income(places, best) * (1 + 1e-12):
            break
        best = better
        active = [index for index, stake in enumerate(better) if stake]
    return best


def _fewer(
    places: Sequence[Place], stakes: Sequence[float], active: Sequence[int], least: float
) -> Iterator[list[int]]:
    """The sets without one of the places that only hold the minimum and earn least with it."""
    if len(active) == 1:
        return
    at_floor = [index for index in active if not places[index].keep and stakes[index] <= least * (1 + 1e-9)]
    for left in sorted(at_floor, key=lambda index: _at_least(places[index], least))[:TRIED]:
        yield [each for each in active if each != left]


def _exchanged(places: Sequence[Place], active: Sequence[int], pool: float, least: float) -> Iterator[list[int]]:
    """The sets with one of the poorer places put for one of the richer that are left out."""
    droppable = [index for index in active if not places[index].keep]
    outside = [index for index, place in enumerate(places) if place.payout > 0 and index not in active]
    poorer = sorted(droppable, key=lambda index: _at_least(places[index], least))[:TRIED]
    richer = sorted(outside, key=lambda index: -_at_least(places[index], least))[:TRIED]
    for left, taken in product(poorer, richer):
        found = sorted([*(each for each in active if each != left), taken])
        if sum(_floor(places[index], least) for index in found) <= pool:
            yield found


def proportional_stakes(places: Sequence[Place], pool: float, least: float) -> tuple[float, ...]:
    """The autostaker's split: the minimum to each, the rest in proportion to what they pay out to all."""
    chosen = sorted((place for place in places if place.payout > 0), key=lambda place: -place.payout)
    chosen = chosen[: int(pool // least)] if least else chosen
    paid = sum(place.payout for place in chosen)
    rest = pool - least * len(chosen)
    share = {place.sponsorship: least + rest * place.payout / paid for place in chosen}
    return tuple(share.get(place.sponsorship, 0.0) for place in places)


def _floor(place: Place, least: float) -> float:
    return max(least, float(place.keep))


def _at_least(place: Place, least: float) -> float:
    return place.payout * least / (place.others + least)


def _filled(places: Sequence[Place], active: Sequence[int], pool: float, least: float) -> tuple[float, ...]:
    """Water-filling over a set of places, exactly.

    One more wei earns alike in all places above their floor, so each holds `root * depth - others` there, with
    `root = sqrt(payout * others)`; what all hold grows by pieces of a line with the depth.
    """
    stakes = [0.0] * len(places)
    left = pool
    fills = []
    for index in active:
        place = places[index]
        stakes[index] = _floor(place, least)
        left -= stakes[index]
        root = math.sqrt(place.payout * place.others) if place.payout > 0 else 0.0
        if root > 0:
            fills.append(((place.others + stakes[index]) / root, root, index))
    fills.sort()
    slope = begun = depth = 0.0
    for count, (begins, root, _) in enumerate(fills, 1):
        slope += root
        begun += begins * root
        depth = (left + begun) / slope
        if count == len(fills) or depth <= fills[count][0]:
            break
    for begins, root, index in fills:
        if depth > begins:
            stakes[index] += root * (depth - begins)
    return tuple(stakes)


def advise(memory: StreamrMemory) -> Advice | None:
    """Moves that are worth telling, or None: what is needed is not known, must not be touched, or gains little."""
    words, table = memory.words, stake_table(memory)
    least, free, own = words.get("min_stake"), words.get("free"), own_share(memory)
    if memory.earnings is None or not table or least is None or free is None or own is None:
        return None
    if own < LEAST_OWN_SHARE or memory.queue is None or memory.queue or any(row.locked for row in table):
        return None
    places = [_place(row, memory.earnings.block.mined_at.timestamp(), least) for row in table]
    known = [place for place in places if place is not None]
    if len(known) < len(places):
        return None
    pool = sum(place.staked for place in known) + free
    now = [float(place.staked) for place in known]
    wanted = best_stakes(known, pool, least)
    moves = _moves(known, wanted)
    after = {move.sponsorship: float(move.target) for move in moves}
    then = [after.get(place.sponsorship, stake) for place, stake in zip(known, now, strict=True)]
    before, best = income(known, now), income(known, then)
    if not moves or best <= before * (1 + WORTH_TELLING):
        return None
    return Advice(
        moves=moves,
        before=before,
        after=best,
        autostaker=income(known, proportional_stakes(known, pool, least)),
        gas=sum(move.gas for move in moves),
        risks=_risks(memory, known, moves),
    )


def _place(row: Stake, now_s: float, least: int) -> Place | None:
    """A sponsorship, or None while something of it is unknown; one that is soon dry pays nothing."""
    if row.staked is None or row.total is None or row.solvent_until is None or row.payout is None:
        return None
    pays = row.running is not False and row.solvent_until > now_s + SOLVENT_FOR_S
    return Place(
        sponsorship=row.sponsorship,
        payout=row.payout if pays else 0.0,
        others=float(max(0, row.total - row.staked)),
        staked=row.staked,
        keep=min(least, row.staked) if row.leave_penalty else 0,
    )


def _moves(places: Sequence[Place], wanted: Sequence[float]) -> tuple[Move, ...]:
    """Reductions first, whole tokens, without what is hardly a change."""
    moves = [
        Move(sponsorship=place.sponsorship, before=place.staked, target=int(stake) // _ROUND * _ROUND)
        for place, stake in zip(places, wanted, strict=True)
        if abs(stake - place.staked) >= SMALLEST_MOVE
    ]
    return tuple(sorted(moves, key=lambda move: (move.target >= move.before, move.sponsorship)))


def _risks(memory: StreamrMemory, places: Sequence[Place], moves: Sequence[Move]) -> tuple[str, ...]:
    risks = ["others may move their stake too, which changes every share"]
    if any(move.target > move.before for move in moves):
        risks.append("new stake can be slashed where the node misses its work")
    left = {move.sponsorship for move in moves if move.target == 0}
    if any(place.sponsorship in left and place.keep for place in places):
        risks.append("leaving early costs a penalty")
    if memory.setup is not None and "autostaker" in memory.setup.plugins:
        risks.append("the autostaker runs and would undo these moves")
    return tuple(risks)


def in_words(memory: StreamrMemory, advice: Advice) -> tuple[str, str]:
    """What it brings, and what to do."""
    hour = HOUR_S / WHOLE
    gain = advice.gain * hour
    more = f"{advice.gain / advice.before:.0%} more" if advice.before else "instead of nothing"
    sentence = f"Another split of the stake would earn {gain:.4f} {memory.unit}/h more before the fee ({more}"
    sentence += (
        f"; the autostaker's own split: {(advice.autostaker - advice.before) * hour:+.4f}). {_gas(memory, advice)}"
    )
    sentence += f" Risk: {'; '.join(advice.risks)}."
    steps = [
        f"reduceStakeTo({move.sponsorship}, {move.target // WHOLE} {memory.unit})"
        if move.target < move.before
        else f"stake({move.sponsorship}, {(move.target - move.before) // WHOLE} {memory.unit})"
        for move in advice.moves
    ]
    remedy = "if you agree, send with your own wallet to the Operator contract, in this order, with 1.5 times the"
    return sentence, f"{remedy} estimated gas: {', then '.join(steps)}"


def _gas(memory: StreamrMemory, advice: Advice) -> str:
    price = memory.words.get("gas_price")
    if price is None:
        return f"Gas: about {advice.gas} units."
    cost = advice.gas * price / WHOLE
    back = advice.gain * HOUR_S / WHOLE * PAY_BACK_H / cost if cost else math.inf
    return (
        f"Gas: about {cost:.4f} POL, paid back within a week while 1 POL costs less than {back:.1f} {memory.unit}."
    )


def calldata_facts(advice: Advice) -> list[tuple[str, str]]:
    """The calls, ready for a wallet."""
    return [(f"stake advice {number}", move.calldata) for number, move in enumerate(advice.moves, start=1)]
