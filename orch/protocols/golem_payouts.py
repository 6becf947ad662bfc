"""What reached the node's wallet: one row per transaction and payer. It moves earned money and is no income.

The daemon lists a payment once it has verified the transaction on chain. The sum of all payments is a check on
the agreements' own totals of what was paid. Source: yagna's payment-api (`/payments`).
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from orch.errors import ShapeError
from orch.model.base import Value
from orch.model.money import Accrual, Amounts
from orch.protocols.decode import decode, instant, money, not_future
from orch.protocols.golem_memory import token_of
from orch.protocols.golem_money import plus

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import Reply
    from orch.protocols.golem_memory import GolemMemory

PREFIX = "payment:"


class _Part(Value):
    amount: Decimal


class _Payment(Value, rename="camel"):
    payment_id: str
    payee_id: str
    payment_platform: str
    amount: Decimal
    timestamp: str
    agreement_payments: list[_Part]
    activity_payments: list[_Part]
    details: str = ""


def with_payments(
    memory: GolemMemory, reply: Reply, key: str, now: datetime
) -> tuple[GolemMemory, int, datetime | None]:
    """The memory with a page of payments, the same where none is new, its rows, and the time of its newest row.

    Payments that this node sent are left out, and so are those in test tokens.
    """
    rows = decode(reply, list[_Payment], key)
    news: dict[str, Accrual] = {}
    paid = memory.payments
    newest: datetime | None = None
    for row in rows:
        moment = not_future(instant(row.timestamp, key), now, key)
        if moment is None:
            raise ShapeError(f"{key}: payment {row.payment_id[:40]!r} has no time")
        newest = moment if newest is None else max(newest, moment)
        stream = PREFIX + row.payment_id
        amount = money(row.amount, f"{key}: amount")
        parts = [money(each.amount, f"{key}: part") for each in (*row.agreement_payments, *row.activity_payments)]
        unit = token_of(row.payment_platform)
        ours = row.payee_id.lower() == memory.identity and unit != "tGLM"
        if not ours or stream in memory.accruals or stream in news:
            continue
        news[stream] = Accrual(
            stream=stream,
            unit=unit,
            kind="paid",
            amounts=Amounts(settled=amount),
            period_start=moment,
            period_end=moment,
            as_of=moment,
            reference=_transaction(row.details) or row.payment_id,
            final=True,
        )
        paid = plus(paid, *parts)
    if news:
        memory = msgspec.structs.replace(memory, accruals={**memory.accruals, **news}, payments=paid)
    return memory, len(rows), newest


def _transaction(details: str) -> str | None:
    """The hash of the transaction: `details` is its 32 bytes in base64."""
    try:
        raw = b64decode(details, validate=True)
    except (binascii.Error, ValueError):
        return None
    return f"0x{raw.hex()}" if len(raw) == 32 else None
