"""Whether a Grass account's address earns, and what its operator should know."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from orch.model.readings import Finding
from orch.protocols.grass_answers import token_expiry, usable_token
from orch.protocols.grass_points import STALE_AFTER, points_per_hour

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orch.model.readings import Health
    from orch.protocols.grass_memory import Memory

EXPIRY_WARNING = timedelta(days=7)
LIMITED_MEANS_EXPIRED = timedelta(days=1)


def health_of(memory: Memory, now: datetime) -> tuple[Health, str]:
    """From this account's devices; a failing dashboard says nothing about the node, so that is unknown."""
    if memory.options.token is None:
        return "unknown", "no token is configured"
    if usable_token(memory.options.token.value) is None:
        return "unknown", "the token cannot be sent"
    if memory.devices_failure is not None:
        return "unknown", f"the dashboard does not say: {memory.devices_failure.sentence}"
    if memory.devices is None or memory.devices_at is None:
        return "unknown", "not asked yet"
    if now - memory.devices_at > STALE_AFTER:
        return "unknown", f"no answer since {memory.devices_at:%Y-%m-%d %H:%M} UTC"
    if not memory.devices:
        return "degraded", "no device of this account is connected"
    if all(device.score == 0 for device in memory.devices):
        return "degraded", "the address has a network score of 0 and earns nothing"
    return "online", f"{len(memory.devices)} connected"


def findings_of(memory: Memory, now: datetime) -> Iterator[Finding]:
    """What the operator should know: of the token, the addresses, and what points are not."""
    yield from _token_findings(memory, now)
    shared = [a for a, n in Counter(device.address for device in memory.devices or ()).items() if n > 1]
    if shared:
        yield _warning(
            "grass_shared_address",
            f"{len(shared)} address{'es' if len(shared) > 1 else ''} with more than one device",
            "Devices behind one public address share one income: run one of them.",
        )
    if any(device.score == 0 for device in memory.devices or ()):
        yield _warning(
            "grass_score_zero",
            "an address has a network score of 0 and earns nothing",
            "Only residential addresses count; check for a VPN, a proxy or a data centre's address.",
        )
    if memory.paused_until is not None:
        yield _warning(
            "grass_paused",
            f"the account is paused until {memory.paused_until}: no uptime counts",
            "Resume the connection in the dashboard.",
        )
    if memory.options.tokens_per_point is None:
        yield Finding(
            code="grass_rate_unknown",
            severity="info",
            sentence="points have no known worth, so this node's USD per hour is unknown",
            remedy="Set tokens_per_point if you want to state one; it is never counted as earned.",
        )


def _token_findings(memory: Memory, now: datetime) -> Iterator[Finding]:
    remedy = "Log in to the dashboard in a browser, copy the accessToken from its local storage, and restart orch."
    given = memory.options.token
    if given is None:
        yield _warning("grass_token_missing", "no token is configured, so nothing is asked", remedy)
        return
    token = usable_token(given.value)
    if token is None:
        yield _warning("grass_token_unusable", "the token is empty or holds characters that no token has", remedy)
        return
    expiry = token_expiry(token)
    if memory.refused_since is not None:
        sentence = f"the token is refused since {memory.refused_since:%Y-%m-%d %H:%M} UTC"
        yield _warning("grass_token_refused", sentence, remedy)
    elif memory.limited_since is not None and now - memory.limited_since >= LIMITED_MEANS_EXPIRED:
        sentence = f"only refused as too many requests since {memory.limited_since:%Y-%m-%d %H:%M} UTC"
        yield _warning("grass_token_expired", f"{sentence}: the token has probably expired", remedy)
    if expiry is None:
        yield _warning("grass_token_undecodable", "the token does not say when it ends", remedy)
    elif expiry <= now:
        yield _warning("grass_token_expired", f"the token ended on {expiry:%Y-%m-%d}", remedy)
    elif expiry - now <= EXPIRY_WARNING:
        yield _warning("grass_token_expiring", f"the token ends on {expiry:%Y-%m-%d}", remedy)


def facts_of(memory: Memory) -> Iterator[tuple[str, str]]:
    """Points, addresses and the token's end, in words."""
    if memory.settled_points is not None:
        yield "settled_points", memory.settled_points
    if memory.devices is not None:
        yield "devices", str(len(memory.devices))
        scores = [f"{device.score:g}" for device in memory.devices if device.score is not None]
        if scores:
            yield "network_scores", ", ".join(scores)
    if memory.epochs:
        yield "epoch", memory.epochs[-1].name
    expiry = None if memory.options.token is None else token_expiry(memory.options.token.value)
    if expiry is not None:
        yield "token_ends", f"{expiry:%Y-%m-%d}"
    known = points_per_hour(memory)
    if known is not None:
        yield "points_per_hour", f"{known.mean:.2f}"
        if known.low < known.high:
            yield "points_per_hour_interval", f"{known.low:.2f} to {known.high:.2f}"
        yield "points_rate", known.source
        for address, points in known.by_address:
            yield f"points_per_hour at {address}", f"{points:.2f}"


def _warning(code: str, sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity="warning", sentence=sentence, remedy=remedy)
