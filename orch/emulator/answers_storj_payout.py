"""The money half of a storage node's console API: estimates in cents, statements in micro-USD."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orch.emulator.answers_storj_ids import wrong_id
from orch.emulator.asks import Response, json_response, zulu
from orch.emulator.facts import DAY_MINUTES, MINUTE
from orch.emulator.storj import (
    BYTE_MINUTES_PER_TB_MONTH,
    SATELLITES,
    Month,
    month_name,
    month_start,
)
from orch.emulator.storj_money import Estimate, Paystub, Usage, estimate, paystubs, running, usage_of

if TYPE_CHECKING:
    from orch.emulator.asks import Ask
    from orch.emulator.world import World

BYTE_MONTH = BYTE_MINUTES_PER_TB_MONTH // 10**12
PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def previous_month(minute: int) -> str:
    """The month the node calls previous: naively the same day a month ago, so that 31 October gives October."""
    now = month_name(minute)
    day = (minute - month_start(now)) // DAY_MINUTES
    return month_name(month_start(now, -1) + day * DAY_MINUTES)


def estimated_payout(world: World, identity: str | None) -> Response:
    """`GET /api/sno/estimated-payout`: without an id the sum, whose `heldRate` is always 0.

    Of a satellite that it does not know the node knows that it has earned nothing.
    """
    wrong = wrong_id(identity) if identity is not None else None
    if wrong is not None:
        return error("payouts", wrong, 400)
    chosen = [k for k, (each, _) in enumerate(SATELLITES) if identity in (None, each)]
    minute = world.state.minute
    now, before = month_name(minute), previous_month(minute)
    current = [_usage(world, k, now) for k in chosen]
    # Of the month that it calls previous the node counts all the time, even when that month is still running.
    left = month_start(before, 1) - minute if before == now else 0
    previous = [_usage(world, k, before, left) for k in chosen]
    passed = max(1, minute - month_start(now))
    length = month_start(now, 1) - month_start(now)
    expected = sum(each.payout * length // passed // 100 for _, each in current)
    body = {
        "currentMonth": _month_body(current, single=identity is not None),
        "previousMonth": _month_body(previous, single=identity is not None),
        "currentMonthExpectations": expected,
    }
    return json_response(body)


def _usage(world: World, index: int, name: str, to_come: int = 0) -> tuple[Usage, Estimate]:
    satellite = world.state.storj.satellites[index]
    month = next((each for each in satellite.months if each.name == name), None)
    usage = running(world.storj, index, satellite) if month is None else usage_of(month)
    usage = usage._replace(byte_minutes=usage.byte_minutes + satellite.stored * to_come)
    return usage, estimate(world.storj, index, name, usage)


def _month_body(parts: list[tuple[Usage, Estimate]], *, single: bool) -> dict[str, Any]:
    usages, estimates = [part[0] for part in parts], [part[1] for part in parts]
    return {
        "egressBandwidth": sum(each.usage for each in usages),
        "egressBandwidthPayout": sum(each.egress for each in estimates) / 100,
        "egressRepairAudit": sum(each.repair + each.audit for each in usages),
        "egressRepairAuditPayout": sum(each.repair_audit for each in estimates) / 100,
        "diskSpace": sum(each.byte_minutes for each in usages) / BYTE_MONTH,
        "diskSpacePayout": sum(each.disk for each in estimates) / 100,
        "heldRate": estimates[0].held_percent if single and estimates else 0,
        "payout": sum(each.payout for each in estimates) / 100,
        "held": sum(each.held_cents for each in estimates),
    }


def held_amount(world: World, ask: Ask, parts: list[str]) -> Response | None:
    """The statements under `/api/heldamount/`."""
    identity = ask.parameters.get("id")
    wrong = wrong_id(identity) if identity is not None else None
    if wrong is not None:
        return error("payouts", wrong, 400)
    match parts:
        case ["paystubs", period]:
            return _paystubs(world, identity, period)
        case ["paystubs", begin, end]:
            return _paystub_range(world, identity, begin, end)
        case ["payout-history", period]:
            return _payout_history(world, period)
        case ["held-history"]:
            return json_response(_held_history(world) or None)
        case ["periods"]:
            names = {
                month.name for index, month, _ in _all_stubs(world) if identity in (None, SATELLITES[index][0])
            }
            return json_response(sorted(names) or None)
    return None


def _all_stubs(world: World) -> list[tuple[int, Month, Paystub]]:
    return [
        (index, month, stub)
        for index, satellite in enumerate(world.state.storj.satellites)
        for month, stub in paystubs(world.storj, index, satellite, world.state.minute)
    ]


def error(part: str, text: str, status: int) -> Response:
    """A failure as a part of the console API states it."""
    return json_response({"error": f"consoleapi {part}: {text}"}, status)


def _bad_period(period: str, which: str) -> Response | None:
    if PERIOD.fullmatch(period):
        return None
    return error("payouts", f"wrong period format: period {which} has wrong format", 400)


def _paystubs(world: World, identity: str | None, period: str) -> Response:
    found = [
        _stub_body(index, month, stub)
        for index, month, stub in _all_stubs(world)
        if month.name == period and identity in (None, SATELLITES[index][0])
    ]
    if identity is not None:
        return json_response(found[0] if found else None)
    return json_response(found or None)


def _paystub_range(world: World, identity: str | None, begin: str, end: str) -> Response:
    wrong = _bad_period(begin, "start") or _bad_period(end, "end")
    if wrong is not None:
        return wrong
    if end < begin:
        return error("payouts", "wrong period format: period has wrong format", 400)
    found = [
        _stub_body(index, month, stub)
        for index, month, stub in _all_stubs(world)
        if begin <= month.name <= end and identity in (None, SATELLITES[index][0])
    ]
    return json_response(sorted(found, key=lambda body: body["period"]) or None)


def _stub_body(index: int, month: Month, stub: Paystub) -> dict[str, Any]:
    return {
        "satelliteId": SATELLITES[index][0],
        "period": month.name,
        "created": zulu(month.stub_minute * MINUTE + 7),
        "codes": "E" if stub.held_percent else "",
        "usageAtRest": month.byte_minutes / BYTE_MONTH,
        "usageGet": month.usage,
        "usagePut": month.put,
        "usageGetRepair": month.repair,
        "usagePutRepair": month.put // 20,
        "usageGetAudit": month.audit,
        "compAtRest": stub.disk,
        "compGet": stub.usage,
        "compPut": 0,
        "compGetRepair": stub.repair,
        "compPutRepair": 0,
        "compGetAudit": stub.audit,
        "surgePercent": 100,
        "held": stub.held,
        "owed": stub.paid,
        "disposed": stub.disposed,
        "paid": stub.paid,
        "distributed": stub.distributed,
    }


def _payout_history(world: World, period: str) -> Response:
    found = []
    for index, month, stub in _all_stubs(world):
        if month.name != period:
            continue
        first = month_name(world.storj.joined[index])
        age = (int(period[:4]) - int(first[:4])) * 12 + int(period[5:]) - int(first[5:])
        receipt = "eth:0x" + world.draws.identity("storj", "receipt", period) if stub.distributed else ""
        found.append(
            {
                "satelliteID": SATELLITES[index][0],
                "satelliteURL": SATELLITES[index][1],
                "age": age,
                "earned": stub.earned,
                "surge": stub.earned,
                "surgePercent": 100,
                "held": stub.held,
                "heldPercent": stub.held_percent,
                "afterHeld": stub.earned - stub.held,
                "disposed": stub.disposed,
                "paid": stub.paid,
                "receipt": receipt,
                "isExitComplete": False,
                "distributed": stub.distributed,
            }
        )
    return json_response(found or None)


def _held_history(world: World) -> list[dict[str, Any]]:
    rows = []
    for index, (identity, url) in enumerate(SATELLITES):
        stubs = [(month, stub) for k, month, stub in _all_stubs(world) if k == index]
        if not stubs:
            continue
        held = {percent: sum(s.held for _, s in stubs if s.held_percent == percent) for percent in (75, 50, 25)}
        rows.append(
            {
                "satelliteID": identity,
                "satelliteName": url,
                "holdForFirstPeriod": held[75],
                "holdForSecondPeriod": held[50],
                "holdForThirdPeriod": held[25],
                "totalHeld": sum(held.values()),
                "totalDisposed": sum(stub.disposed for _, stub in stubs),
                "joinedAt": zulu(world.storj.joined[index] * MINUTE),  # cut to the minute
            }
        )
    return rows
