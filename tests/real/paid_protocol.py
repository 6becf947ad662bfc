"""The protocol of those workers, as a package of somebody else would offer it: it reads their books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from orch.model.base import Value
from orch.model.money import Accrual, Amounts
from orch.model.readings import Outlook, Reading
from orch.model.resources import Resources
from orch.model.wire import FileRead
from orch.protocols.base import Endpoint

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class PaidOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the books are, and what is paid for a core of an hour."""

    books: str
    usd_per_core_hour: float


class Memory(Value):
    """The newest books."""

    node: str
    options: PaidOptions
    hours: tuple[tuple[int, Decimal], ...] = ()
    seen_at: datetime | None = None


class Paid:
    """A dial of cores: each earns the same."""

    name = "paid"
    options = PaidOptions
    tokens = ()
    levers = ("cgroup",)
    verify_s = 86_400.0

    def begin(self, options, context):
        return Memory(node=context.node, options=options)

    def endpoints(self, memory, now):
        request = FileRead(path=memory.options.books)
        return (Endpoint(key="books", request=request, period_s=1200.0, vital=True),)

    def absorb(self, memory, key, reply, now):
        hours = msgspec.json.decode(reply.body, type=tuple[tuple[int, Decimal], ...])
        return msgspec.structs.replace(memory, hours=hours, seen_at=now)

    def failed(self, memory, key, failure, now):
        return memory

    def reading(self, memory, now):
        dial = Outlook(
            form="dial",
            resource="cpu_cores",
            per_unit_hour=memory.options.usd_per_core_hour,
            busy_share=1.0,
            saturation=1.0,
        )
        return Reading(
            node=memory.node,
            protocol=self.name,
            taken_at=now,
            emulated=False,
            health="unknown" if memory.seen_at is None else "online",
            health_reason="" if memory.seen_at else "not asked yet",
            last_seen_at=memory.seen_at,
            accruals=tuple(accrual(number, usd) for number, usd in memory.hours),
            used=Resources(),
            outlooks=(dial,),
        )


def accrual(number, usd):
    start = EPOCH + number * HOUR
    return Accrual(
        stream=f"hour {number}",
        unit="USD",
        amounts=Amounts(settled=usd),
        period_start=start,
        as_of=start + HOUR,
        period_end=start + HOUR,
        semantics="per_period",
        final=True,
    )


PROTOCOL = Paid()
