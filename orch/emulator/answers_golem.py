"""yagna's REST API as a provider sees it: identity, network state, payments, offers, agreements, activities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.emulator import answers_golem_pay
from orch.emulator.answers_golem_signs import USAGE_VECTOR, activity_id, healthcheck, metrics, monitor, usage
from orch.emulator.asks import REFUSED, Ask, Response, json_response, text_response, zulu
from orch.emulator.facts import APP_KEY, MINUTE
from orch.emulator.provider import offer as on_offer

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.golem import Agreement, Offer
    from orch.emulator.world import World

OPEN = ("/version/get", "/metrics-api", "/dashboard")
STATES = ("Proposal", "Pending", "Cancelled", "Rejected", "Approved", "Expired", "Terminated")
PLATFORM = "erc20-polygon-glm"


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """Answer one request to yagna."""
    presence = world.presence("compute", now)
    if presence == "refused":
        return REFUSED
    if presence == "unavailable":
        return json_response({"message": "Service Unavailable"}, 503)
    path = ask.path.rstrip("/") or "/"
    if not path.startswith(OPEN):
        refusal = _refusal(ask)
        if refusal is not None:
            return refusal
    match path.strip("/").split("/"):
        case ["me"]:
            return json_response({"identity": world.golem.node_id, "name": "golem-cli", "role": "manager"})
        case ["version", "get"]:
            return json_response(_version())
        case ["net-api", "v2", "net", "status"]:
            return json_response(_net_status(world, now))
        case ["healthcheck"]:
            return healthcheck()
        case ["payment-api", "v1", *rest]:
            return answers_golem_pay.answer(world, ask, rest)
        case ["market-api", "v1", *rest]:
            return _market(world, ask, rest, now)
        case ["activity-api", "v1", *rest]:
            return _activity(world, ask, rest)
        case ["metrics-api", "v1", *rest]:
            return _metrics(world, rest, now)
    return Response(status=404)


def _market(world: World, ask: Ask, rest: list[str], now: datetime) -> Response:
    match rest:
        case ["offers"]:
            return json_response(_offers(world, now))
        case ["agreements"]:
            return _agreements(world, ask)
        case ["agreements", identity]:
            return _agreement(world, identity)
        case ["agreementEvents"]:
            return _agreement_events(world, ask)
    return Response(status=404)


def _metrics(world: World, rest: list[str], now: datetime) -> Response:
    match rest:
        case ["expose" | "sorted"]:
            return metrics(world, now)
        case ["filtered", prefixes]:
            return metrics(world, now, prefixes.split(","))
    return Response(status=404)


def _refusal(ask: Ask) -> Response | None:
    scheme, _, key = ask.header("Authorization").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else ask.parameters.get("authToken", "")
    if not key:
        return text_response("Missing application key", 401)
    return None if key == APP_KEY else text_response("Invalid application key", 401)


def _version() -> dict[str, Any]:
    current = {
        "version": "0.17.6",
        "name": "v0.17.6",
        "seen": True,
        "releaseTs": "2026-03-13T09:00:00",
        "insertionTs": "2026-03-20T08:00:01",
        "updateTs": "2026-03-20T08:00:01",
    }
    return {"current": current, "pending": None}


def _net_status(world: World, now: datetime) -> dict[str, Any]:
    sessions = 9 + int(world.draws.fraction("sessions", int(now.timestamp()) // 600) * 12)
    return {
        "nodeId": world.golem.node_id,
        "listenIp": "0.0.0.0:11500",
        "publicIp": "203.0.113.7:11500",
        "sessions": sessions,
    }


def _properties(world: World, offer: Offer) -> dict[str, Any]:
    return {
        "golem.node.id.name": "emulated-provider",
        "golem.runtime.name": "vm",
        "golem.inf.cpu.cores": max(1, offer.threads // 2),
        "golem.inf.cpu.threads": offer.threads,
        "golem.inf.mem.gib": offer.mem_gib,
        "golem.inf.storage.gib": offer.storage_gib,
        "golem.com.pricing.model": "linear",
        "golem.com.usage.vector": USAGE_VECTOR,
        "golem.com.pricing.model.linear.coeffs": [
            offer.cpu_atto / 3600 / 1e18,
            offer.env_atto / 3600 / 1e18,
            offer.start_atto / 1e18,
        ],
        f"golem.com.payment.platform.{PLATFORM}.address": world.golem.node_id,
        "golem.com.scheme": "payu",
        "golem.com.scheme.payu.debit-note.interval-sec?": 120,
    }


def _offers(world: World, now: datetime) -> list[dict[str, Any]]:
    """The offers out now: republished every hour, gone for seconds after an edit of the provider's files."""
    provider = world.state.provider
    second = now.timestamp()
    offer = on_offer(provider, second)
    if offer is None:
        return []
    published = max(provider.due_s, int(second) // 3600 * 3600 + 12.5)
    if published > second:
        published -= 3600
    identity = world.draws.identity("offer", round(published * 1000))
    expiry = int((published + 3600) * 1000)
    return [
        {
            "offerId": f"{identity[:32]}-{identity}",
            "providerId": world.golem.node_id,
            "timestamp": zulu(published),
            "constraints": f"(&(golem.srv.comp.expiration>{expiry})(golem.node.debug.subnet=public))",
            "properties": _properties(world, offer),
        }
    ]


def state_of(agreement: Agreement) -> str:
    """The market state of an agreement."""
    return "Approved" if agreement.ended < 0 else "Terminated"


def _agreements(world: World, ask: Ask) -> Response:
    wanted = ask.parameters.get("state")
    if wanted is not None and wanted not in STATES:
        known = ", ".join(f"`{state}`" for state in STATES)
        return text_response(f"Query deserialize error: unknown variant `{wanted}`, expected one of {known}", 400)
    try:
        after = answers_golem_pay.moment(ask.parameters.get("afterDate"))
        before = answers_golem_pay.moment(ask.parameters.get("beforeDate"))
    except ValueError as fault:
        return text_response(f"Query deserialize error: {fault}", 400)
    rows = []
    agreements = world.state.golem.agreements
    # Only the last one can be running.
    for agreement in agreements[-1:] if wanted == "Approved" else agreements:
        second = agreement.signed * MINUTE
        in_range = (after is None or second > after) and (before is None or second < before)
        if in_range and wanted in (None, state_of(agreement)):
            row = {
                "id": agreement.id,
                "timestamp": zulu(second - 5),
                "approvedDate": zulu(second),
                "role": "Provider",
            }
            rows.append(row)
    return json_response(rows)


def find(world: World, identity: str) -> Agreement | None:
    """An agreement by its id."""
    return next((each for each in reversed(world.state.golem.agreements) if each.id == identity), None)


def _agreement(world: World, identity: str) -> Response:
    agreement = find(world, identity)
    if agreement is None:
        return json_response({"message": f"Agreement [{identity}] not found."}, 404)
    second = agreement.signed * MINUTE
    properties = _properties(world, agreement.offer)
    demand = world.draws.identity("demand", agreement.id)
    body = {
        "agreementId": agreement.id,
        "demand": {
            "properties": {"golem.srv.comp.expiration": (second + 6 * 3600) * 1000},
            "constraints": "(&(golem.runtime.name=vm))",
            "demandId": f"{demand[:32]}-{demand}",
            "requestorId": agreement.requestor,
            "timestamp": zulu(second - 30),
        },
        "offer": {
            "properties": properties,
            "constraints": "(golem.node.debug.subnet=public)",
            "offerId": f"{agreement.id[:32]}-{agreement.id}",
            "providerId": world.golem.node_id,
            "timestamp": zulu(second - 20),
        },
        "validTo": zulu(second + 6 * 3600),
        "approvedDate": zulu(second),
        "state": state_of(agreement),
        "timestamp": zulu(second - 5),
    }
    return json_response(body)


def _agreement_events(world: World, ask: Ask) -> Response:
    """Approvals and endings by their time."""
    try:
        after = answers_golem_pay.moment(ask.parameters.get("afterTimestamp"))
        most = int(ask.parameters.get("maxEvents", "500"))
    except ValueError as fault:
        return text_response(f"Query deserialize error: {fault}", 400)
    events: list[tuple[float, dict[str, Any]]] = []
    for each in world.state.golem.agreements:
        signed = each.signed * MINUTE
        row: dict[str, Any] = {"agreementId": each.id, "eventDate": zulu(signed)}
        events.append((signed, row | {"eventType": "AgreementApprovedEvent"}))
        if each.ended >= 0:
            ended = each.ended * MINUTE
            code = "RequestorUnreachable" if each.broken else "Success"
            over = {
                "eventDate": zulu(ended),
                "eventType": "AgreementTerminatedEvent",
                "terminator": "Provider" if each.broken else "Requestor",
                "reason": {"message": "Finished", "golem.provider.code": code},
            }
            events.append((ended, row | over))
    events.sort(key=lambda pair: pair[0])
    return json_response([event for second, event in events if after is None or second > after][:most])


def _activity(world: World, ask: Ask, rest: list[str]) -> Response:
    minute = world.state.minute
    agreements = world.state.golem.agreements
    match rest:
        case ["_monitor"]:
            return monitor(world)
        case ["activity"]:
            wanted = ask.parameters.get("agreementId", "")
            found = [activity_id(each) for each in agreements if each.id == wanted]
            return json_response(found) if found else json_response({"message": f"Not found: {wanted}"}, 404)
        case ["activity", identity, what]:
            agreement = next((each for each in agreements if activity_id(each) == identity), None)
            if agreement is None:
                message = f"DAO error: Not found: agreement id for activity: {identity}"
                return json_response({"message": message}, 500)
            if what == "state":
                state = "Ready" if agreement.ended < 0 else "Terminated"
                return json_response({"state": [state, None]})
            if what == "usage":
                body = {"currentUsage": usage(agreement, minute), "timestamp": minute * MINUTE}
                return json_response(body)
            if what == "agreement":
                return json_response(agreement.id)
    return Response(status=404)
