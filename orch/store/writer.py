"""The only writer of the database: collects rows, commits them together.

Measured on small batches, the Appender beats multi-row INSERTs by a third and `executemany` by five times and
more, and a commit costs much the same for one row as for a hundred: so everything that is open goes into
one transaction.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from orch.earnings.prices import STATES
from orch.store.inputs import Packer
from orch.store.rows import (
    ALERT,
    DECISION,
    ENTRY,
    KPIS,
    REALLOCATION,
    STEP,
    Row,
    failure_row,
    sample_row,
    tick_row,
)
from orch.store.transaction import explained, transaction
from orch.store.values import from_stored_time, to_json, to_stored, to_stored_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.model.alerts import Alert
    from orch.model.board import Kpis
    from orch.model.fleet import Snapshot
    from orch.model.inputs import DecisionInputs
    from orch.model.money import Entry, Price, PriceState
    from orch.model.moves import Reallocation, StepRecord
    from orch.model.plans import Decision, Plan
    from orch.model.readings import Failure

APPENDED = ("samples", "ticks", "prices", "failures", "decision_inputs")
KEYED = ("decisions", "reallocations", "reallocation_steps", "alerts", "kpi_hourly")
META = ("clock", "sequence", "forecasts")
REPLACE_META = """
    UPDATE meta SET value = coalesce(CASE key WHEN 'clock' THEN ? WHEN 'sequence' THEN ? ELSE ? END, value)
    WHERE key IN ('clock', 'sequence', 'forecasts') RETURNING key
"""
TOLD_ONCE = ("decisions", "kpi_hourly")
"""Keyed rows that hardly ever come again: inserted plainly, for that takes half as long."""


class Writer:
    """Rows wait here until `commit` writes all of them in one transaction. For one thread.

    Whatever is added twice is recorded once: ledger entries by their id (the first stands, entries never
    change), ticks by their sequence, everything else by its key (the last stands).

    Args:
        database: The opened database; closed by `close`.
        host: Whose rows these are.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection, host: str) -> None:
        self._database = database
        self.connection = database.cursor()
        self.host = host
        self._rows: dict[str, list[Row]] = {table: [] for table in APPENDED}
        self._keyed: dict[str, dict[object, Row]] = {table: {} for table in KEYED}
        self._entries: dict[str, Row] = {}
        self._board: Row | None = None
        self._packer = Packer()
        self._price_states: dict[str, PriceState] = {}
        self._prices_told: dict[str, datetime] = {}
        self._failures_told: dict[tuple[str | None, str], datetime] = {}
        self._appenders: dict[tuple[str, bool], duckdb.Appender] = {}
        meta = dict(self.connection.execute("SELECT key, value FROM meta").fetchall())
        self._committed: int | None = int(meta["sequence"]) if "sequence" in meta else None
        self._sequence = self._committed
        self._clock: str = meta.get("clock", "")
        self._forecasts: str | None = meta.get("forecasts")
        self._forecasts_told = False

    # -- reading -----------------------------------------------------------------------------------------

    @property
    def sequence(self) -> int | None:
        """The highest tick that is committed."""
        return self._committed

    @property
    def clock(self) -> datetime | None:
        """The newest time of the recorded world."""
        return from_stored_time(datetime.fromisoformat(self._clock)) if self._clock else None

    @property
    def forecasts(self) -> str | None:
        """What was last recorded of forecasts, in the words of who had it recorded."""
        return self._forecasts

    @property
    def open_rows(self) -> int:
        """How many rows wait for the next commit."""
        lists = sum(len(rows) for rows in self._rows.values())
        keyed = sum(len(rows) for rows in self._keyed.values())
        return lists + keyed + len(self._entries) + (self._board is not None) + self._forecasts_told

    def reader(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for another thread: one use, read it to the end, close it."""
        return self._database.cursor()

    # -- collecting --------------------------------------------------------------------------------------

    def add_forecasts(self, body: str) -> None:
        """What was foreseen and how it proved: only the newest is kept."""
        self._forecasts, self._forecasts_told = body, True

    def add_tick(self, snapshot: Snapshot, entries: Iterable[Entry], sequence: int) -> None:
        """One tick: a sample per node, and its ledger entries.

        A tick whose sequence was seen before adds no samples; its entries are told apart by their ids.

        Raises:
            StoreError: A figure cannot be kept; nothing of the tick is added.
        """
        booked = {entry.entry_id: ENTRY.encode(entry) for entry in entries}
        if self._sequence is None or sequence > self._sequence:
            samples = [sample_row(node, snapshot.taken_at) for node in snapshot.nodes]
            tick, prices = tick_row(snapshot), self._turned_prices(snapshot)
            for node in snapshot.nodes:
                self._note_failures(node.failures, node.name)
            self._rows["samples"].extend(samples)
            self._rows["ticks"].append(tick)
            self._rows["prices"].extend(prices)
            self._price_states.update({price.token: price.state for price in snapshot.prices})
            self._sequence = sequence
            self._advance(snapshot.taken_at)
        for entry_id, row in booked.items():
            self._entries.setdefault(entry_id, row)

    def add_board(self, taken_at: datetime, body: bytes, kpis: Kpis | None = None) -> None:
        """The latest board, in place of the one before; KPIs stand for their hour."""
        self._board = (to_stored_time(taken_at), body.decode())
        self._advance(taken_at)
        if kpis is not None:
            hour = to_stored_time(taken_at).replace(minute=0, second=0, microsecond=0)
            self._keyed["kpi_hourly"][hour, self.host] = (hour, self.host, *KPIS.encode(kpis))

    def add_decision(
        self, decision: Decision, plan: Plan | None = None, inputs: DecisionInputs | None = None
    ) -> None:
        """A decision, with the whole plan it was made on, and what it was made of."""
        body = None if plan is None else to_json(plan)
        self._keyed["decisions"][decision.id] = (*DECISION.encode(decision), self.host, body)
        if inputs is not None:
            packed = self._packer.pack(decision.id, decision.decided_at, self.host, inputs)
            self._rows["decision_inputs"].extend(packed)

    def add_reallocation(self, reallocation: Reallocation, step: StepRecord | None = None) -> None:
        """A saga's newest public record, and the outcome of one of its steps."""
        encoded_step = None if step is None else (*STEP.encode(step), self.host)
        self._keyed["reallocations"][reallocation.id] = (*REALLOCATION.encode(reallocation), self.host)
        if step is not None and encoded_step is not None:
            key = (step.reallocation_id, step.step_index, step.phase)
            self._keyed["reallocation_steps"][key] = encoded_step

    def add_prices(self, prices: Iterable[Price], failures: Iterable[Failure] = ()) -> None:
        """Accepted prices; one that was told before (same token, fetched at the same time) is not new."""
        for price in prices:
            if self._prices_told.get(price.token) == price.fetched_at:
                continue
            state = STATES[price.agreement]
            row = (to_stored(price.fetched_at), price.token, to_stored(price.usd), price.source, state)
            self._rows["prices"].append(row)
            self._prices_told[price.token] = price.fetched_at
            self._price_states[price.token] = state
        self._note_failures(failures, None)

    def add_alert(self, alert: Alert) -> None:
        """An alert's newest state."""
        self._keyed["alerts"][alert.id] = (*ALERT.encode(alert), self.host)

    def _turned_prices(self, snapshot: Snapshot) -> list[Row]:
        """A price that went stale or unknown says so once, when it did."""
        taken_at = to_stored_time(snapshot.taken_at)
        return [
            (
                taken_at,
                now.token,
                now.price and to_stored(now.price.usd),
                now.price and now.price.source,
                now.state,
            )
            for now in snapshot.prices
            if self._price_states.get(now.token, "fresh") != now.state
        ]

    def _note_failures(self, failures: Iterable[Failure], node: str | None) -> None:
        """A failure stands in every snapshot until it is over; it is recorded when it is new."""
        for failure in failures:
            key = (node, failure.endpoint)
            if self._failures_told.get(key) != failure.failed_at:
                self._rows["failures"].append(failure_row(failure, self.host, node))
                self._failures_told[key] = failure.failed_at

    def _advance(self, when: datetime) -> None:
        """The clock of the recorded world never steps back."""
        self._clock = max(self._clock, to_stored_time(when).isoformat(timespec="microseconds"))

    # -- committing --------------------------------------------------------------------------------------

    def commit(self) -> int | None:
        """Write everything that is open in one transaction.

        Returns:
            The highest tick sequence that is safely recorded, None before the first.

        Raises:
            StoreError: Nothing of it was recorded; everything stays open for the next try.
        """
        if not self.open_rows:
            return self._committed
        with explained("Nothing could be recorded, everything is kept for the next try"):
            try:
                self._write()
            except duckdb.ConstraintException:
                self._drop_booked()
                self._write(told_again=True)
        for rows in self._rows.values():
            rows.clear()
        for keyed in self._keyed.values():
            keyed.clear()
        self._entries.clear()
        self._board = None
        self._forecasts_told = False
        self._committed = self._sequence
        return self._committed

    def _write(self, *, told_again: bool = False) -> None:
        with transaction(self.connection):
            for table, rows in self._rows.items():
                self._append(table, rows)
            self._append("ledger", self._entries.values())
            for table, keyed in self._keyed.items():
                self._append(table, keyed.values(), upsert=told_again or table not in TOLD_ONCE)
            if self._board is not None:
                self._replace_board(self._board)
            meta = {"clock": self._clock} if self._clock else {}
            if self._sequence is not None:
                meta["sequence"] = str(self._sequence)
            if self._forecasts_told and self._forecasts is not None:
                meta["forecasts"] = self._forecasts
            self._replace_meta(meta)

    def _append(self, table: str, rows: Iterable[Row], *, upsert: bool = False) -> None:
        waiting = list(rows)
        if waiting:
            appender = self._appender(table, upsert=upsert)
            try:
                appender.append_rows(waiting)
                appender.flush()
            except BaseException:
                # What it still holds must not come along with the next rows.
                self._appenders.pop((table, upsert)).clear()
                raise

    def _appender(self, table: str, *, upsert: bool) -> duckdb.Appender:
        """Kept from commit to commit: to open one takes longer than to append a few rows."""
        known = self._appenders.get((table, upsert))
        if known is None:
            known = self.connection.appender(table, action="upsert" if upsert else "insert")
            self._appenders[table, upsert] = known
        return known

    def _replace_meta(self, words: dict[str, str]) -> None:
        """In one update, for that takes a third of an upsert's time; keys that are new are inserted."""
        if not words:
            return
        found = self.connection.execute(REPLACE_META, [words.get(key) for key in META]).fetchall()
        self._append("meta", [each for each in words.items() if each[:1] not in found])

    def _replace_board(self, row: Row) -> None:
        changed = self.connection.execute("UPDATE board SET taken_at = ?, body = ?", row).fetchall()
        if changed[0][0] == 0:
            self._append("board", [row])

    def _drop_booked(self) -> None:
        """Entries sent again after a restart are rare: only then is the ledger asked which it has."""
        query = "SELECT entry_id FROM ledger WHERE entry_id IN (SELECT unnest(?))"
        for (entry_id,) in self.connection.execute(query, [list(self._entries)]).fetchall():
            del self._entries[entry_id]

    # -- ending ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Fold the log into the file and let go of it. What was not committed is lost."""
        self._appenders.clear()
        with suppress(duckdb.Error):  # closing matters more; the log is replayed at the next start
            self.connection.checkpoint()
        self.connection.close()
        self._database.close()
