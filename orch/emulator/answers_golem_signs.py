"""What an emulated yagna says of itself: its counters, its own check, and the live feed of activities.

Counters and the feed know only what happened since the daemon started, which it does after every outage.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from orch.emulator.asks import Response, json_response, text_response, zulu
from orch.emulator.facts import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.emulator.golem import Agreement
    from orch.emulator.world import World

USAGE_VECTOR = ["golem.usage.cpu_sec", "golem.usage.duration_sec"]
PLATFORM = "erc20-polygon-glm"
NANO = 10**9


def activity_id(agreement: Agreement) -> str:
    """The one activity of an agreement."""
    return agreement.id[32:]


def usage(agreement: Agreement, minute: int) -> list[float]:
    """CPU-seconds over all threads, and seconds."""
    end = minute if agreement.ended < 0 else min(minute, agreement.ended)
    seconds = float((end - agreement.signed) * MINUTE)
    return [seconds * agreement.busy, seconds]


def since_start(world: World) -> list[Agreement]:
    """The agreements that were signed since the daemon started."""
    minute = world.state.minute
    started = world.first_minute
    for outage in world.outages.of("compute", started, minute + 1):
        started = max(started, min(outage.end, minute))
    found = []
    for agreement in reversed(world.state.golem.agreements):
        if agreement.signed < started:
            break
        found.append(agreement)
    return found[::-1]


def monitor(world: World) -> Response:
    """The first message of the live feed; the stream is then closed."""
    minute = world.state.minute
    activities = []
    for agreement in since_start(world):
        activity: dict[str, Any] = {
            "id": activity_id(agreement),
            "state": "Ready" if agreement.ended < 0 else "Terminated",
            "exeUnit": "vm",
            "agreementId": agreement.id,
        }
        if minute > agreement.signed:
            activity["usage"] = dict(zip(USAGE_VECTOR, usage(agreement, minute), strict=True))
        activities.append(activity)
    message = json_response({"ts": zulu(minute * MINUTE), "activities": activities}).body
    return Response(headers=(("Content-Type", "text/event-stream"),), body=b"data: " + message + b"\r\n\r\n")


def metrics(world: World, now: datetime, prefixes: Iterable[str] = ("",)) -> Response:
    """The counters since the daemon's start in Prometheus' text format, sorted, those with these prefixes."""
    wanted = tuple(prefixes)
    lines = [f"# metrics snapshot (ts={int(now.timestamp())}) (prometheus exposition format)"]
    for name, samples in sorted(_counters(world).items()):
        if name.startswith(wanted):
            lines.append(f"# TYPE {name} counter")
            lines += [f"{name}{labels} {value}" for labels, value in sorted(samples.items())]
            lines.append("")
    return text_response("\n".join(lines) + "\n")


def _counters(world: World) -> dict[str, dict[str, int]]:
    minute = world.state.minute
    agreements = since_start(world)
    ended = [each for each in agreements if each.ended >= 0]
    states = Counter(each.status_at(minute) for each in agreements)
    invoiced = sum(count for status, count in states.items() if status is not None)
    reasons = Counter("RequestorUnreachable" if each.broken else "Success" for each in ended)
    received = sum(each.paid_at(minute) // NANO for each in agreements)
    return {
        "activity_provider_created": {"": len(agreements)},
        "activity_provider_destroyed": {"": len(ended)},
        "market_agreements_provider_approved": {"": len(agreements)},
        "market_agreements_provider_proposed": {"": len(agreements)},
        "market_agreements_provider_rejected": {"": 0},
        "market_agreements_provider_terminated": {"": len(ended)},
        "market_agreements_provider_terminated_reason": {
            f'{{reason="{reason}"}}': count for reason, count in reasons.items()
        },
        "market_proposals_provider_received": {"": len(agreements)},
        "market_proposals_provider_countered": {"": len(agreements)},
        "market_proposals_provider_rejected_by_them": {"": 0},
        "market_proposals_provider_rejected_by_us": {"": 0},
        "payment_amount_received": {f'{{platform="{PLATFORM}"}}': received},
        "payment_invoices_provider_issued": {"": invoiced},
        "payment_invoices_provider_accepted": {"": states["ACCEPTED"] + states["SETTLED"]},
        "payment_invoices_provider_paid": {"": states["SETTLED"]},
        "web3_rpc_success": {'{chain_id="137"}': max(1, states["SETTLED"])},
        "web3_rpc_error": {'{chain_id="137"}': 0},
        "yagna_service_up": {"": 1},
    }


def healthcheck() -> Response:
    """All three checks pass."""
    return json_response({"status": "ok"})
