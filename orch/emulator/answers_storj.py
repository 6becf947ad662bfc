"""The console API of a storage node 1.162: its dashboard, this month, estimates and statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.emulator.answers_storj_ids import wrong_id
from orch.emulator.answers_storj_payout import error, estimated_payout, held_amount
from orch.emulator.asks import REFUSED, Ask, Response, json_response, text_response, zulu
from orch.emulator.facts import DAY_MINUTES, MINUTE
from orch.emulator.storj import (
    COMPACTION_SHARE,
    EGRESS_CENTS,
    SATELLITES,
    STORAGE_CENTS,
    Day,
    Satellite,
    used_bytes,
)

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World

VERSION = "1.162.3"
REPORT_LAG_MINUTES = 6 * 60
"""How long after a UTC day its storage report arrives; until then the node fills the row in itself."""
WEB_APP = "<!DOCTYPE html><html><head><title>Storage Node Dashboard</title></head><body></body></html>"


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """Answer one request to the storage node."""
    presence = world.presence("disk", now)
    if presence == "refused":
        return REFUSED
    if presence == "unavailable":
        return text_response("upstream is not available\n", 503)
    path = ask.path
    if path == "/api/sno":
        link = b'<a href="/api/sno/">Moved Permanently</a>.\n\n'
        headers = (("Location", "/api/sno/"), ("Content-Type", "text/html; charset=utf-8"))
        return Response(status=301, headers=headers, body=link)
    if ask.method == "POST" and path.startswith("/api/notifications/"):
        return json_response({})
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "sno"]:
        response = _sno(world, ask, parts[2:], now)
    elif parts[:2] == ["api", "heldamount"]:
        response = held_amount(world, ask, parts[2:])
    elif parts == ["api", "notifications", "list"]:
        response = _notifications(ask)
    else:
        response = None
    return response or text_response(WEB_APP, 200, "text/html; charset=utf-8")


def _sno(world: World, ask: Ask, parts: list[str], now: datetime) -> Response | None:
    match parts:
        case []:
            return json_response(_dashboard(world, now))
        case ["satellites"]:
            return json_response(_all_satellites(world))
        case ["estimated-payout"]:
            return estimated_payout(world, ask.parameters.get("id"))
        case ["satellite", identity]:
            wrong, index = wrong_id(identity), index_of(identity)
            if wrong is not None:
                return error("storagenode", wrong, 400)
            if index is None:
                return error("storagenode", "console: trust: satellite is untrusted", 404)
            return json_response(_one_satellite(world, index))
        case ["satellites", identity, "pricing"]:
            wrong = wrong_id(identity)
            if wrong is not None:
                return error("storagenode", wrong, 400)
            return json_response(_pricing(identity, known=index_of(identity) is not None))
    return None


def index_of(identity: str) -> int | None:
    """The place of a satellite id, or None."""
    return next((k for k, (each, _) in enumerate(SATELLITES) if each == identity), None)


def joined_at(world: World, index: int) -> str:
    """When a satellite was joined."""
    return zulu(world.storj.joined[index] * MINUTE + 17.501)


def _dashboard(world: World, now: datetime) -> dict[str, Any]:
    state = world.state.storj
    dial = world.state.dials["disk"]
    second = now.timestamp()
    allocated = int(dial.in_force(second)["storage_gb"] * 1e9)
    used = used_bytes(state)
    restarted = dial.asked_s < dial.due_s <= second
    started = dial.due_s if restarted else state.started_s
    traffic = sum(day.egress + day.ingress + day.deleted for each in state.satellites for day in each.days)
    return {
        "nodeID": "1" + world.draws.identity("storj", "node")[:49].replace("0", "G"),
        "wallet": world.draws.address("storj", "wallet"),
        "walletFeatures": None,
        "satellites": [
            {
                "id": identity,
                "url": url,
                "disqualified": None,
                "suspended": None,
                "vettedAt": zulu((world.storj.joined[index] + 40_000) * MINUTE + 30.120034),
            }
            for index, (identity, url) in enumerate(SATELLITES)
        ],
        "diskSpace": {
            "used": used,
            "available": max(0, allocated - int(allocated * COMPACTION_SHARE) - used),
            "overused": max(0, used - allocated),
            "allocated": allocated,
            "trash": state.trash,
            "reclaimable": 0,
        },
        "bandwidth": {"used": traffic, "available": 0},
        "lastPinged": zulu(max(started, int(second) // MINUTE * MINUTE - 11)),
        "version": VERSION,
        "allowedVersion": "1.155.2",
        "upToDate": True,
        "startedAt": zulu(started),
        "configuredPort": "28967",
        "quicStatus": "OK",
        "lastQuicPingedAt": zulu(max(started, int(second) // 3600 * 3600 - 40)),
    }


def _reported(day: Day, minute: int) -> bool:
    return minute >= (day.day + 1) * DAY_MINUTES + REPORT_LAG_MINUTES


def _storage_rows(satellite: Satellite, minute: int) -> list[dict[str, Any]]:
    """A satellite's rows of this month; what no report has come for yet is filled in by the node."""
    rows = []
    for day in satellite.days:
        real = _reported(day, minute)
        mean = day.byte_minutes / day.minutes if day.minutes else float(satellite.stored)
        rows.append(
            {
                "atRestTotal": day.byte_minutes / 60 if real else 0,
                "atRestTotalBytes": mean,
                "intervalInHours": day.minutes / 60,
                "intervalStart": zulu(day.day * 86_400),
                "calculated": not real,
            }
        )
    return rows


def _traffic(world: World, index: int, day: Day) -> dict[str, Any]:
    usage, repair, audit = world.storj.egress_of(index, day)
    return {
        "egress": {"repair": repair, "audit": audit, "usage": usage},
        "ingress": {"repair": day.ingress // 20, "usage": day.ingress - day.ingress // 20},
        "delete": day.deleted,
        "intervalStart": zulu(day.day * 86_400),
    }


def _sum_rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of the same day added up."""
    total: dict[str, Any] = {"egress": {}, "ingress": {}, "delete": 0, "intervalStart": rows[0]["intervalStart"]}
    for direction in ("egress", "ingress"):
        for key in rows[0][direction]:
            total[direction][key] = sum(row[direction][key] for row in rows)
    total["delete"] = sum(row["delete"] for row in rows)
    return total


def _summaries(satellites: list[Satellite], minute: int) -> dict[str, Any]:
    days = [day for each in satellites for day in each.days]
    egress, ingress = sum(day.egress for day in days), sum(day.ingress for day in days)
    deleted = sum(day.deleted for day in days)
    return {
        "storageSummary": sum(day.byte_minutes for day in days if _reported(day, minute)) / 60,
        "bandwidthSummary": egress + ingress + deleted,
        "egressSummary": egress,
        "ingressSummary": ingress,
    }


def _audits(world: World, index: int, minute: int) -> dict[str, Any]:
    """Scores; a little of the online score is lost in outages."""
    away = sum(each.end - each.begin for each in world.outages.of("disk", minute - 30 * DAY_MINUTES, minute))
    return {
        "auditScore": 1,
        "suspensionScore": 1,
        "onlineScore": round(1 - away / (30 * DAY_MINUTES), 4),
        "satelliteName": SATELLITES[index][1],
    }


def _all_satellites(world: World) -> dict[str, Any]:
    state, minute = world.state.storj, world.state.minute
    by_satellite = [_storage_rows(each, minute) for each in state.satellites]
    storage = [
        {
            "atRestTotal": sum(row["atRestTotal"] for row in rows),
            "atRestTotalBytes": sum(row["atRestTotalBytes"] for row in rows),
            "intervalStart": rows[0]["intervalStart"],
            "calculated": rows[0]["calculated"],
        }
        for rows in zip(*by_satellite, strict=True)
    ]
    days = zip(*(each.days for each in state.satellites), strict=True)
    bandwidth = [_sum_rows([_traffic(world, k, day) for k, day in enumerate(pair)]) for pair in days]
    mean = sum(row["atRestTotalBytes"] for row in storage) / len(storage) if storage else 0
    return {
        "storageDaily": storage,
        "bandwidthDaily": bandwidth or None,
        "averageUsageBytes": mean,
        **_summaries(state.satellites, minute),
        "earliestJoinedAt": joined_at(world, 0),
        "audits": [_audits(world, k, minute) for k in range(len(SATELLITES))],
    }


def _one_satellite(world: World, index: int) -> dict[str, Any]:
    satellite, minute = world.state.storj.satellites[index], world.state.minute
    storage = _storage_rows(satellite, minute)
    audits = _audits(world, index, minute)
    window = minute // (DAY_MINUTES // 2) * (DAY_MINUTES // 2)
    mean = sum(row["atRestTotalBytes"] for row in storage) / len(storage) if storage else 0
    return {
        "id": SATELLITES[index][0],
        "storageDaily": storage or None,
        "bandwidthDaily": [_traffic(world, index, day) for day in satellite.days] or None,
        "averageUsageBytes": mean,
        **_summaries([satellite], minute),
        "audits": audits,
        "auditHistory": {
            "score": audits["onlineScore"],
            "windows": [{"windowStart": zulu(window * MINUTE), "totalCount": 41, "onlineCount": 41}],
        },
        "priceModel": {
            "EgressBandwidth": EGRESS_CENTS,
            "RepairBandwidth": EGRESS_CENTS,
            "AuditBandwidth": EGRESS_CENTS,
            "DiskSpace": STORAGE_CENTS,
        },
        "nodeJoinedAt": joined_at(world, index),
        "vettedAt": zulu((world.storj.joined[index] + 40_000) * MINUTE + 30.120034),
    }


def _pricing(identity: str, *, known: bool) -> dict[str, Any]:
    egress, disk = (EGRESS_CENTS, STORAGE_CENTS) if known else (0, 0)
    return {
        "satelliteID": identity,
        "egressBandwidth": egress,
        "repairBandwidth": egress,
        "auditBandwidth": egress,
        "diskSpace": disk,
    }


def _notifications(ask: Ask) -> Response:
    for name in ("limit", "page"):
        stated = ask.parameters.get(name, "")
        if not stated.isdecimal():
            return error("notifications", f'strconv.ParseUint: parsing "{stated}": invalid syntax', 400)
    if int(ask.parameters["page"]) == 0:
        return error("notifications", "notificationsdb: page can not be 0", 500)
    empty = {"notifications": [], "offset": 0, "limit": 0, "currentPage": 0, "pageCount": 0}
    return json_response({"page": empty, "unreadCount": 0, "totalCount": 0})
