"""When the table of electricity prices and the host's power meter are asked, and what they say.

Watts come from the energy counters of the processor (Linux, power/powercap: `energy_uj` counts microjoules and
begins again at 0 after `max_energy_range_uj`), a file with a number, or a program that prints one. Nothing is read
here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import msgspec

from orch.earnings.power_tables import TableShape, read_table
from orch.earnings.tariffs import merged
from orch.errors import AbsurdError, ProtocolError, ShapeError
from orch.model.base import Value
from orch.model.costs import PowerPrice, Watts
from orch.model.readings import Failure, Reason
from orch.model.wire import CommandRun, FileRead, HttpRequest, NoReply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.model.wire import Reply, Request

FIRST_RETRY_S = 30.0
LONGEST_RETRY_S = 1800.0
TOMORROW_FROM_H = 13
"""Day-ahead prices are published around noon."""

HIGHEST_WATTS = 100_000.0
SHORTEST_LOOK_S = 0.5
NUMBER_BYTES = 4096


class TableTerms(Value):
    """Where a table of prices is: an URL, in which `{date}` is the day asked for, or a file."""

    shape: TableShape
    url: str | None = None
    file: str | None = None
    refresh_s: float = 3600.0


class Counter(Value):
    """One energy counter: its file, and the microjoules after which it begins again."""

    path: str
    range_uj: int


class WattsTerms(Value):
    """How watts are measured. `scale` makes watts of what a file or program says; `doubt` is a share (90 %)."""

    kind: Literal["rapl", "file", "command"]
    counters: tuple[Counter, ...] = ()
    file: str | None = None
    command: tuple[str, ...] = ()
    scale: float = 1.0
    period_s: float = 10.0
    doubt: float = 0.1


@dataclass(frozen=True)
class MeterQuestion:
    """One question; `key` tells its answer from others."""

    key: str
    request: Request


class MeterDesk:
    """Asks, listens, remembers."""

    def __init__(self, table: TableTerms | None, watts: WattsTerms | None) -> None:
        self._table_terms, self._watts_terms = table, watts
        self.table: tuple[PowerPrice, ...] = ()
        self.watts: Watts | None = None
        self._asked: dict[str, datetime | None] = {}
        self._due: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._joules: dict[str, tuple[datetime, int]] = {}
        self._parts: dict[str, float] = {}

    def restore(self, body: bytes, now: datetime) -> None:
        """Take over the table that was known before a restart; a damaged one is none."""
        try:
            kept = msgspec.json.decode(body, type=tuple[PowerPrice, ...])
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
            return
        self.table = merged((), (each for each in kept if math.isfinite(each.per_kwh)), now)

    def kept(self) -> bytes:
        """The table as it is kept on disk."""
        return msgspec.json.encode(self.table)

    # -- asking ------------------------------------------------------------------------------------------

    def ask(self, now: datetime) -> tuple[MeterQuestion, ...]:
        """What to ask now."""
        wanted = (*self._table_questions(now), *self._watts_questions())
        due = tuple(each for each in wanted if each.key not in self._asked and self._due.get(each.key, now) <= now)
        self._asked.update(dict.fromkeys((each.key for each in due), now))
        return due

    def next_at(self, now: datetime) -> datetime:
        """When to ask again."""
        periods = [terms.period_s for terms in (self._watts_terms,) if terms is not None]
        periods += [60.0] if self._table_terms is not None else []
        waiting = [due for key, due in self._due.items() if key not in self._asked and due > now]
        return min([*waiting, now + timedelta(seconds=min(periods, default=3600.0))])

    def _table_questions(self, now: datetime) -> Iterable[MeterQuestion]:
        terms = self._table_terms
        if terms is None:
            return
        if terms.file is not None:
            yield MeterQuestion("tariff", FileRead(path=terms.file))
        elif terms.url is not None and "{" not in terms.url:
            yield MeterQuestion("tariff", HttpRequest(url=terms.url, json_only=False, deadline_s=20.0))
        elif terms.url is not None:
            for day in self._days_wanted(terms, now):
                url = terms.url.format(date=day)
                yield MeterQuestion(f"tariff/{day}", HttpRequest(url=url, json_only=False, deadline_s=20.0))

    def _days_wanted(self, terms: TableTerms, now: datetime) -> Iterable[date]:
        local = now.astimezone(ZoneInfo(terms.shape.zone))
        days = [local.date()] + ([local.date() + timedelta(days=1)] if local.hour >= TOMORROW_FROM_H else [])
        for day in days:
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(terms.shape.zone))
            if not any(each.start <= noon < each.end for each in self.table):
                yield day

    def _watts_questions(self) -> Iterable[MeterQuestion]:
        terms = self._watts_terms
        if terms is None:
            return
        if terms.kind == "rapl":
            for each in terms.counters:
                yield MeterQuestion(f"watts/{each.path}", FileRead(path=each.path, max_bytes=NUMBER_BYTES))
        elif terms.kind == "file" and terms.file is not None:
            yield MeterQuestion("watts", FileRead(path=terms.file, max_bytes=NUMBER_BYTES))
        elif terms.kind == "command":
            yield MeterQuestion(
                "watts", CommandRun(argv=terms.command, deadline_s=terms.period_s, max_bytes=NUMBER_BYTES)
            )

    # -- listening ---------------------------------------------------------------------------------------

    def answered(self, key: str, reply: Reply | NoReply, now: datetime) -> Failure | None:
        """Take in one answer; the failure when it is none that can be used."""
        if self._asked.pop(key, None) is None:
            return None
        try:
            if isinstance(reply, NoReply):
                failure = _failure(key, reply.reason, reply.sentence, now)
            else:
                self._read(key, reply, now)
                self._failures.pop(key, None)
                self._due[key] = now + timedelta(seconds=self._period(key))
                return None
        except ProtocolError as error:
            reason: Reason = "absurd" if isinstance(error, AbsurdError) else "shape"
            failure = _failure(key, reason, str(error), now)
        times = self._failures.get(key, 0) + 1
        self._failures[key] = times
        wait_s = max(min(FIRST_RETRY_S * 2.0 ** (times - 1), LONGEST_RETRY_S), self._period(key, at_most=60.0))
        if isinstance(reply, NoReply):
            wait_s = max(wait_s, reply.retry_after_s or 0.0)
        self._due[key] = now + timedelta(seconds=wait_s)
        return failure

    def _period(self, key: str, at_most: float = math.inf) -> float:
        if key.startswith("tariff"):
            return min(at_most, self._table_terms.refresh_s if self._table_terms is not None else math.inf)
        return min(at_most, self._watts_terms.period_s if self._watts_terms is not None else math.inf)

    def _read(self, key: str, reply: Reply, now: datetime) -> None:
        if key.startswith("tariff") and self._table_terms is not None:
            self.table = merged(self.table, read_table(reply.body, self._table_terms.shape), now)
            return
        terms = self._watts_terms
        if terms is None:
            return
        number = _number(reply.body)
        if terms.kind != "rapl":
            self._measured(number * terms.scale, reply.received_at)
            return
        counter = next(each for each in terms.counters if key == f"watts/{each.path}")
        before, self._joules[key] = self._joules.get(key), (reply.received_at, int(number))
        if before is None:
            return
        seconds = (reply.received_at - before[0]).total_seconds()
        if seconds < SHORTEST_LOOK_S:
            self._joules[key] = before
            return
        self._parts[key] = ((int(number) - before[1]) % max(counter.range_uj, 1)) / 1e6 / seconds
        if len(self._parts) == len(terms.counters):
            self._measured(sum(self._parts.values()), reply.received_at)

    def _measured(self, watts: float, when: datetime) -> None:
        if not 0.0 <= watts <= HIGHEST_WATTS:
            raise AbsurdError(f"no host takes {watts:.6g} W")
        least = watts if self.watts is None else min(self.watts.least, watts)
        self.watts = Watts(watts=watts, least=least, measured_at=when)


def _number(body: bytes) -> float:
    try:
        number = float(body.split()[0])
    except (ValueError, IndexError) as error:
        raise ShapeError(f"the power meter says no number: {body[:40]!r}") from error
    if not math.isfinite(number):
        raise AbsurdError("the power meter says no finite number")
    return number


def _failure(endpoint: str, reason: Reason, sentence: str, now: datetime) -> Failure:
    return Failure(endpoint=endpoint, reason=reason, sentence=sentence, retryable=True, failed_at=now)
