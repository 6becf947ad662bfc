"""Figures over time: the metrics' history, uptime, KPIs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.errors import UsageError
from orch.model.base import Value
from orch.model.board import Kpis
from orch.model.resources import RESOURCES, SHORT, UNITS, ResourceName
from orch.store.maintenance import BEGINNING, forgotten_until, rolled_until
from orch.store.rows import KPIS
from orch.store.values import from_stored_time, to_stored_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

Metric: TypeAlias = Literal["usd_per_hour", "allocation", "used", "health"]
METRICS: tuple[Metric, ...] = ("usd_per_hour", "allocation", "used", "health")
HOUR_S = 3600


class Line(Value):
    """One line of a chart: points are (start of the step, mean over it), steps without a figure left out.

    `resource` is set where the metric is one per resource.
    """

    node: str
    resource: ResourceName | None
    unit: str
    points: tuple[tuple[datetime, float], ...]


class History(Value):
    """A metric over time. `unit` is None where every line has its own."""

    metric: Metric
    unit: str | None
    step_s: int
    series: tuple[Line, ...]


class Uptime(Value):
    """Poll ticks by the health of the whole host (its worst node's)."""

    ticks: int
    online: int
    degraded: int
    unknown: int
    offline: int

    @property
    def uptime_pct(self) -> float | None:
        """Share of ticks with all nodes online, unknown ones left out; None when nothing is known."""
        known = self.ticks - self.unknown
        return 100.0 * self.online / known if known else None

    @property
    def uptime_unknown_pct(self) -> float | None:
        """Share of ticks of which that is unknown; None without any tick."""
        return 100.0 * self.unknown / self.ticks if self.ticks else None


class KpiHour(Value):
    """The KPIs as they stood at the end of an hour."""

    taken_at: datetime
    host: str
    kpis: Kpis


class _Column(Value):
    """One line's figure, from a raw row and from an hourly one."""

    resource: ResourceName | None
    unit: str
    raw: str
    hourly: str


def get_metrics_history(
    connection: duckdb.DuckDBPyConnection,
    metric: Metric,
    node: str | None,
    since: datetime,
    until: datetime,
    step_s: int,
) -> History:
    """A metric of one node or all, as means over steps that begin at multiples of `step_s` since the epoch.

    Steps of whole hours read the hourly roll-ups as far as they reach, shorter ones read raw samples as far
    back as those are kept. `health` is the share of ticks at which the node was online (0 to 1).

    Raises:
        UsageError: The step is not at least a second, or there is no such metric.
    """
    if step_s < 1:
        message = f"A step of {step_s} s cannot be drawn: give at least 1s."
        raise UsageError(message)
    columns = _columns(metric)
    rows = connection.execute(
        _history_query(columns),
        {
            "node": node,
            "since": to_stored_time(_floor(since, step_s)),
            "until": to_stored_time(until),
            "raw_since": _raw_since(connection, step_s),
            "step": step_s * 1_000_000,
        },
    ).fetchall()
    units = {column.unit for column in columns}
    return History(
        metric=metric,
        unit=units.pop() if len(units) == 1 else None,
        step_s=step_s,
        series=tuple(
            Line(node=name, resource=column.resource, unit=column.unit, points=points)
            for name in sorted({row[0] for row in rows})
            for index, column in enumerate(columns)
            if (points := _points([row for row in rows if row[0] == name], index + 2))
        ),
    )


def uptime(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> Uptime:
    """How many ticks found all nodes online, from raw ticks and, where these are gone, from whole hours."""
    rows = connection.execute(
        """
        WITH parts AS (
            SELECT count_if(health = 'online') AS online, count_if(health = 'degraded') AS degraded,
                   count_if(health = 'unknown') AS unknown, count_if(health = 'offline') AS offline
            FROM ticks WHERE taken_at >= greatest($since, $raw_since) AND taken_at < $until
            UNION ALL
            SELECT sum(online), sum(degraded), sum(unknown), sum(offline)
            FROM ticks_hourly WHERE taken_at >= $since AND taken_at < least($until, $raw_since)
        )
        SELECT coalesce(sum(online), 0)::BIGINT, coalesce(sum(degraded), 0)::BIGINT,
               coalesce(sum(unknown), 0)::BIGINT, coalesce(sum(offline), 0)::BIGINT
        FROM parts
        """,
        {
            "since": to_stored_time(since),
            "until": to_stored_time(until),
            "raw_since": _raw_since(connection, 1),
        },
    ).fetchall()
    online, degraded, unknown, offline = rows[0]
    ticks = online + degraded + unknown + offline
    return Uptime(ticks=ticks, online=online, degraded=degraded, unknown=unknown, offline=offline)


def kpi_hours(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> tuple[KpiHour, ...]:
    """The KPIs of every recorded hour, oldest first."""
    rows = connection.execute(
        f"SELECT taken_at, host, {KPIS.columns} FROM kpi_hourly WHERE taken_at >= ? AND taken_at < ? "  # noqa: S608
        "ORDER BY taken_at, host",
        [to_stored_time(since), to_stored_time(until)],
    ).fetchall()
    return tuple(
        KpiHour(taken_at=from_stored_time(row[0]), host=row[1], kpis=KPIS.decode(row[2:])) for row in rows
    )


def _columns(metric: Metric) -> tuple[_Column, ...]:
    if metric == "usd_per_hour":
        return (_Column(resource=None, unit="USD/h", raw="usd_mean", hourly="usd_mean"),)
    if metric == "health":
        raw = "CASE health WHEN 'unknown' THEN NULL WHEN 'online' THEN 1.0 ELSE 0.0 END"
        hourly = "online_ticks / nullif(ticks - unknown_ticks, 0)"
        return (_Column(resource=None, unit="share online", raw=raw, hourly=hourly),)
    if metric in {"allocation", "used"}:
        suffix = "allocated" if metric == "allocation" else "used"
        names = ((name, f"{SHORT[name]}_{suffix}") for name in RESOURCES)
        return tuple(_Column(resource=name, unit=UNITS[name], raw=of, hourly=of) for name, of in names)
    message = f"There is no metric {metric!r}: take one of {', '.join(METRICS)}."
    raise UsageError(message)


def _history_query(columns: Sequence[_Column]) -> str:
    """Raw rows weigh 1, hourly ones as many ticks as went into them."""
    raw = ", ".join(f"{column.raw} AS v{index}" for index, column in enumerate(columns))
    hourly = ", ".join(f"{column.hourly} AS v{index}" for index, column in enumerate(columns))
    means = ", ".join(
        f"sum(v{index} * weight) / sum(weight) FILTER (WHERE v{index} IS NOT NULL)"
        for index in range(len(columns))
    )
    return f"""
        WITH parts AS (
            SELECT node, taken_at, 1 AS weight, {raw} FROM samples
            WHERE taken_at >= greatest($since, $raw_since) AND taken_at < $until
              AND ($node IS NULL OR node = $node)
            UNION ALL
            SELECT node, taken_at, ticks, {hourly} FROM samples_hourly
            WHERE taken_at >= $since AND taken_at < least($until, $raw_since)
              AND ($node IS NULL OR node = $node)
        )
        SELECT node, epoch_us(taken_at) // $step * $step AS starts, {means}
        FROM parts GROUP BY node, starts ORDER BY node, starts
    """  # noqa: S608 - nothing from outside is in it


def _raw_since(connection: duckdb.DuckDBPyConnection, step_s: int) -> datetime:
    """From when on raw rows are read, at the start of an hour; before it the roll-ups speak."""
    if step_s % HOUR_S == 0:
        rolled = rolled_until(connection)
        return BEGINNING if rolled is None else to_stored_time(rolled)
    forgotten = forgotten_until(connection)
    if forgotten is None:
        return BEGINNING
    whole = to_stored_time(forgotten).replace(minute=0, second=0, microsecond=0)
    return whole if whole == to_stored_time(forgotten) else whole + timedelta(hours=1)


def _floor(when: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(int(when.timestamp()) // step_s * step_s, UTC)


def _points(rows: Sequence[Sequence[float]], index: int) -> tuple[tuple[datetime, float], ...]:
    return tuple(
        (datetime.fromtimestamp(row[1] / 1_000_000, UTC), row[index]) for row in rows if row[index] is not None
    )
