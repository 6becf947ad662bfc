"""A protocol to copy: a made-up network with one HTTP endpoint, complete and tested, but not registered.

To add your network: copy this file, change what is marked, and register its object in your package:

    [project.entry-points."orch.protocols"]
    mynet = "my_package.mynet:PROTOCOL"

Then `protocol = "mynet"` works under any `[nodes.X]`. Five rules keep it honest:

1. Nothing here opens a socket, reads a clock or remembers anything outside the memory it is given. The same
   functions run live, in replay and in tests.
2. What is unknown is None, never 0. A figure whose endpoint has not answered yet is left out.
3. Money is `Decimal` in the network's own unit, taken from the digits of the answer. Report running totals;
   differences, payouts and rates are made once, for all protocols, by the core.
4. Say how sure you are: `settled` is paid and final, `accrued` is acknowledged by the network, `estimated` is
   the node's own word, `speculative` is points.
5. An answer is taken in whole or not at all: `absorb` raises ShapeError or AbsurdError and changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from orch.errors import ShapeError
from orch.model.base import Value
from orch.model.money import Accrual, Amounts
from orch.model.readings import Finding, Outlook, Reading
from orch.model.resources import Resources
from orch.model.wire import HttpRequest, NoReply, Secret
from orch.protocols.base import Context, Endpoint
from orch.protocols.decode import decode, instant, money, natural

if TYPE_CHECKING:
    from orch.model.readings import Health
    from orch.model.wire import Reply

STATUS = "status"


class BlueprintOptions(Value):
    """What `[nodes.X]` may hold besides the common keys; the loader checks types and resolves secrets."""

    url: str = "http://127.0.0.1:9000"
    api_key: Secret | None = None


class Status(Value):
    """What is kept of an answer: checked, in orch's units, with the time it was given."""

    as_of: datetime
    started_at: datetime
    earned: Decimal
    cores_used: float
    cores_allowed: float


class Memory(Value):
    """All that one node has said. Frozen: each answer makes a new one."""

    options: BlueprintOptions
    context: Context
    emulated: bool = False
    status: Status | None = None
    failure: NoReply | None = None


class _StatusBody(Value, rename="camel"):
    """The answer as the network writes it: list the keys you need, with their types; others are ignored."""

    started_at: str
    total_earned: Decimal
    cores_used: float
    cores_allowed: float


class Blueprint:
    """The protocol's object; see ProtocolSpec for each member."""

    name = "blueprint"
    options = BlueprintOptions
    tokens: tuple[str, ...] = ("BLUE",)
    levers = ("cgroup", "docker", "systemd", "command")

    def begin(self, options: BlueprintOptions, context: Context) -> Memory:
        """An empty memory."""
        return Memory(options=options, context=context)

    def endpoints(self, memory: Memory, now: datetime) -> tuple[Endpoint, ...]:  # noqa: ARG002 - ProtocolSpec
        """What may be asked. Ask as seldom as the figures change; the node pays for every question."""
        key = memory.options.api_key
        request = HttpRequest(
            url=f"{memory.options.url.rstrip('/')}/{STATUS}",
            secret_headers=(("Authorization", key),) if key else (),
        )
        return (Endpoint(key=STATUS, request=request, period_s=60.0, vital=True),)

    def absorb(self, memory: Memory, key: str, reply: Reply, now: datetime) -> Memory:  # noqa: ARG002 - ProtocolSpec
        """The memory with one answer taken in: decode, check, then replace."""
        if key != STATUS:
            raise ShapeError(f"{key}: not an endpoint of this network")
        body = decode(reply, _StatusBody, key)
        started_at = instant(body.started_at, f"{key}: startedAt")
        if started_at is None:
            raise ShapeError(f"{key}: startedAt is empty")
        status = Status(
            as_of=reply.received_at,
            started_at=started_at,
            earned=money(body.total_earned, f"{key}: totalEarned"),
            cores_used=natural(body.cores_used, f"{key}: coresUsed", 10_000),
            cores_allowed=natural(body.cores_allowed, f"{key}: coresAllowed", 10_000),
        )
        emulated = memory.emulated or reply.header("X-Orch-Emulated") is not None
        return msgspec.structs.replace(memory, status=status, failure=None, emulated=emulated)

    def failed(self, memory: Memory, key: str, failure: NoReply, now: datetime) -> Memory:  # noqa: ARG002 - ProtocolSpec
        """The memory with one failure taken in. The old figures stay; their age tells the rest."""
        return msgspec.structs.replace(memory, failure=failure)

    def reading(self, memory: Memory, now: datetime) -> Reading:
        """Everything known now."""
        status = memory.status
        health, reason = _health(memory)
        common = Reading(
            node=memory.context.node,
            protocol=self.name,
            taken_at=now,
            emulated=memory.emulated,
            health=health,
            health_reason=reason,
            last_seen_at=status.as_of if status else None,
            findings=_findings(memory),
        )
        if status is None:
            return common
        return msgspec.structs.replace(
            common,
            accruals=(_earned(status),),
            allocation=Resources(cpu_cores=status.cores_allowed),
            used=Resources(cpu_cores=status.cores_used),
            outlooks=(Outlook(form="dial", resource="cpu_cores", unit="BLUE", demand=status.cores_used),),
        )


PROTOCOL = Blueprint()


def _earned(status: Status) -> Accrual:
    """One stream that only grows. Use one stream per month, agreement or epoch where the network counts so."""
    return Accrual(
        stream="total",
        unit="BLUE",
        amounts=Amounts(accrued=status.earned),
        period_start=status.started_at,
        as_of=status.as_of,
    )


def _health(memory: Memory) -> tuple[Health, str]:
    if memory.failure is not None:
        return "offline", memory.failure.sentence
    return ("unknown", "not asked yet") if memory.status is None else ("online", "running")


def _findings(memory: Memory) -> tuple[Finding, ...]:
    """What the operator should know and do, in one sentence each."""
    status = memory.status
    if status is None or status.cores_allowed > 0:
        return ()
    return (
        Finding(
            code="blueprint_no_cores",
            severity="warning",
            sentence="the node may use no core at all, so it earns nothing",
            remedy="Give it at least one core.",
        ),
    )
