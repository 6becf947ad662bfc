"""The getters of the contracts around a Streamr operator, by selector, and Multicall3 that runs many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.emulator import abi
from orch.emulator.facts import DAY_MINUTES, MINUTE
from orch.emulator.streamr import (
    CONTRACT_VERSION,
    CUT_PERCENT,
    MAX_EARNINGS_PPM,
    PROTOCOL_FEE_PERCENT,
    STAKES,
    WEI,
    Piece,
    block_second,
)

if TYPE_CHECKING:
    from orch.emulator.world import World

DATA_TOKEN = "0x3a9a81d576d83ff21f26f325066054540720fc34"  # noqa: S105 - a public contract address
MULTICALL = "0xca11bde05977b3631167028862be2a173976ca11"
CONFIG = "0x869e88db146ecaf20ddf199a12684cd80c263c8f"
PERCENT = WEI // 100
CONFIG_VALUES: dict[str, int] = {
    "0x66316372": 5000 * WEI,  # minimumStakeWei
    "0xfc1e490f": PERCENT,  # slashingFraction
    "0x6aac44e9": 5000 * WEI,  # earlyLeaverPenaltyWei
    "0x3a0298eb": PROTOCOL_FEE_PERCENT * PERCENT,  # protocolFeeFraction
    "0xaeca7c78": MAX_EARNINGS_PPM * WEI // 1_000_000,  # maxAllowedEarningsFraction
    "0x6c29b3b7": 25 * PERCENT,  # fishermanRewardFraction
    "0x7b94dead": 5 * PERCENT,  # minimumSelfDelegationFraction
    "0x78e72833": 14 * 86_400,  # maxPenaltyPeriodSeconds
    "0xe2e8bcd8": 30 * 86_400,  # maxQueueSeconds
}
OWNER_SHARE_PERCENT = 40
JOINED_DAYS_BEFORE = 45


class CallRevertedError(Exception):
    """The contract has no such function, or refuses the call; `str()` follows `execution reverted`."""


def call(world: World, to: str, data: str, block: int) -> str:
    """The result of a call at a block, as hex. Raises CallRevertedError; `0x` where there is no contract."""
    if to == MULTICALL:
        return _together(world, data, block)
    second = block_second(block)
    piece = world.streamr.piece_at(world.state.streamr, second)
    if piece is None:
        raise CallRevertedError
    if to == world.streamr.operator:
        return _operator(world, data, piece, second)
    if to in world.streamr.sponsorships:
        return _sponsorship(world, world.streamr.sponsorships.index(to), data, piece, second)
    if to == DATA_TOKEN:
        return _token(world, data, piece)
    if to == CONFIG:
        if data[:10] in CONFIG_VALUES:
            return abi.words(CONFIG_VALUES[data[:10]])
        raise CallRevertedError
    return "0x"


def _together(world: World, data: str, block: int) -> str:
    """Multicall3: each of many calls at the same block, whatever becomes of the others."""
    if data[:10] != "0x82ad56cb":  # aggregate3((address,bool,bytes)[])
        raise CallRevertedError
    try:
        asked = abi.calls(data)
    except ValueError as malformed:
        raise CallRevertedError from malformed
    rows = []
    for to, may_fail, each in asked:
        try:
            rows.append((True, call(world, to, each, block)))
        except (CallRevertedError, ValueError):
            if not may_fail:
                raise CallRevertedError(": Multicall3: call failed") from None
            rows.append((False, "0x"))
    return abi.results(rows)


def _token(world: World, data: str, piece: Piece) -> str:
    match data[:10]:
        case "0x70a08231":  # balanceOf(address)
            return abi.words(piece.free if abi.argument(data) == world.streamr.operator else 0)
        case "0x313ce567":  # decimals()
            return abi.words(18)
    raise CallRevertedError


def _operator(world: World, data: str, piece: Piece, second: int) -> str:  # noqa: PLR0912 - one case per getter
    economy = world.streamr
    supply = economy.value(piece) * 97 // 100
    owned = supply * OWNER_SHARE_PERCENT // 100
    match data[:10]:
        case "0x2ebd89d1":  # getSponsorshipsAndEarnings()
            outstanding = economy.outstanding(piece, second)
            return abi.arrays_and_number(economy.sponsorships, outstanding, economy.limit(piece))
        case "0xc229918e":  # valueWithoutEarnings()
            return abi.words(economy.value(piece))
        case "0x04cbab8b":  # totalStakedIntoSponsorshipsWei()
            return abi.words(sum(piece.stakes) + sum(piece.slashed))
        case "0x870ffde2":  # totalSlashedInSponsorshipsWei()
            return abi.words(sum(piece.slashed))
        case "0x7d429385":  # stakedInto(address)
            index = _index(world, data)
            return abi.words(0 if index is None else piece.stakes[index] + piece.slashed[index])
        case "0xba2bfc0a":  # slashedIn(address)
            index = _index(world, data)
            return abi.words(0 if index is None else piece.slashed[index])
        case "0x558a1568":  # operatorsCutFraction()
            return abi.words(CUT_PERCENT * PERCENT)
        case "0x8da5cb5b":  # owner()
            return abi.words(economy.owner)
        case "0x18160ddd":  # totalSupply()
            return abi.words(supply)
        case "0x70a08231":  # balanceOf(address)
            return abi.words(owned if abi.argument(data) == economy.owner else 0)
        case "0xa63ed2c8":  # balanceInData(address)
            worth = economy.value(piece) * OWNER_SHARE_PERCENT // 100
            return abi.words(worth if abi.argument(data) == economy.owner else 0)
        case "0x392f37e9":  # metadata()
            return abi.text('{"redundancyFactor":1}')
        case "0x2e949824":  # getNodeAddresses()
            return abi.array([economy.node_address])
        case "0x7e82fd6f":  # undelegationQueue()
            waiting = economy.queue(second)
            return abi.tuples([] if waiting is None else [waiting])
        case "0x5e61bb87":  # queueIsEmpty()
            return abi.words(economy.queue(second) is None)
        case "0x91d14854":  # hasRole(bytes32,address)
            who = abi.argument(data, 1)
            return abi.words(who == economy.owner or (who == economy.node_address and economy.may_stake()))
        case "0x54fd4d50":  # version()
            return abi.words(CONTRACT_VERSION)
        case "0x98833130":  # streamrConfig()
            return abi.words(CONFIG)
        case "0xfc0c546a":  # token()
            return abi.words(DATA_TOKEN)
        case "0xf4408e4b":  # streamId()
            return abi.text(f"{economy.operator}/operator/coordination")
    raise CallRevertedError


def _index(world: World, data: str) -> int | None:
    address = abi.argument(data)
    return world.streamr.sponsorships.index(address) if address in world.streamr.sponsorships else None


def _sponsorship(world: World, index: int, data: str, piece: Piece, second: int) -> str:
    economy = world.streamr
    stake, others = piece.stakes[index], economy.others[index]
    joined = (world.first_minute - JOINED_DAYS_BEFORE * DAY_MINUTES) * MINUTE
    match data[:10]:
        case "0x131b9c04":  # getEarnings(address)
            mine = abi.argument(data) == economy.operator
            return abi.words(economy.outstanding(piece, second)[index] if mine else 0)
        case "0x14c948eb":  # stakedWei(address)
            return abi.words(stake if abi.argument(data) == economy.operator else 0)
        case "0x19d164f1":  # lockedStakeWei(address)
            mine = abi.argument(data) == economy.operator
            limits = world.state.dials["relay"].in_force(second)
            flagged = mine and economy.flagged(world.state.streamr, second, limits) == index
            return abi.words(stake // 100 if flagged else 0)
        case "0x34a0f881":  # totalStakedWei()
            return abi.words(stake + others)
        case "0x2014e5d1":  # isRunning(): stays true when the money is gone
            return abi.words(True)
        case "0x7c6f3158":  # operatorCount()
            return abi.words(2 + others // (25_000 * WEI))
        case "0x40947369":  # minOperatorCount()
            return abi.words(1)
        case "0x71b906eb":  # solventUntilTimestamp()
            return abi.words(economy.dry_at(index, second // MINUTE) * MINUTE)
        case "0x91a11303":  # remainingWei(): stale, as of the last transaction
            left = max(0, economy.dry_at(index, piece.since // MINUTE) * MINUTE - piece.since)
            return abi.words(economy.payout[index] * left if piece.paying[index] else 0)
        case "0x303cbe57":  # joinTimeOfOperator(address)
            return abi.words(joined if abi.argument(data) == economy.operator else 0)
        case "0x48611fcd":  # minimumStakeOf(address)
            return abi.words(min(5000 * WEI, STAKES[index]) if abi.argument(data) == economy.operator else 0)
        case "0xda5a517b":  # getLeavePenalty(address)
            young = second - joined < CONFIG_VALUES["0x78e72833"]
            return abi.words(CONFIG_VALUES["0x6aac44e9"] if young else 0)
    raise CallRevertedError
