"""When nodes fail: one at a time, every half day or so, for some minutes.

A pure schedule of seed and start: it does not depend on the split or on what has been asked.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from orch.emulator.facts import NODES, NodeName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.emulator.draws import Draws

OutageKind: TypeAlias = Literal["refused", "unavailable"]


class Outage(NamedTuple):
    """A node is away in the minutes `[begin, end)`: it refuses connections or answers 503."""

    node: NodeName
    begin: int
    end: int
    kind: OutageKind


class Outages:
    """The schedule of failures, drawn as far as it is asked for."""

    def __init__(self, draws: Draws, first_minute: int, start_minute: int) -> None:
        self._draws = draws
        self._list: list[Outage] = []
        self._by_node: dict[NodeName, list[Outage]] = {node: [] for node in NODES}
        at = first_minute
        while True:
            outage = self._next(at)
            if outage.end >= start_minute - 30:
                break
            self._add(outage)
            at = outage.end
        begin = start_minute + int(draws.between(30, 60, "first outage"))
        node: NodeName = "disk" if draws.fraction("first outage", "node") < 0.5 else "compute"
        self._add(Outage(node, begin, begin + int(draws.between(8, 20, "first outage", "length")), "refused"))

    def _add(self, outage: Outage) -> None:
        self._list.append(outage)
        self._by_node[outage.node].append(outage)

    def _next(self, after: int) -> Outage:
        noise = self._draws.stream("outage", after)
        begin = after + int(noise.uniform(6 * 60, 26 * 60))
        node = NODES[int(noise.integers(len(NODES)))]
        kind: OutageKind = "refused" if noise.random() < 0.6 else "unavailable"
        return Outage(node, begin, begin + int(noise.uniform(5, 41)), kind)

    def _reach(self, minute: int) -> None:
        while self._list[-1].end <= minute + 1:
            self._add(self._next(self._list[-1].end))

    def now(self, node: NodeName, minute: int) -> Outage | None:
        """The outage of a node in the minute with this Unix number."""
        self._reach(minute)
        return next(self.of(node, minute, minute + 1), None)

    def of(self, node: NodeName, begin: int, end: int) -> Iterator[Outage]:
        """The outages of a node that touch the minutes `[begin, end)`, oldest first."""
        self._reach(end)
        known = self._by_node[node]
        first = bisect_right(known, begin, key=lambda outage: outage.end)
        return (each for each in known[first:] if each.begin < end)

    def online_spans(self, node: NodeName, begin: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """`[begin, end)` cut into spans `(begin, end, online)`."""
        at = begin
        for outage in self.of(node, begin, end):
            away = max(outage.begin, begin)
            if away > at:
                yield at, away, True
            at = min(outage.end, end)
            yield away, at, False
        if at < end:
            yield at, end, True

    def share_online(self) -> float:
        """The expected share of time that one node is online."""
        mean_gap, mean_length = 16 * 60.0, 22.5
        return 1 - mean_length / (mean_gap + mean_length) / len(NODES)
