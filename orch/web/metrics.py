"""The board for Prometheus: from its figures to samples in base units."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from orch.model.board import Dashboard
from orch.model.money import EVIDENCE
from orch.model.readings import Health
from orch.model.resources import RESOURCES, ResourceName, Resources
from orch.web.metrics_list import FIGURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    from litestar.datastructures import State
    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

    from orch.model.board import Kpis, NodeView
    from orch.model.money import Rate

IN_BASE_UNITS: dict[ResourceName, tuple[str, float]] = {
    "cpu_cores": ("cpu_cores", 1.0),
    "memory_gb": ("memory_bytes", 1e9),
    "bandwidth_mbps": ("bandwidth_bytes_per_second", 1e6 / 8),
    "storage_gb": ("storage_bytes", 1e9),
}


class Samples:
    """What there is to say, by the name of the figure: its labels' values, and the value."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[tuple[str, ...], float]]] = {}

    def add(self, name: str, value: float | Decimal | None, *labels: str) -> None:
        """One sample; nothing where the value is not known."""
        if value is not None:
            self.found.setdefault(name, []).append((labels, float(value)))

    def add_time(self, name: str, when: datetime | None, *labels: str) -> None:
        """A time, in seconds since the epoch."""
        self.add(name, None if when is None else when.timestamp(), *labels)

    def add_share(self, name: str, percent: float | None, *labels: str) -> None:
        """A percentage, as a share of 1."""
        self.add(name, None if percent is None else percent / 100.0, *labels)

    def add_rate(self, prefix: str, rate: Rate | None, *labels: str) -> None:
        """A rate with its bounds, and what is left of it after costs."""
        if rate is not None:
            self.add(f"{prefix}_usd_per_hour", rate.mean, *labels)
            self.add(f"{prefix}_usd_per_hour_low", rate.low, *labels)
            self.add(f"{prefix}_usd_per_hour_high", rate.high, *labels)
            self.add(f"{prefix}_net_usd_per_hour", rate.net_mean, *labels)

    def add_amounts(self, prefix: str, amounts: Resources, *labels: str) -> None:
        """An amount of each resource."""
        for name, amount in amounts.known():
            unit, factor = IN_BASE_UNITS[name]
            self.add(f"{prefix}_{unit}", amount * factor, *labels)


def samples(board: Dashboard) -> Samples:
    """Every figure of a board."""
    found = Samples()
    engine, total = board.engine, board.total
    found.add("orch_build_info", 1.0, engine.version, engine.mode, engine.kind)
    found.add("orch_clock_speed_ratio", engine.speed)
    found.add_time("orch_board_timestamp_seconds", board.as_of)
    found.add_rate("orch", total.usd_per_hour)
    found.add("orch_nodes_left_out", len(total.leaves_out))
    for evidence in EVIDENCE:
        found.add("orch_earned_usd", getattr(total.earned_usd, evidence, None), evidence)
    for protocol, rate in total.by_protocol.items():
        found.add("orch_protocol_usd_per_hour", rate.mean, protocol)
    found.add_amounts("orch_host", board.capacity, "capacity")
    found.add_amounts("orch_host", board.reserve, "reserve")
    for node in board.nodes:
        _add_node(found, node)
    _add_deciding(found, board)
    _add_kpis(found, board.kpis, {node.name: node.protocol for node in board.nodes})
    return found


def _add_node(found: Samples, node: NodeView) -> None:
    labels = (node.name, node.protocol)
    for health in get_args(Health):
        found.add("orch_node_health", float(node.health == health), *labels, health)
    found.add_time("orch_node_last_seen_timestamp_seconds", node.last_seen_at, *labels)
    found.add_rate("orch_node", node.usd_per_hour, *labels)
    if node.usd_per_hour is not None:
        found.add("orch_node_usd_per_hour_age_seconds", node.usd_per_hour.age_s, *labels)
    for evidence in EVIDENCE:
        found.add("orch_node_earned_usd", getattr(node.earned_usd, evidence, None), *labels, evidence)
    amounts = {
        "allocated": node.allocation,
        "used": node.used,
        "committed": node.committed,
        "optimal": node.optimal,
    }
    for amount, of in amounts.items():
        found.add_amounts("orch_node", of, *labels, amount)
    for name, worth in node.worth.known():
        found.add("orch_node_worth_usd_per_hour", worth, *labels, name)
    if node.observer is not None:
        found.add("orch_node_observer_requests", node.observer.requests, *labels)
        found.add("orch_node_observer_received_bytes", node.observer.bytes, *labels)
        found.add("orch_node_observer_wait_seconds", node.observer.seconds, *labels)


def _add_deciding(found: Samples, board: Dashboard) -> None:
    found.add("orch_can_reallocate", float(board.can_reallocate))
    for code, count in Counter(each.code for each in board.blockers).items():
        found.add("orch_blockers", count, code)
    found.add_time("orch_next_decision_timestamp_seconds", board.next_decision_at)
    found.add_time("orch_next_reallocation_timestamp_seconds", board.next_reallocation_at)
    if board.opportunity is not None:
        gain = board.opportunity.gain_usd_per_hour
        found.add("orch_opportunity_gain_usd_per_hour", None if gain is None else gain.mean)
        found.add("orch_opportunity_cost_usd", board.opportunity.cost_usd)
        found.add("orch_opportunity_net_benefit_usd", board.opportunity.net_benefit_usd)
    for kind, count in Counter(each.kind for each in board.opportunities).items():
        found.add("orch_opportunities", count, kind)
    for (severity, state), count in Counter((each.severity, each.state) for each in board.alerts).items():
        found.add("orch_alerts", count, severity, state)


def _add_kpis(found: Samples, kpis: Kpis, protocols: Mapping[str, str]) -> None:
    found.add_share("orch_uptime_ratio", kpis.uptime_pct)
    found.add_share("orch_uptime_unknown_ratio", kpis.uptime_unknown_pct)
    found.add("orch_reallocations_per_day", kpis.reallocations_per_day)
    found.add_share("orch_reallocation_success_ratio", kpis.success_rate_pct)
    found.add("orch_cost_effectiveness_ratio", kpis.cost_effectiveness)
    found.add_share("orch_prediction_error_ratio", kpis.prediction_mape_pct)
    found.add_share("orch_prediction_coverage_ratio", kpis.prediction_coverage_pct)
    for name in RESOURCES:
        found.add("orch_allocation_efficiency_usd_per_hour", kpis.allocation_efficiency.get(name), name)
    for node, protocol in protocols.items():
        if node in kpis.nodes:
            of_node = kpis.nodes[node]
            found.add("orch_node_reconnect_seconds", of_node.time_to_reconnect_s, node, protocol)
            for resource, share in of_node.utilisation.known():
                found.add("orch_node_utilisation_ratio", share, node, protocol, resource)


def exposition(state: State, accept: str) -> tuple[bytes, str]:
    """The figures as text, and the content type of the form that was asked for.

    What the process itself uses comes from the client library of Prometheus.
    """
    from prometheus_client.exposition import choose_encoder

    published = state.backend.board.published()
    found = Samples() if published is None else samples(msgspec.json.decode(published.body, type=Dashboard))
    found.add("orch_boards", state.backend.board.swaps)
    found.add("orch_stream_readers", len(state.streams))
    for status, count in sorted(state.answers.items()):
        found.add("orch_http_responses", count, str(status))
    encode, kind = choose_encoder(accept)
    return encode(_registry(found)), kind


def _registry(found: Samples) -> CollectorRegistry:
    from prometheus_client.registry import Collector, CollectorRegistry

    class Shown(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _families(found)
            yield from _process().collect()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Shown())
    return registry


@cache
def _process() -> Any:
    from prometheus_client import ProcessCollector

    return ProcessCollector(registry=None)


def _families(found: Samples) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
    for figure in FIGURES:
        known = found.found.get(figure.name)
        if known:
            family = families[figure.kind](figure.name, figure.meaning, labels=figure.labels)
            for labels, value in known:
                family.add_metric(labels, value)
            yield family
