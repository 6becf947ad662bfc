"""The control API: the emulated nodes' levers, their hand-written files, and Storj's restart.

`GET /levers/{node}` -> `{"allocation": RES, "committed": RES, "used": RES}`; `PUT /levers/{node}` with some of
RES -> 202 `{"accepted": RES}`, 409 `{"error": ...}` when refused, 503 while the node restarts; `GET` and `PUT` of
`/provider/hardware.json`, `/provider/presets.json` and `/storagenode/config.yaml`; `POST /restart/disk` -> 202.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from orch.emulator import files
from orch.emulator.asks import Ask, Response, json_response
from orch.emulator.dials import RefusedError, RestartingError
from orch.emulator.facts import NODES, as_dict
from orch.emulator.files import PROVIDER
from orch.model.resources import RESOURCES

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.facts import NodeName
    from orch.emulator.world import World
    from orch.model.resources import ResourceName


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """Answer one request to the control service."""
    room, _, name = ask.path.strip("/").partition("/")
    if room == "levers":
        node = next((each for each in NODES if each == name), None)
        return _missing(ask) if node is None else _lever(world, ask, node, now)
    file = f"{PROVIDER if room == 'provider' else room}/{name}"
    if file in files.FILES:
        return _file(world, ask, file, now)
    if (room, name) == ("restart", "disk"):
        return _restart(world, ask, now)
    return _missing(ask)


def _missing(ask: Ask) -> Response:
    return json_response({"error": f"there is nothing at {ask.path}"}, 404)


def _wrong_method(ask: Ask, allowed: str = "GET, PUT") -> Response:
    return json_response({"error": f"{ask.method} is not possible here"}, 405, ("Allow", allowed))


def _restart(world: World, ask: Ask, now: datetime) -> Response:
    if ask.method != "POST":
        return _wrong_method(ask, "POST")
    world.restart_storj(now)
    return json_response({"restarting": "disk"}, 202)


def _lever(world: World, ask: Ask, node: NodeName, now: datetime) -> Response:
    if ask.method == "GET":
        body = {
            "allocation": as_dict(world.allocation(node, now)),
            "committed": as_dict(world.committed(node)),
            "used": dict(world.used(node, now).known()),
        }
        return json_response(body)
    if ask.method != "PUT":
        return _wrong_method(ask)
    try:
        wanted = _wanted(ask.body)
    except (msgspec.DecodeError, msgspec.ValidationError) as fault:
        return json_response({"error": str(fault)}, 400)
    unknown = sorted(set(wanted) - set(RESOURCES))
    if unknown:
        return json_response({"error": f"no such resource: {', '.join(unknown)}"}, 400)
    amounts: dict[ResourceName, float] = {name: wanted[name] for name in RESOURCES if name in wanted}
    try:
        accepted = world.put_levers(node, amounts, now)
    except RefusedError as refusal:
        return json_response({"error": str(refusal)}, 409)
    except RestartingError as refusal:
        return json_response({"error": str(refusal)}, 503, ("Retry-After", "90"))
    return json_response({"accepted": as_dict(accepted)}, 202)


def _wanted(body: bytes) -> dict[str, float]:
    amounts = msgspec.json.decode(body, type=dict[str, float | None])
    return {name: amount for name, amount in amounts.items() if amount is not None}


def _file(world: World, ask: Ask, name: str, now: datetime) -> Response:
    if ask.method == "GET":
        kind = "text/yaml" if name == files.CONFIG else "application/json"
        return Response(status=200, headers=(("Content-Type", kind),), body=files.content(world, name) or b"")
    if ask.method != "PUT":
        return _wrong_method(ask)
    if len(ask.body) > files.LARGEST_FILE:
        return json_response({"error": f"the file is larger than {files.LARGEST_FILE} bytes"}, 413)
    files.put(world, name, ask.body, now)
    return json_response({"written": len(ask.body)}, 202)
