"""Every figure that `/metrics` may show, with its labels and meaning: `orch/web/metrics.md` is this list.

Names follow Prometheus' own conventions: base units (bytes, seconds, shares of 1) and the unit in the name, money
in USD. What is not known is left out, never 0.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["gauge", "counter"]


class Figure(NamedTuple):
    """One family of samples. A counter is shown with `_total` behind its name."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str

    @property
    def shown(self) -> str:
        """The name of its samples."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _gauge(name: str, meaning: str, *labels: str) -> Figure:
    return Figure(name, "gauge", labels, meaning)


def _counter(name: str, meaning: str, *labels: str) -> Figure:
    return Figure(name, "counter", labels, meaning)


FIGURES: tuple[Figure, ...] = (
    _gauge("orch_build_info", "1, with what runs: version, mode and kind of nodes", "version", "mode", "kind"),
    _gauge("orch_clock_speed_ratio", "Seconds of the engine's clock per real second"),
    _gauge("orch_board_timestamp_seconds", "When the newest board was made"),
    _counter("orch_boards", "Boards made since the start"),
    # -- the host
    _gauge("orch_usd_per_hour", "Income of all known nodes, mean"),
    _gauge("orch_usd_per_hour_low", "The same, lower bound"),
    _gauge("orch_usd_per_hour_high", "The same, upper bound"),
    _gauge("orch_net_usd_per_hour", "Income after running costs, mean"),
    _gauge("orch_nodes_left_out", "Nodes whose income is unknown, and which totals leave out"),
    _gauge("orch_earned_usd", "Earned so far, by evidence", "evidence"),
    _gauge("orch_protocol_usd_per_hour", "Income by network, mean", "protocol"),
    _gauge("orch_host_cpu_cores", "Cores: capacity of the host, and its reserve", "amount"),
    _gauge("orch_host_memory_bytes", "Memory: capacity of the host, and its reserve", "amount"),
    _gauge("orch_host_bandwidth_bytes_per_second", "Line: capacity of the host, and its reserve", "amount"),
    _gauge("orch_host_storage_bytes", "Disk: capacity of the host, and its reserve", "amount"),
    # -- nodes
    _gauge("orch_node_health", "1 for the node's present health, 0 for the others", "node", "protocol", "health"),
    _gauge("orch_node_last_seen_timestamp_seconds", "When the node last answered", "node", "protocol"),
    _gauge("orch_node_usd_per_hour", "Income, mean", "node", "protocol"),
    _gauge("orch_node_usd_per_hour_low", "Income, lower bound", "node", "protocol"),
    _gauge("orch_node_usd_per_hour_high", "Income, upper bound", "node", "protocol"),
    _gauge("orch_node_net_usd_per_hour", "Income after running costs, mean", "node", "protocol"),
    _gauge("orch_node_usd_per_hour_age_seconds", "Age of what the income rests on", "node", "protocol"),
    _gauge("orch_node_earned_usd", "Earned so far, by evidence", "node", "protocol", "evidence"),
    _gauge("orch_node_cpu_cores", "Cores: allocated, used, committed, optimal", "node", "protocol", "amount"),
    _gauge("orch_node_memory_bytes", "Memory: the same", "node", "protocol", "amount"),
    _gauge("orch_node_bandwidth_bytes_per_second", "Line: the same", "node", "protocol", "amount"),
    _gauge("orch_node_storage_bytes", "Disk: the same", "node", "protocol", "amount"),
    _gauge(
        "orch_node_worth_usd_per_hour",
        "What one more unit would earn: a core, GB, Mbit/s or GB of disk",
        "node",
        "protocol",
        "resource",
    ),
    _gauge("orch_node_utilisation_ratio", "Used of what is allocated", "node", "protocol", "resource"),
    _gauge("orch_node_reconnect_seconds", "How long outages lasted, mean", "node", "protocol"),
    _counter("orch_node_observer_requests", "Questions that orch sent to the node", "node", "protocol"),
    _counter("orch_node_observer_received_bytes", "Bytes of the node's answers to orch", "node", "protocol"),
    _counter("orch_node_observer_wait_seconds", "Time that the node's answers to orch took", "node", "protocol"),
    # -- deciding
    _gauge("orch_can_reallocate", "1 when a move may be made now, else 0"),
    _gauge("orch_blockers", "What stands in the way of a move, by code", "code"),
    _gauge("orch_next_decision_timestamp_seconds", "When the next decision is due"),
    _gauge("orch_next_reallocation_timestamp_seconds", "The earliest time of the next move"),
    _gauge("orch_opportunity_gain_usd_per_hour", "What the best split found would add, mean"),
    _gauge("orch_opportunity_cost_usd", "What the move to it would cost"),
    _gauge("orch_opportunity_net_benefit_usd", "What is left of its gain after the cost, over the horizon"),
    _gauge("orch_opportunities", "Opportunities that the last analysis found, by kind", "kind"),
    _gauge("orch_alerts", "Alerts by severity and state", "severity", "state"),
    # -- the KPIs, over 24 hours
    _gauge("orch_uptime_ratio", "Share of ticks with all nodes online"),
    _gauge("orch_uptime_unknown_ratio", "Share of ticks of which that is not known"),
    _gauge("orch_reallocations_per_day", "Moves per day"),
    _gauge("orch_reallocation_success_ratio", "Moves that paid, of those that paid or lost"),
    _gauge("orch_cost_effectiveness_ratio", "What moves really brought per USD that they cost"),
    _gauge("orch_prediction_error_ratio", "Mean error of predicted gains, of what came"),
    _gauge("orch_prediction_coverage_ratio", "How often the interval of a prediction held"),
    _gauge("orch_allocation_efficiency_usd_per_hour", "Income per allocated unit", "resource"),
    # -- this interface
    _gauge("orch_stream_readers", "Open streams of the board"),
    _counter("orch_http_responses", "Answers of the HTTP interface, by status", "status"),
)
PROCESS = (
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)
"""What the client library of Prometheus says of the process besides, under its own names."""
