"""Grass: one residential address, asked through the operator's own dashboard account.

Read-only, about once an hour, with a token that the operator pastes; no login, no device client. Income is
counted in points. Tokens come, if at all, in drops announced afterwards, so points become an amount of
GRASS only when the operator states `tokens_per_point`, and even then the figure is speculative and its
interval reaches down to nothing. Whether the node's process lives is better known on the host than here.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec

from orch.errors import ShapeError
from orch.model.base import Value
from orch.model.money import Accrual, Amounts
from orch.model.readings import Finding, Outlook, Pace, Reading
from orch.model.wire import HttpRequest, NoReply, Secret
from orch.protocols.base import Context, Endpoint
from orch.protocols.grass_answers import (
    Device,
    Epoch,
    read_devices,
    read_epochs,
    read_user,
    token_expiry,
    usable_token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.readings import Health
    from orch.model.wire import Reply

HOUR = 3600.0
POINTS = "GRASS_POINTS"
TOKEN = "GRASS"  # noqa: S105 - the unit's name, no credential
INCOME_WINDOW_S = 30 * 24 * HOUR
"""Points settle when an epoch ends, about once a month."""

PRIOR_POINTS_PER_HOUR = 50.0
"""Per hour of uptime at score 100 and multiplier 1, before the account itself has shown a rate."""

PRIOR_HIGH = 2.0
"""The highest published formula gives twice the prior."""

CONVERSION_HIGH = 2.0
"""The rate of an unannounced drop: from nothing to twice what the operator expects."""

EXPIRY_WARNING = timedelta(days=7)
LIMITED_MEANS_EXPIRED = timedelta(days=1)
STALE_AFTER = timedelta(hours=3)
EPOCHS_OF_HISTORY = 12


def _query(call: str, given: dict[str, int | bool]) -> str:
    return f"{call}?input={quote(json.dumps(given, separators=(',', ':')))}"


_LATEST_EPOCH = _query("epochEarnings", {"limit": 1, "isLatestOnly": True})
_ALL_EPOCHS = _query("epochEarnings", {"limit": EPOCHS_OF_HISTORY, "isLatestOnly": False})


class GrassOptions(Value):
    """`[nodes.X]` with `protocol = "grass"`.

    `token` is the access token of the dashboard. `tokens_per_point` (GRASS per point) has no default: without
    it the rate is unknown. `p_paid` is the expected chance (0..1) that the points are paid at all.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")] = "https://api.getgrass.io"
    token: Secret | None = None
    tokens_per_point: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    p_paid: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5


class Memory(Value):
    """Everything the account has said that still matters; times are those of the answers."""

    options: GrassOptions
    context: Context
    emulated: bool = False
    settled_points: str | None = None
    devices: tuple[Device, ...] | None = None
    devices_at: datetime | None = None
    devices_failure: NoReply | None = None
    epochs: tuple[Epoch, ...] = ()
    epochs_at: datetime | None = None
    refused_since: datetime | None = None
    limited_since: datetime | None = None


class Grass:
    """The protocol `grass`; see ProtocolSpec."""

    name = "grass"
    options = GrassOptions
    tokens: tuple[str, ...] = (TOKEN,)
    levers = ("docker", "systemd", "tc", "command", "emulated")

    def begin(self, options: GrassOptions, context: Context) -> Memory:
        """An empty memory."""
        return Memory(options=options, context=context)

    def endpoints(self, memory: Memory, now: datetime) -> tuple[Endpoint, ...]:  # noqa: ARG002 - ProtocolSpec
        """Nothing without a usable token; only one question while the token is refused."""
        token = usable_token(memory.options.token.value) if memory.options.token else None
        if token is None:
            return ()
        devices = _endpoint(memory, token, "devices", "activeDevices", rank=0)
        if memory.refused_since is not None:
            return (devices,)
        return (
            devices,
            _endpoint(memory, token, "user", "retrieveUser", rank=1),
            _endpoint(memory, token, "epochs", _LATEST_EPOCH, rank=3),
            _endpoint(memory, token, "epochs/history", _ALL_EPOCHS, rank=2, once=True),
        )

    def absorb(self, memory: Memory, key: str, reply: Reply, now: datetime) -> Memory:  # noqa: ARG002 - ProtocolSpec
        """The memory with one answer taken in. Raises ShapeError or AbsurdError; then nothing has changed."""
        match key:
            case "devices":
                devices = read_devices(reply, key)
                changed = msgspec.structs.replace(
                    memory, devices=devices, devices_at=reply.received_at, devices_failure=None
                )
            case "user":
                changed = msgspec.structs.replace(memory, settled_points=f"{read_user(reply, key):f}")
            case "epochs" | "epochs/history":
                new = read_epochs(reply, key)
                kept = {epoch.name: epoch for epoch in (*memory.epochs, *new)}
                epochs = tuple(sorted(kept.values(), key=lambda each: each.start))[-2 * EPOCHS_OF_HISTORY :]
                changed = msgspec.structs.replace(memory, epochs=epochs, epochs_at=reply.received_at)
            case _:
                raise ShapeError(f"{key}: not an endpoint of Grass")
        return msgspec.structs.replace(
            changed,
            emulated=memory.emulated or reply.header("X-Orch-Emulated") is not None,
            refused_since=None,
            limited_since=None,
        )

    def failed(self, memory: Memory, key: str, failure: NoReply, now: datetime) -> Memory:  # noqa: ARG002 - ProtocolSpec
        """The memory with one failure taken in.

        A dead token is answered with 401 and 429 in turn, whichever trips first, so both are remembered until
        the next success.
        """
        if key == "devices":
            memory = msgspec.structs.replace(memory, devices_failure=failure)
        if failure.reason == "unauthorised":
            return msgspec.structs.replace(memory, refused_since=memory.refused_since or failure.failed_at)
        if failure.reason == "rate_limited":
            return msgspec.structs.replace(memory, limited_since=memory.limited_since or failure.failed_at)
        return memory

    def reading(self, memory: Memory, now: datetime) -> Reading:
        """Everything known now. Points are speculative; no USD follows from them without the operator's word."""
        state, reason = _health(memory, now)
        pace = _pace(memory)
        return Reading(
            node=memory.context.node,
            protocol=self.name,
            taken_at=now,
            emulated=memory.emulated,
            health=state,
            health_reason=reason,
            last_seen_at=memory.devices_at,
            accruals=_accruals(memory, now),
            outlooks=(Outlook(form="on_off", unit=TOKEN, per_unit_hour=pace.mean if pace else None),),
            pace=pace,
            paced=True,
            window_s=INCOME_WINDOW_S,
            speculative=True,
            findings=tuple(_findings(memory, now)),
            facts=tuple(_facts(memory)),
        )


PROTOCOL = Grass()


def _endpoint(memory: Memory, token: str, key: str, path: str, *, rank: int, once: bool = False) -> Endpoint:
    request = HttpRequest(
        url=f"{memory.options.url.rstrip('/')}/{path}",
        headers=(
            ("Accept", "application/json"),
            ("Origin", "https://app.grass.io"),
            ("Referer", "https://app.grass.io/"),
        ),
        secret_headers=(("Authorization", Secret(value=token)),),
        deadline_s=20.0,
        max_bytes=1_000_000,
    )
    vital = key == "devices"
    return Endpoint(key=key, request=request, period_s=HOUR, rank=rank, once=once, vital=vital, backoff_max_s=HOUR)


def _accruals(memory: Memory, now: datetime) -> tuple[Accrual, ...]:
    """One stream of points per epoch. A running epoch says 0 until it settles, which is unknown and not zero."""
    if memory.epochs_at is None:
        return ()
    return tuple(
        Accrual(
            stream=epoch.name,
            unit=POINTS,
            amounts=Amounts(speculative=epoch.points),
            period_start=epoch.start,
            as_of=memory.epochs_at,
            semantics="per_period",
            reference=f"epochEarnings {epoch.name}",
            final=now >= epoch.end and epoch.points > 0,
            period_end=epoch.end if now >= epoch.end else None,
        )
        for epoch in memory.epochs
        if epoch.points > 0
    )


def _points_per_hour(memory: Memory) -> tuple[float, float, str] | None:
    """Points per hour now, the highest they may be, and how they are known; None when they are not.

    Uptime counts once per address, however many devices are behind it.
    """
    devices = memory.devices
    if devices is None:
        return None
    addresses = {device.address for device in devices if device.score != 0}
    shown = [epoch for epoch in memory.epochs if epoch.points > 0 and epoch.uptime_s]
    if shown and shown[-1].uptime_s:
        rate = float(shown[-1].points) / (shown[-1].uptime_s / 3600) * len(addresses)
        return rate, rate, f"measured in {shown[-1].name}"
    if any(device.score is None for device in devices):
        return None
    best = {
        address: max(_prior(device) for device in devices if device.address == address) for address in addresses
    }
    rate = sum(best.values())
    return rate, PRIOR_HIGH * rate, "prior: 50 points per hour at score 100"


def _prior(device: Device) -> float:
    return PRIOR_POINTS_PER_HOUR * (device.score or 0.0) / 100 * device.multiplier


def _pace(memory: Memory) -> Pace | None:
    """GRASS per hour, if the operator says what a point is worth: from nothing to twice that, surely paid."""
    options, known = memory.options, _points_per_hour(memory)
    if options.tokens_per_point is None or known is None or memory.devices_at is None:
        return None
    points, most, _ = known
    return Pace(
        unit=TOKEN,
        low=0.0,
        mean=points * options.tokens_per_point * options.p_paid,
        high=most * options.tokens_per_point * CONVERSION_HIGH,
        evidence="speculative",
        window_s=INCOME_WINDOW_S,
        as_of=memory.devices_at,
    )


def _health(memory: Memory, now: datetime) -> tuple[Health, str]:
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


def _findings(memory: Memory, now: datetime) -> Iterator[Finding]:
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


def _facts(memory: Memory) -> Iterator[tuple[str, str]]:
    if memory.settled_points is not None:
        yield "settled_points", memory.settled_points
    if memory.devices is not None:
        yield "devices", str(len(memory.devices))
        scores = [f"{device.score:g}" for device in memory.devices if device.score is not None]
        if scores:
            yield "network_scores", ", ".join(scores)
    if memory.epochs:
        yield "epoch", memory.epochs[-1].name
    known = _points_per_hour(memory)
    if known is not None:
        yield "points_per_hour", f"{known[0]:.2f}"
        yield "points_rate", known[2]


def _warning(code: str, sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity="warning", sentence=sentence, remedy=remedy)
