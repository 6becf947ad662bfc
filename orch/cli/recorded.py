"""The file a stopped engine left behind."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.cli.source import NO_BOARD, decode
from orch.errors import StoreError
from orch.model.board import Dashboard
from orch.model.money import EarnedUsd
from orch.store import queries
from orch.store.database import open_read_only
from orch.store.export import spool_table
from orch.system.clock import RealClock
from orch.web.shapes import HistoryBody, SeriesLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from orch.cli.source import Format, Metric, Told
    from orch.model.board import NodeView
    from orch.model.money import Rate
    from orch.model.moves import Reallocation
    from orch.model.plans import Decision, Plan
    from orch.model.report import Report
    from orch.model.switches import Missed

CHUNK = 1 << 16
MOMENT = timedelta(microseconds=1)


class RecordedData:
    """A `Source` over `orch.duckdb`; every question opens the file and closes it again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _meta(self) -> queries.Meta:
        with self._open() as connection:
            return queries.meta(connection)

    def now(self) -> datetime:
        """For emulated nodes the newest recorded time, whose world stands still; else the real one."""
        meta = self._meta
        return meta.clock if meta.kind == "emulated" and meta.clock is not None else RealClock().now()

    def board(self) -> Dashboard:
        """The last board: not running, its ages carried on, what was earned as the ledger says."""
        with self._open() as connection:
            found, earned = queries.latest_board(connection), queries.earned_totals(connection)
        if found is None:
            raise StoreError(NO_BOARD)
        board = decode(found.body, Dashboard)
        return with_ledger(carried_on(board, self.now()), earned)

    def plan(self, plan_id: str | None = None) -> Plan | None:
        """A plan by its id, or the newest one."""
        with self._open() as connection:
            return queries.plan(connection, plan_id)

    def decision(self, decision_id: str | None) -> Decision | None:
        """A decision by its id, or the last one."""
        with self._open() as connection:
            return queries.decision(connection, decision_id)

    def reallocation(self, reallocation_id: str) -> Reallocation | None:
        """A reallocation by its id."""
        with self._open() as connection:
            return queries.reallocation(connection, reallocation_id)

    def reallocations(self, since: datetime | None) -> tuple[Reallocation, ...]:
        """All reallocations started since then, newest first."""
        with self._open() as connection:
            return queries.get_reallocation_history(connection, since)

    def missed(self, since: datetime | None) -> Missed:
        """What refused plans would have brought since then, as predicted."""
        with self._open() as connection:
            return queries.missed_gains(connection, since)

    def history(self, metric: Metric, node: str | None, since: datetime, step_s: int) -> HistoryBody:
        """A metric until now, the newest sample included."""
        until = self.now() + MOMENT
        with self._open() as connection:
            found = queries.get_metrics_history(connection, metric, node, since, until, step_s)
        lines = tuple(
            SeriesLine(node=line.node, resource=line.resource, unit=line.unit, points=line.points)
            for line in found.series
        )
        return HistoryBody(schema=1, metric=found.metric, unit=found.unit, step_s=found.step_s, series=lines)

    def report(self, period: timedelta) -> Report:
        """What the time up to now came to, the newest sample included."""
        from orch.web.reporting import compose_report

        until = self.now() + MOMENT
        with self._open() as connection:
            return compose_report(connection, until - period, until)

    def table(
        self, name: str, fmt: Format, since: datetime | None, until: datetime | None, told: Told | None = None
    ) -> Iterator[bytes]:
        """A table as a stream; the file is closed before the first byte, however slow its reader is."""
        with self._open() as connection:
            spooled = spool_table(connection, name, fmt, since, until, told)
        with spooled as file:
            while chunk := file.read(CHUNK):
                yield chunk

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_read_only(self._path) as connection, closing(connection.cursor()) as cursor:
            yield cursor


def carried_on(board: Dashboard, now: datetime) -> Dashboard:
    """A stopped engine's board, seen at a later time: the same figures, older."""
    later_s = max((now - board.as_of).total_seconds(), 0.0)

    def older(rate: Rate | None) -> Rate | None:
        return rate and replace(rate, age_s=rate.age_s + later_s)

    by_protocol = {
        name: replace(rate, age_s=rate.age_s + later_s) for name, rate in board.total.by_protocol.items()
    }
    total = replace(board.total, usd_per_hour=older(board.total.usd_per_hour), by_protocol=by_protocol)
    nodes = tuple(replace(node, usd_per_hour=older(node.usd_per_hour)) for node in board.nodes)
    return replace(board, engine=replace(board.engine, running=False, pid=None), total=total, nodes=nodes)


def with_ledger(board: Dashboard, earned: queries.EarnedTotals) -> Dashboard:
    """A board whose earned totals are the sums over the ledger, to the last digit of its export."""
    by_node = {each.node: _plain(each.earned) for each in earned.nodes}

    def told(node: NodeView) -> NodeView:
        return replace(node, earned_usd=by_node.get(node.name, EarnedUsd()))

    total = replace(board.total, earned_usd=_plain(earned.total))
    return replace(board, total=total, nodes=tuple(told(node) for node in board.nodes))


def _plain(earned: EarnedUsd) -> EarnedUsd:
    return EarnedUsd(
        settled=_shortest(earned.settled),
        accrued=_shortest(earned.accrued),
        estimated=_shortest(earned.estimated),
    )


def _shortest(amount: Decimal) -> Decimal:
    """The same amount without trailing zeros; by its digits, for arithmetic would round the 29th."""
    digits = f"{amount:f}"
    return Decimal(digits.rstrip("0").rstrip(".") or "0") if "." in digits else amount
