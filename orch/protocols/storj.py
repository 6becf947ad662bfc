"""Storj: a storage node, asked through the HTTP API of its own console.

All calls are GETs without authentication. One request at a time goes to each lane, for the node answers
from SQLite. The node itself decides the pace: `/api/sno/` every minute tells whether it lives; estimates
move every five minutes; what the satellites report, every quarter of an hour; prices and statements hours apart.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from orch.errors import ShapeError
from orch.model.kept import kept_by
from orch.model.readings import Reading
from orch.model.resources import Resources
from orch.model.wire import HttpRequest
from orch.protocols.base import Endpoint
from orch.protocols.storj_answers import (
    node_time,
    read_all_satellites,
    read_estimate,
    read_node,
    read_paystubs,
    read_pricing,
    read_satellite,
)
from orch.protocols.storj_calendar import months_back
from orch.protocols.storj_growth import BYTES_PER_GB, grown, joined_up, outlook, sampled, serving
from orch.protocols.storj_health import VITAL, findings, health, is_silent
from orch.protocols.storj_host import host_endpoints, last_words, read_room
from orch.protocols.storj_money import (
    STATEMENT_MONTHS,
    accruals,
    held_rates,
    month_state,
    months_sent,
    overtaken,
    with_estimate,
    with_paystubs,
    with_receipts,
)
from orch.protocols.storj_pace import flows_of, pace
from orch.protocols.storj_papers import NOTICES_ASKED, read_held, read_notices, read_receipts
from orch.protocols.storj_values import Memory, StorjOptions, Trouble

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import Lane, NoReply, Reply
    from orch.protocols.base import Context
    from orch.protocols.storj_pace import Flow
    from orch.protocols.storj_values import Node

V = TypeVar("V")

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
INCOME_WINDOW_S = 24 * HOUR
"""Reports of stored bytes come twice a day: a shorter window would show steps, not income."""

SMALLEST_ALLOCATION_GB = 500.0
"""Below this a node of most versions refuses to start."""

GONE_FOR = timedelta(hours=24)
STARTS_KEPT = 20
CONSOLE_DEADLINE_S = 20.0


class Storj:
    """The protocol `storj`; see ProtocolSpec."""

    name = "storj"
    options = StorjOptions
    tokens: tuple[str, ...] = ()
    verify_s = 14 * DAY
    levers = ("storj_config", "cgroup", "docker", "systemd", "tc", "command", "emulated")

    def begin(self, options: StorjOptions, context: Context) -> Memory:
        """An empty memory."""
        return Memory(options=options, context=context)

    @kept_by(
        lambda self, memory, now: (  # noqa: ARG005 - named as the method's
            memory.options,
            memory.node and memory.node.satellites,
            memory.gone,
            memory.paystubs,
            memory.troubles,
            str(now.timestamp() // 600),
        ),
        lambda self, memory, now: memory.context.node,  # noqa: ARG005 - named as the method's
    )
    def endpoints(self, memory: Memory, now: datetime) -> tuple[Endpoint, ...]:
        """The node, all satellites merged, three questions per satellite, statements and notifications.

        Past statements are read once a month as one range; the two newest months are asked again, for
        their payment comes later. Payments are asked for by month, once something was sent for it.
        """
        base = f"{memory.options.url.rstrip('/')}/api"
        sno, paystubs = f"{base}/sno", f"{base}/heldamount/paystubs"
        history = f"{months_back(now, STATEMENT_MONTHS)}/{months_back(now, 1)}"
        asked = [
            _endpoint(VITAL, f"{sno}/", MINUTE, rank=0, vital=True),
            _slow("satellites", f"{sno}/satellites", 15 * MINUTE, rank=30),
            _slow(f"history/{history}", f"{paystubs}/{history}", 24 * HOUR, rank=5, once=True),
            *(
                _slow(f"paystubs/{month}", f"{paystubs}/{month}", period, rank=6)
                for month, period in ((months_back(now, 1), 6 * HOUR), (months_back(now, 2), 24 * HOUR))
            ),
            _slow("held", f"{base}/heldamount/held-history", 6 * HOUR, rank=7),
            _slow(
                "notifications", f"{base}/notifications/list?limit={NOTICES_ASKED}&page=1", 15 * MINUTE, rank=31
            ),
            *(_payments(f"{base}/heldamount/payout-history", month, now) for month in months_sent(memory, now)),
        ]
        absent = {key for key, since in memory.gone if now - since < GONE_FOR}
        for satellite in memory.node.satellites if memory.node else ():
            key = satellite.id
            if key in absent or satellite.disqualified_at is not None:
                continue
            asked += (
                _slow(f"satellite/{key}", f"{sno}/satellite/{key}", 15 * MINUTE, rank=10),
                _slow(f"pricing/{key}", f"{sno}/satellites/{key}/pricing", 6 * HOUR, rank=11),
                _slow(f"estimate/{key}", f"{sno}/estimated-payout?id={key}", 5 * MINUTE, rank=12),
            )
        asked += host_endpoints(memory, silent=is_silent(memory))
        return tuple(asked)

    def absorb(self, memory: Memory, key: str, reply: Reply, now: datetime) -> Memory:
        """The memory with one answer taken in. Raises ShapeError or AbsurdError; then nothing has changed."""
        changed = self._taken_in(memory, key, reply, now)
        return msgspec.structs.replace(
            changed,
            emulated=memory.emulated or reply.header("X-Orch-Emulated") is not None,
            troubles=tuple(trouble for trouble in memory.troubles if trouble.key != key),
        )

    def _taken_in(self, memory: Memory, key: str, reply: Reply, now: datetime) -> Memory:
        kind, _, rest = key.partition("/")
        match kind:
            case "sno":
                return _with_node(memory, read_node(reply, key), node_time(reply))
            case "satellites":
                merged = joined_up(memory.merged, read_all_satellites(reply, key))
                return msgspec.structs.replace(memory, merged=merged)
            case "satellite":
                month = joined_up(dict(memory.satellites).get(rest), read_satellite(reply, key))
                return msgspec.structs.replace(
                    memory,
                    satellites=_put(memory.satellites, rest, month),
                    gone=tuple(each for each in memory.gone if each[0] != rest),
                )
            case "pricing":
                prices = _put(memory.prices, rest, read_pricing(reply, key))
                return msgspec.structs.replace(memory, prices=prices)
            case "estimate":
                return with_estimate(memory, rest, read_estimate(reply, key))
            case "paystubs":
                return with_paystubs(memory, read_paystubs(reply, key, rest, rest), now)
            case "history":
                first, _, last = rest.partition("/")
                return with_paystubs(memory, read_paystubs(reply, key, first, last), now)
            case "payouts":
                return with_receipts(memory, rest, read_receipts(reply, key, rest), now)
            case "held":
                return msgspec.structs.replace(memory, held=read_held(reply, key))
            case "disk":
                return msgspec.structs.replace(memory, room=read_room(reply, key))
            case "log":
                return msgspec.structs.replace(memory, last_words=last_words(reply.body))
            case "notifications":
                return msgspec.structs.replace(memory, notices=read_notices(reply, key))
        raise ShapeError(f"{key}: not an endpoint of a storage node")

    def failed(self, memory: Memory, key: str, failure: NoReply, now: datetime) -> Memory:
        """The memory with one failure taken in; 404 for a satellite means that it is no longer trusted."""
        if any(name.lower() == "x-orch-emulated" for name, _ in failure.headers):
            memory = msgspec.structs.replace(memory, emulated=True)
        kind, _, rest = key.partition("/")
        if kind == "satellite" and failure.status == 404:
            return msgspec.structs.replace(memory, gone=_put(memory.gone, rest, now))
        old = next((trouble for trouble in memory.troubles if trouble.key == key), None)
        trouble = Trouble(
            key=key,
            failure=failure,
            count=old.count + 1 if old else 1,
            since=old.since if old else failure.failed_at,
        )
        asked = {endpoint.key for endpoint in self.endpoints(memory, now)}
        others = tuple(each for each in memory.troubles if each.key != key and each.key in asked)
        return msgspec.structs.replace(memory, troubles=(*others, trouble))

    def reading(self, memory: Memory, now: datetime) -> Reading:
        """Everything known now."""
        state, reason = health(memory, now)
        node = memory.node
        flows = flows_of(memory)
        future = outlook(memory, flows)
        reading = Reading(
            node=memory.context.node,
            protocol=self.name,
            taken_at=now,
            emulated=memory.emulated,
            health=state,
            health_reason=reason,
            last_seen_at=node.as_of if node else None,
            accruals=accruals(memory, now),
            outlooks=(future,) if future else (),
            pace=pace(flows),
            paced=True,
            window_s=INCOME_WINDOW_S,
            findings=findings(memory, now),
            facts=_facts(memory, node, flows, now) if node else (),
        )
        return _with_disk(reading, node) if node else reading


PROTOCOL = Storj()


@lru_cache(maxsize=1024)
def _endpoint(
    key: str, url: str, period_s: float, *, rank: int, vital: bool = False, lane: Lane = "fast", once: bool = False
) -> Endpoint:
    """The same for hours, and offered at every tick: made once."""
    request = HttpRequest(url=url, headers=(("Accept", "application/json"),), deadline_s=CONSOLE_DEADLINE_S)
    return Endpoint(key=key, request=request, period_s=period_s, rank=rank, vital=vital, lane=lane, once=once)


def _slow(key: str, url: str, period_s: float, *, rank: int, once: bool = False) -> Endpoint:
    return _endpoint(key, url, period_s, rank=rank, lane="slow", once=once)


def _payments(base: str, month: str, now: datetime) -> Endpoint:
    """The payments of one month: asked again only while they are new."""
    newest = month >= months_back(now, 2)
    period_s = 6 * HOUR if newest else 24 * HOUR
    return _slow(f"payouts/{month}", f"{base}/{month}", period_s, rank=8, once=not newest)


def _with_node(memory: Memory, node: Node, told_at: datetime | None) -> Memory:
    if memory.node is not None and overtaken(memory.node.as_of, node.as_of):
        return memory
    if memory.node is not None and memory.node.satellites and not node.satellites:
        # The list is null before a node's first reports, and when its databases cannot be read.
        raise ShapeError(f"{VITAL}: no satellites where there were {len(memory.node.satellites)}")
    starts = memory.starts
    if node.started_at is not None and node.started_at not in starts:
        starts = (*starts, node.started_at)[-STARTS_KEPT:]
    if memory.node is not None and memory.node.satellites == node.satellites:
        node = msgspec.structs.replace(node, satellites=memory.node.satellites)  # the same object: see kept_by
    bad = node.quic == "Misconfigured"
    samples = sampled(memory.disk_samples, node)
    return msgspec.structs.replace(
        memory,
        node=node,
        starts=starts,
        disk_samples=samples,
        grown_per_hour=memory.grown_per_hour if samples is memory.disk_samples else grown(samples),
        quic_bad_since=(memory.quic_bad_since or node.as_of) if bad else None,
        clock_ahead_s=(told_at - node.as_of).total_seconds() if told_at is not None else 0.0,
    )


def _with_disk(reading: Reading, node: Node) -> Reading:
    """What is stored cannot be taken back; below its floor a node stops growing or does not start."""
    used = node.disk.used / BYTES_PER_GB
    allocated = node.disk.allocated / BYTES_PER_GB
    # Never more than there is: a floor above the allocation would demand growth.
    floor = min(allocated, max(SMALLEST_ALLOCATION_GB, used))
    return msgspec.structs.replace(
        reading,
        allocation=Resources(storage_gb=allocated),
        used=Resources(storage_gb=used),
        committed=Resources(storage_gb=used),
        floor=Resources(storage_gb=floor),
    )


def _facts(memory: Memory, node: Node, flows: tuple[Flow, ...], now: datetime) -> tuple[tuple[str, str], ...]:
    facts = [
        ("node_id", node.node_id),
        ("version", node.version),
        ("minimum_version", node.allowed_version),
        ("quic", node.quic),
        ("satellites", f"{len(serving(memory))} of {len(node.satellites)} paying"),
        ("free_gb", f"{node.disk.free / BYTES_PER_GB:.1f}"),
        ("trash_gb", f"{node.disk.trash / BYTES_PER_GB:.1f}"),
    ]
    if memory.room is not None:
        facts.append(("disk_free_gb", f"{memory.room.free / BYTES_PER_GB:.1f}"))
    if node.started_at is not None:
        facts.append(("started_at", node.started_at.isoformat()))
        facts.append(("uptime_s", f"{max(0.0, (node.as_of - node.started_at).total_seconds()):.0f}"))
    return (*(fact for fact in facts if fact[1]), *_money_facts(memory, flows, now))


@kept_by(
    lambda memory, flows, now: (
        memory.node and memory.node.satellites,
        memory.estimates,
        memory.paystubs,
        memory.held,
        flows,
        str(now.timestamp() // DAY),
    ),
    lambda memory, _flows, _now: memory.context.node,
)
def _money_facts(memory: Memory, flows: tuple[Flow, ...], now: datetime) -> tuple[tuple[str, str], ...]:
    """What of the rate can be spent now, what is held back by age, what is held in all, how far months are."""
    facts: list[tuple[str, str]] = []
    rates = held_rates(memory)
    if rates and max(rates.values()) > 0:
        facts.append(("held_back_pct", f"up to {max(rates.values()):.0f}"))
    if flows and all(flow.satellite in rates for flow in flows):
        gross = sum(flow.storage + flow.egress for flow in flows)
        deferred = sum((flow.storage + flow.egress) * rates[flow.satellite] / 100 for flow in flows)
        facts += [
            ("gross_usd_per_hour", f"{gross:.6f}"),
            ("spendable_usd_per_hour", f"{gross - deferred:.6f}"),
            ("deferred_usd_per_hour", f"{deferred:.6f}"),
        ]
    if memory.held:
        facts.append(("held_outstanding_usd", f"{sum(each.outstanding for each in memory.held):.6f}"))
    hosts = {each.id: each.host for each in memory.node.satellites} if memory.node else {}
    for month in (months_back(now, 0), months_back(now, 1)):
        estimated = {each.satellite for each in memory.estimates if each.month == month}
        known = estimated | {each.satellite for each in memory.paystubs if each.month == month}
        states = [
            f"{hosts.get(each, each[:12])} {month_state(memory, each, month, now)}" for each in sorted(known)
        ]
        if states:
            facts.append((f"month_{month}", ", ".join(states)))
    return tuple(facts)


def _put(pairs: tuple[tuple[str, V], ...], key: str, value: V) -> tuple[tuple[str, V], ...]:
    return (*(pair for pair in pairs if pair[0] != key), (key, value))
