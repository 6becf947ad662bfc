"""The economics of a storage node: bytes that fill, egress that pays, months that close.

All counters are integers, so that money is exact: bytes, and byte-minutes (bytes stored times minutes; an hour
has 60). Rates are those of the network: paystubs pay 1.4976 USD per TB-month of 720 h and 2 USD per TB of egress,
while the estimate works with the truncated 149 cents that `/pricing` states.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from orch.emulator.draws import Tide
from orch.emulator.facts import DAY_MINUTES, MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.emulator.draws import Draws
    from orch.emulator.outages import Outages
    from orch.model.resources import ResourceName

SATELLITES: tuple[tuple[str, str], ...] = (
    ("12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S", "us1.storj.io:7777"),
    ("12L9ZFwhzVpuEKMUNUqkaTLGzwY9G24tbiigLiXpmZWKwmcNDDs", "eu1.storj.io:7777"),
)
"""The public ids and addresses, sorted by id as the node lists them."""
MONTHS_BEFORE: tuple[int, ...] = (14, 7)
"""How many months before the history each satellite was joined: the younger one still holds back a quarter."""

STORAGE_CENTS = 149
EGRESS_CENTS = 200
BYTE_MINUTES_PER_TB_MONTH = 10**12 * 720 * 60
NEED_CPU = 0.8
NEED_MEMORY_GB = 2.0
COMPACTION_SHARE = 0.015
"""Share of the allocation kept free for compaction: a full node shows a little less than its allocation used."""
TRASH_DAYS = 7.0

Demand: TypeAlias = "tuple[list[int], list[float], list[float]]"
"""By minute of a day: bytes offered, share of stored bytes read, share deleted."""
Totals: TypeAlias = "tuple[int, int, int, int]"
"""Byte-minutes, and bytes sent, taken and deleted."""


class Day(msgspec.Struct, array_like=True):
    """One satellite's UTC day: byte-minutes stored; bytes of egress, ingress and deletions; minutes counted."""

    day: int
    byte_minutes: int = 0
    egress: int = 0
    ingress: int = 0
    deleted: int = 0
    minutes: int = 0


class Month(msgspec.Struct, array_like=True):
    """One satellite's closed month: totals, and Unix minutes at which its paystub and its payment appear."""

    name: str
    byte_minutes: int
    usage: int
    repair: int
    audit: int
    put: int
    stub_minute: int
    paid_minute: int


class Satellite(msgspec.Struct):
    """One satellite's books on this node."""

    stored: int
    days: list[Day] = msgspec.field(default_factory=list)
    months: list[Month] = msgspec.field(default_factory=list)
    earned_byte_minutes: int = 0
    earned_egress: int = 0


class StorjState(msgspec.Struct):
    """All that changes. `minute` is the Unix minute up to which it is worked out."""

    minute: int
    trash: int
    satellites: list[Satellite]
    started_s: float


def month_name(minute: int) -> str:
    """`YYYY-MM` of a Unix minute, in UTC."""
    return _month_of_day(minute // DAY_MINUTES)


@lru_cache(maxsize=4096)
def _month_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MINUTES * MINUTE, UTC).strftime("%Y-%m")


@lru_cache(maxsize=512)
def month_start(name: str, shift: int = 0) -> int:
    """Unix minute at which a month `YYYY-MM` (plus `shift` months) begins."""
    year, month = divmod(int(name[:4]) * 12 + int(name[5:]) - 1 + shift, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) // MINUTE


def held_percent(joined: int, month: str) -> int:
    """Share held back in a month, by calendar months since joining (storage node's display rule)."""
    first = month_name(joined)
    age = (int(month[:4]) - int(first[:4])) * 12 + int(month[5:]) - int(first[5:])
    return 75 if age < 3 else 50 if age < 6 else 25 if age < 9 else 0


class StorjEconomy:
    """The demand a seed gives this node, and what the node makes of it."""

    def __init__(self, draws: Draws, outages: Outages) -> None:
        self._draws = draws
        self._outages = outages
        self._fill_gb_per_hour = draws.between(11, 19, "storj", "fill")
        self._fill_tide = Tide(draws, "storj/fill", daily=0.35, drift=0.12)
        self._egress_per_day = draws.between(0.0022, 0.0042, "storj", "egress")
        self._egress_tide = Tide(draws, "storj/egress", daily=0.4, drift=0.1)
        self._deleted_per_day = draws.between(0.0010, 0.0020, "storj", "deletions")
        self._first_share = draws.between(0.55, 0.7, "storj", "share")
        self._demand: dict[int, list[Demand]] = {}
        self._repair: dict[tuple[int, int], int] = {}
        self.joined: tuple[int, ...] = ()

    def begin(self, minute: int) -> StorjState:
        """A node that has been full for a while, with paystubs since it joined."""
        total = 2_925_000_000_000
        stored = (int(total * self._first_share), total - int(total * self._first_share))
        self.place(minute)
        books = [Satellite(stored=amount) for amount in stored]
        for index, satellite in enumerate(books):
            self._past(index, satellite, minute)
        return StorjState(minute=minute, trash=28_000_000_000, satellites=books, started_s=(minute - 9000) * 60.0)

    def place(self, minute: int) -> None:
        """Work out when each satellite was joined, from the minute at which the history begins."""
        now = month_name(minute)
        self.joined = tuple(
            month_start(now, -months) + int(self._draws.between(2000, 20_000, "storj", "joined", index))
            for index, months in enumerate(MONTHS_BEFORE)
        )

    def _past(self, index: int, satellite: Satellite, minute: int) -> None:
        """Months and days before the history: a node that grew evenly to what it holds."""
        joined, now = self.joined[index], month_name(minute)
        egress_share = self._egress_per_day / DAY_MINUTES
        for back in range(MONTHS_BEFORE[index], 0, -1):
            name = month_name(month_start(now, -back))
            begin, end = max(joined, month_start(now, -back)), month_start(now, 1 - back)
            mean = satellite.stored * ((begin + end) // 2 - joined) // (minute - joined)
            byte_minutes = mean * (end - begin)
            egress = int(byte_minutes * egress_share)
            satellite.months.append(
                self._close(index, name, byte_minutes, self._split(index, begin, egress), mean // 9)
            )
        for day in range(month_start(now) // DAY_MINUTES, minute // DAY_MINUTES + 1):
            minutes = min(DAY_MINUTES, minute - day * DAY_MINUTES)
            if minutes > 0:
                volume = satellite.stored * minutes
                egress = int(volume * egress_share)
                satellite.days.append(Day(day, volume, egress, egress // 2, egress // 3, minutes))

    def _split(self, index: int, minute: int, egress: int) -> tuple[int, int, int]:
        """Egress as customer, repair and audit bytes: shares that a day has, so that sums stay exact."""
        repair = egress * self._repair_per_mille(index, minute // DAY_MINUTES) // 1000
        audit = egress * 2 // 1000
        return egress - repair - audit, repair, audit

    def _repair_per_mille(self, index: int, day: int) -> int:
        known = self._repair.get((index, day))
        if known is None:
            known = int(self._draws.between(300, 420, "storj", "repair", index, day))
            self._repair[index, day] = known
        return known

    def egress_of(self, index: int, day: Day) -> tuple[int, int, int]:
        """A day's egress as (customer, repair, audit) bytes."""
        return self._split(index, day.day * DAY_MINUTES, day.egress)

    def _close(self, index: int, name: str, byte_minutes: int, egress: tuple[int, int, int], put: int) -> Month:
        end = month_start(name, 1)
        stub = end + int(self._draws.between(4.5, 8, "storj", "stub", name, index) * DAY_MINUTES)
        paid = stub + int(self._draws.between(1.5, 5, "storj", "paid", name) * DAY_MINUTES)
        return Month(name, byte_minutes, *egress, put, stub, paid)

    def _demand_of(self, day: int) -> list[Demand]:
        """What each satellite asks for in a day."""
        known = self._demand.get(day)
        if known is not None:
            return known
        fill_tide, egress_tide = self._fill_tide.day(day), self._egress_tide.day(day)
        demand = []
        for index, share in enumerate((self._first_share, 1 - self._first_share)):
            noise = self._draws.stream(f"storj/{index}", day)
            hourly = np.clip(self._fill_gb_per_hour * fill_tide * noise.lognormal(-0.08, 0.4, DAY_MINUTES), 5, 30)
            read = self._egress_per_day / DAY_MINUTES * egress_tide * noise.gamma(2.0, 0.5, DAY_MINUTES)
            gone = self._deleted_per_day / DAY_MINUTES * noise.gamma(1.0, 1.0, DAY_MINUTES)
            demand.append(((hourly * share * 1e9 / 60).astype(np.int64).tolist(), read.tolist(), gone.tolist()))
        if len(self._demand) > 3:
            self._demand.pop(next(iter(self._demand)))
        self._demand[day] = demand
        return demand

    def advance(
        self, state: StorjState, until: int, limits: Mapping[ResourceName, float], *, up: bool, paused: bool
    ) -> None:
        """Work out the minutes up to `until` with limits that hold throughout.

        While the node is away or restarting (`up` is False) its stored bytes are paid and nothing else happens;
        while the world is paused nothing is earned at all.
        """
        for begin, end, online in self._outages.online_spans("disk", state.minute, until):
            at = begin
            while at < end:
                stop = min(end, (at // DAY_MINUTES + 1) * DAY_MINUTES)
                self._run(state, at, stop, limits, serving=online and up, paused=paused)
                at = stop
        state.minute = until

    def _run(
        self,
        state: StorjState,
        begin: int,
        end: int,
        limits: Mapping[ResourceName, float],
        *,
        serving: bool,
        paused: bool,
    ) -> None:
        """Minutes of one UTC day."""
        day = begin // DAY_MINUTES
        if begin % DAY_MINUTES == 0:
            self._new_day(state, day)
        if paused:
            return
        rows = [self._row(each, day) for each in state.satellites]
        if not serving:
            for each, row in zip(state.satellites, rows, strict=True):
                row.byte_minutes += each.stored * (end - begin)
                row.minutes += end - begin
                each.earned_byte_minutes += each.stored * (end - begin)
            return
        minutes = range(begin - day * DAY_MINUTES, end - day * DAY_MINUTES)
        totals = _serve(state, self._demand_of(day), minutes, limits)
        for each, row, (volume, egress, ingress, deleted) in zip(state.satellites, rows, totals, strict=True):
            row.byte_minutes += volume
            row.egress += egress
            row.ingress += ingress
            row.deleted += deleted
            row.minutes += end - begin
            each.earned_byte_minutes += volume
            each.earned_egress += egress

    def _row(self, satellite: Satellite, day: int) -> Day:
        if not satellite.days or satellite.days[-1].day != day:
            satellite.days.append(Day(day))
        return satellite.days[-1]

    def _new_day(self, state: StorjState, day: int) -> None:
        """At 00:00 UTC on the 1st the month closes and its daily rows are gone."""
        name = month_name(day * DAY_MINUTES)
        if month_start(name) != day * DAY_MINUTES:
            return
        before = month_name(month_start(name, -1))
        for index, satellite in enumerate(state.satellites):
            if satellite.months and satellite.months[-1].name >= before:
                continue
            rows = satellite.days
            parts = [self.egress_of(index, row) for row in rows]
            egress = (sum(p[0] for p in parts), sum(p[1] for p in parts), sum(p[2] for p in parts))
            volume, put = sum(row.byte_minutes for row in rows), sum(row.ingress for row in rows)
            satellite.months.append(self._close(index, before, volume, egress, put))
            satellite.days = []

    def usd(self, state: StorjState) -> float:
        """USD earned since the history began, at the exact rates."""
        stored = sum(each.earned_byte_minutes for each in state.satellites)
        egress = sum(each.earned_egress for each in state.satellites)
        return stored * 1.4976 / BYTE_MINUTES_PER_TB_MONTH + egress * 2e-12

    def rate(self, state: StorjState, limits: Mapping[ResourceName, float], horizon_h: float) -> float:
        """Expected USD per hour, averaged over a day, and over a horizon in which free space fills."""
        second = state.minute * MINUTE
        speed = min(1.0, limits["cpu_cores"] / NEED_CPU, limits["memory_gb"] / NEED_MEMORY_GB)
        online = self._outages.share_online()
        stored = sum(each.stored for each in state.satellites)
        fill = self._fill_gb_per_hour * 1e9 * self._fill_tide.drift(second) * 0.97
        read = stored * self._egress_per_day / 24 * self._egress_tide.drift(second)
        line = limits["bandwidth_mbps"] * 7_500_000 * 60
        flow = min(1.0, line / (read * speed + fill * speed)) * speed * online
        room = max(0.0, limits["storage_gb"] * 1e9 * (1 - COMPACTION_SHARE) - stored - state.trash)
        grow = fill * flow - stored * self._deleted_per_day / 24
        hours_to_full = room / grow if grow > 0 else 0.0
        growing = min(horizon_h, hours_to_full)
        mean = float(stored)
        if horizon_h > 0:
            mean = stored + grow * growing * (horizon_h - growing / 2) / horizon_h
        storage_usd = mean * 1.4976e-12 / 720
        egress_usd = mean * self._egress_per_day / 24 * self._egress_tide.drift(second) * flow * 2e-12
        return storage_usd + egress_usd


def used_bytes(state: StorjState) -> int:
    """What the disk holds: pieces and trash."""
    return state.trash + sum(each.stored for each in state.satellites)


def _serve(
    state: StorjState, demand: list[Demand], minutes: range, limits: Mapping[ResourceName, float]
) -> tuple[Totals, Totals]:
    """Store, send and delete through these minutes of a day; the totals of each satellite."""
    first, second = state.satellites
    (fill_a, read_a, gone_a), (fill_b, read_b, gone_b) = demand
    speed = min(1.0, limits["cpu_cores"] / NEED_CPU, limits["memory_gb"] / NEED_MEMORY_GB)
    room_end = int(limits["storage_gb"] * 1e9 * (1 - COMPACTION_SHARE))
    line = int(limits["bandwidth_mbps"] * 7_500_000)
    a, b, trash = first.stored, second.stored, state.trash
    volume_a = volume_b = out_a = out_b = in_a = in_b = lost_a = lost_b = 0
    for i in minutes:
        egress_a, egress_b = int(a * read_a[i] * speed), int(b * read_b[i] * speed)
        want_a, want_b = int(fill_a[i] * speed), int(fill_b[i] * speed)
        traffic = egress_a + egress_b + want_a + want_b
        if traffic > line:
            egress_a, egress_b = egress_a * line // traffic, egress_b * line // traffic
            want_a, want_b = want_a * line // traffic, want_b * line // traffic
        drop_a, drop_b = int(a * gone_a[i]), int(b * gone_b[i])
        room = room_end - a - b - trash
        if room < want_a + want_b:
            want_a = max(0, room) * want_a // (want_a + want_b) if want_a else 0
            want_b = max(0, min(want_b, room - want_a))
        trash += drop_a + drop_b - int(trash / (TRASH_DAYS * DAY_MINUTES))
        a += want_a - drop_a
        b += want_b - drop_b
        volume_a += a
        volume_b += b
        out_a += egress_a
        out_b += egress_b
        in_a += want_a
        in_b += want_b
        lost_a += drop_a
        lost_b += drop_b
    first.stored, second.stored, state.trash = a, b, trash
    return (volume_a, out_a, in_a, lost_a), (volume_b, out_b, in_b, lost_b)
