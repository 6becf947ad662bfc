"""The fleet's present state put together from what adapters, ledger and prices say. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.earnings.appraise import Appraisal, appraise, older
from orch.model.base import Value
from orch.model.fleet import LeverState, Limits, NodeState, Snapshot
from orch.model.money import EarnedUsd
from orch.model.readings import Finding
from orch.model.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from orch.earnings.costs import RunningCosts
    from orch.earnings.ledger import Ledger
    from orch.model.money import PriceNow
    from orch.model.readings import Failure, Reading


class NodeProfile(Value):
    """What configuration says of a node: limits in units, levers under the global mode, what is amiss."""

    name: str
    protocol: str
    limits: Limits = Limits()
    levers: tuple[LeverState, ...] = ()
    findings: tuple[Finding, ...] = ()


class HostProfile(Value):
    """What configuration and measurement say of the host.

    `silent_after_s`: a node whose adapter has said nothing for so long is of unknown health.
    """

    host: str
    capacity: Resources
    reserve: Resources
    horizon_h: float
    silent_after_s: float = 300.0


def appraise_node(
    reading: Reading,
    ledger: Ledger,
    prices: Mapping[str, PriceNow],
    costs: RunningCosts,
    before: Appraisal | None,
    now: datetime,
    horizon_h: float,
) -> Appraisal:
    """What a node's money looks like now."""
    income = ledger.income(reading.node)
    return appraise(reading, income, prices, costs, before, now, horizon_h, ledger.turned)


def node_state(
    profile: NodeProfile,
    host: HostProfile,
    reading: Reading | None,
    appraisal: Appraisal | None,
    ledger: Ledger,
    failures: tuple[Failure, ...],
    now: datetime,
) -> NodeState:
    """One node now; before its first reading everything is unknown but its name."""
    if reading is None:
        return _unseen(profile, host.host, failures)
    silent_s = (now - reading.taken_at).total_seconds()
    silent = silent_s > host.silent_after_s
    aged = (now - appraisal.appraised_at).total_seconds() if appraisal else 0.0
    points = ledger.speculative(profile.name)
    return NodeState(
        name=profile.name,
        host=host.host,
        protocol=profile.protocol,
        emulated=reading.emulated,
        health="unknown" if silent else reading.health,
        health_reason=f"nothing was heard of it for {silent_s:.0f} s" if silent else reading.health_reason,
        last_seen_at=reading.last_seen_at,
        resources_as_of=reading.taken_at,
        rate=older(appraisal.rate, aged) if appraisal else None,
        worth=appraisal.worth if appraisal else None,
        earned=ledger.earned(profile.name),
        points=None if points is None else f"{points[0].normalize():f} {points[1]}",
        allocation=reading.allocation,
        used=reading.used,
        committed=reading.committed,
        floor=reading.floor,
        limits=profile.limits,
        levers=profile.levers,
        outlooks=reading.outlooks,
        findings=(*profile.findings, *reading.findings),
        failures=failures,
        facts=reading.facts,
        requests=reading.requests,
        bytes_read=reading.bytes_read,
        seconds_waited=reading.seconds_waited,
        observed_since=reading.observed_since,
        observed_per_hour=reading.observed_per_hour,
    )


def snapshot(
    host: HostProfile,
    tick: int,
    due_at: datetime,
    now: datetime,
    nodes: tuple[NodeState, ...],
    prices: tuple[PriceNow, ...],
    ledger: Ledger,
    host_used: Resources,
    currencies: tuple[PriceNow, ...] = (),
    costs: RunningCosts | None = None,
) -> Snapshot:
    """The whole host now."""
    return Snapshot(
        tick=tick,
        host=host.host,
        taken_at=now,
        due_at=due_at,
        capacity=host.capacity,
        reserve=host.reserve,
        host_used=host_used,
        nodes=nodes,
        prices=prices,
        earned=ledger.calculate_total_earnings(),
        currencies=currencies,
        costs=costs,
    )


def without_failure(failures: tuple[Failure, ...], reading: Reading) -> tuple[Failure, ...]:
    """Failures that are still news: one older than the node's newest answer of that endpoint is over."""
    if reading.last_seen_at is None:
        return failures
    return tuple(each for each in failures if each.failed_at >= reading.last_seen_at)


def with_failure(failures: tuple[Failure, ...], failure: Failure) -> tuple[Failure, ...]:
    """The newest failure of each endpoint."""
    return (*(each for each in failures if each.endpoint != failure.endpoint), failure)


def _unseen(profile: NodeProfile, host: str, failures: tuple[Failure, ...]) -> NodeState:
    nothing = Resources()
    return NodeState(
        name=profile.name,
        host=host,
        protocol=profile.protocol,
        emulated=False,
        health="unknown",
        health_reason=failures[-1].sentence if failures else "not heard of yet",
        last_seen_at=None,
        resources_as_of=None,
        rate=None,
        worth=None,
        earned=EarnedUsd(),
        points=None,
        allocation=nothing,
        used=nothing,
        committed=nothing,
        floor=nothing,
        limits=profile.limits,
        levers=profile.levers,
        outlooks=(),
        findings=profile.findings,
        failures=failures,
        facts=(),
    )
