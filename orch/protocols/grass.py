"""Grass: one residential address, asked through the operator's own dashboard account.

Read-only, about once an hour, with a token that the operator pastes; no login, no device client. Income is
counted in points. Tokens come, if at all, in drops announced afterwards, so points become an amount of
GRASS only when the operator states `tokens_per_point`, and even then the figure is speculative and its
interval reaches down to nothing. Whether the node's process lives is better known on the host than here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from orch.errors import ShapeError
from orch.model.money import Accrual, Amounts
from orch.model.readings import Outlook, Reading
from orch.model.wire import HttpRequest, Secret
from orch.protocols.base import Endpoint
from orch.protocols.grass_answers import read_devices, read_epochs, read_pause, read_user, usable_token
from orch.protocols.grass_findings import facts_of, findings_of, health_of
from orch.protocols.grass_memory import GrassOptions, Memory
from orch.protocols.grass_points import INCOME_WINDOW_S, TOKEN, pace_of

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import NoReply, Reply
    from orch.protocols.base import Context

__all__ = ["PROTOCOL", "Grass", "GrassOptions"]

HOUR = 3600.0
EPOCH_PERIOD = 6 * HOUR
DAY = 24 * HOUR
POINTS = "GRASS_POINTS"
REFUSALS = 3
"""So often, in rounds of their own, a token may be refused before nothing is asked any more."""

EPOCHS_OF_HISTORY = 12


def _query(call: str, given: dict[str, int | bool]) -> str:
    return f"{call}?input={quote(json.dumps(given, separators=(',', ':')))}"


_LATEST_EPOCH = _query("epochEarnings", {"limit": 1, "isLatestOnly": True})
_ALL_EPOCHS = _query("epochEarnings", {"limit": EPOCHS_OF_HISTORY, "isLatestOnly": False})


class Grass:
    """The protocol `grass`; see ProtocolSpec."""

    name = "grass"
    options = GrassOptions
    tokens: tuple[str, ...] = (TOKEN,)
    verify_s = 86_400.0
    levers = ("docker", "systemd", "tc", "command", "emulated")

    def begin(self, options: GrassOptions, context: Context) -> Memory:
        """An empty memory."""
        return Memory(options=options, context=context)

    def endpoints(self, memory: Memory, now: datetime) -> tuple[Endpoint, ...]:  # noqa: ARG002 - ProtocolSpec
        """Nothing without a usable token; one question while it is refused, and none once that is certain."""
        token = usable_token(memory.options.token.value) if memory.options.token else None
        if token is None:
            return ()
        devices = _endpoint(memory, token, "devices", "activeDevices", rank=0)
        if memory.refused_since is not None:
            return (devices,) if memory.refusals < REFUSALS else ()
        return (
            devices,
            _endpoint(memory, token, "user", "retrieveUser", rank=1),
            _endpoint(memory, token, "epochs", _LATEST_EPOCH, rank=3, period_s=EPOCH_PERIOD),
            _endpoint(memory, token, "epochs/history", _ALL_EPOCHS, rank=2, once=True),
            _endpoint(memory, token, "settings", "retrieveUserSettings", rank=4, period_s=DAY),
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
            case "settings":
                changed = msgspec.structs.replace(memory, paused_until=read_pause(reply, key))
            case _:
                raise ShapeError(f"{key}: not an endpoint of Grass")
        return msgspec.structs.replace(
            changed,
            emulated=memory.emulated or reply.header("X-Orch-Emulated") is not None,
            refused_since=None,
            refusals=0,
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
            return msgspec.structs.replace(
                memory,
                refused_since=memory.refused_since or failure.failed_at,
                refusals=memory.refusals + 1 if key == "devices" or not memory.refusals else memory.refusals,
            )
        if failure.reason == "rate_limited":
            return msgspec.structs.replace(memory, limited_since=memory.limited_since or failure.failed_at)
        return memory

    def reading(self, memory: Memory, now: datetime) -> Reading:
        """Everything known now. Points are speculative; no USD follows from them without the operator's word."""
        state, reason = health_of(memory, now)
        pace = pace_of(memory, now)
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
            findings=tuple(findings_of(memory, now)),
            facts=tuple(facts_of(memory)),
        )


PROTOCOL = Grass()


def _endpoint(
    memory: Memory, token: str, key: str, path: str, *, rank: int, once: bool = False, period_s: float = HOUR
) -> Endpoint:
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
    return Endpoint(
        key=key,
        request=request,
        period_s=period_s,
        rank=rank,
        once=once,
        vital=vital,
        backoff_max_s=max(HOUR, period_s),
    )


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
