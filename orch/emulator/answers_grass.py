"""Grass's private dashboard API: uptime and points of one account, with a pasted token.

Points of the running epoch are 0 until it ends; the uptime of the present epoch is in `activeDevices.aggUptime`.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from orch.emulator.asks import Ask, Response, json_response, text_response, zulu
from orch.emulator.facts import MINUTE
from orch.emulator.grass import Epoch, epoch_name, up_seconds
from orch.emulator.storj import month_start

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World

IP_ADDRESS = "203.0.113.24"
TOKEN_EXPIRES_S = 4_102_444_800
"""2100-01-01: the emulated token never runs out."""


def _base64(document: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(document)).rstrip(b"=").decode()


TOKEN = ".".join(
    (_base64({"alg": "none", "typ": "JWT"}), _base64({"sub": "emulated", "exp": TOKEN_EXPIRES_S}), "emulated")
)
"""The only token the emulated account accepts: a JWT whose signature nobody checks."""


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """Answer one request to the dashboard API."""
    if world.presence("address", now) == "unavailable":
        return text_response("<html><body>503 Service Temporarily Unavailable</body></html>", 503, "text/html")
    name = ask.path.strip("/")
    if ask.header("Authorization") != TOKEN:
        return _refused(name, now)
    if ask.method != "GET":
        return _failure("Method not supported", -32005, "METHOD_NOT_SUPPORTED", 405, name)
    try:
        wanted: Any = msgspec.json.decode(ask.parameters.get("input") or "{}")
    except msgspec.DecodeError:
        return _failure("Bad input", -32600, "BAD_REQUEST", 400, name)
    online = _online(world, now)
    match name:
        case "retrieveUser":
            return _data(_user(world))
        case "activeDevices":
            return _data(_devices(world, now) if online else [])
        case "activeIps":
            return _data([_address(world, now)] if online else [])
        case "devices":
            listed = [{**device, "totalUptime": 0} for device in _devices(world, now)] if online else []
            return _data({"data": listed, "lastEvaluationKey": None})
        case "retrieveDevice":
            return _data(_device(world))
        case "epochEarnings":
            return _data({"data": _epochs(world, wanted)})
        case "retrieveUserSettings":
            return _data({"isConnectionPaused": False, "pauseConnectionExpiry": None})
    return _failure(f'No "query"-procedure on path "{name}"', -32004, "NOT_FOUND", 404, name)


def _data(document: object) -> Response:
    return json_response({"result": {"data": document}})


def _failure(message: str, code: int, label: str, status: int, path: str) -> Response:
    data = {"code": label, "httpStatus": status, "path": path}
    return json_response({"error": {"message": message, "code": code, "data": data}}, status)


def _refused(name: str, now: datetime) -> Response:
    """A dead token is answered by whichever trips first: the API itself, or the proxy before it."""
    if now.hour % 2:
        page = "<html><title>429 Too Many Requests</title></html>"
        answered = text_response(page, 429, "text/html")
        return msgspec.structs.replace(answered, headers=(*answered.headers, ("Retry-After", "30")))
    return _failure("Unauthorized", -32001, "UNAUTHORIZED", 401, name)


def _online(world: World, now: datetime) -> bool:
    limits = world.state.dials["address"].in_force(now.timestamp())
    return world.presence("address", now) == "up" and world.grass.runs(limits)


def _millis(second: float) -> str:
    return zulu(second).removesuffix("Z") + ".000Z"


def _user(world: World) -> dict[str, Any]:
    return {
        "userId": world.grass.user_id,
        "email": "operator@emulated.invalid",
        "username": "operator",
        "walletAddress": None,
        "totalPoints": 0,
    }


def _device(world: World) -> dict[str, Any]:
    epoch = world.state.grass.epochs[-1]
    return {
        "deviceId": world.grass.device_id,
        "userId": world.grass.user_id,
        "ipAddress": IP_ADDRESS,
        "ipScore": world.grass.score(epoch.month),
        "aggUptime": up_seconds(epoch),
        "multiplier": world.grass.quarters / 4,
        "lastConnectedAt": _millis(world.state.grass.since * MINUTE),
    }


def _devices(world: World, now: datetime) -> list[dict[str, Any]]:
    """What is connected: at times a second device behind the same address, which brings nothing more."""
    first = _device(world)
    twin = world.grass.twin(int(now.timestamp()))
    if twin is None:
        return [first]
    return [first, {**first, "deviceId": twin, "aggUptime": 0}]


def _address(world: World, now: datetime) -> dict[str, Any]:
    device = _device(world)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    connected = max(int(midnight.timestamp()), world.state.grass.since * MINUTE)
    return {
        "ipAddress": IP_ADDRESS,
        "date": _millis(midnight.timestamp()),
        "ipScore": device["ipScore"],
        "totalUptime": max(0, world.state.minute * MINUTE - connected),
        "multiplier": device["multiplier"],
        "created": _millis((midnight + timedelta(seconds=9)).timestamp()),
        "modified": _millis(world.state.minute * MINUTE),
    }


def _epochs(world: World, wanted: Any) -> list[dict[str, Any]]:
    """Newest first. `isLatestOnly` gives the last finished epoch, otherwise the running one leads, still at 0."""
    epochs = world.state.grass.epochs
    latest = bool(wanted.get("isLatestOnly")) if isinstance(wanted, dict) else False
    limit = wanted.get("limit", 50) if isinstance(wanted, dict) else 50
    rows = [_epoch(world, epoch) for epoch in reversed(epochs[:-1])]
    if latest:
        return rows[:1]
    running = _epoch(world, epochs[-1]) | {"totalPoints": 0, "totalUptime": 0}
    return [running, *rows][: int(limit)]


def _epoch(world: World, epoch: Epoch) -> dict[str, Any]:
    last_day = month_start(epoch.month, 1) - 1
    return {
        "epochName": epoch_name(epoch.month),
        "startDate": f"{epoch.month}-01",
        "endDate": zulu(last_day * MINUTE)[:10],
        "totalPoints": float(world.grass.points(epoch)),
        "rewardPoints": 0,
        "totalUptime": up_seconds(epoch),
    }
