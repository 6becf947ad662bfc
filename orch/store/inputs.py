"""What decisions were made of, packed: one minute's inputs are much like those of the minute before.

A row is MessagePack, deflated with the newest row before it that stands alone as its dictionary (`base`); such a
row comes at least once an hour. The foresight of an hour is a row of its own, named by the others.
"""

from __future__ import annotations

import zlib
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.errors import StoreError
from orch.model.base import Value
from orch.model.forecasts import Foresight
from orch.model.inputs import DecisionInputs
from orch.store.values import from_stored_time, to_stored_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import duckdb

    from orch.store.rows import Row

ALONE_EVERY = timedelta(hours=1)
LEVEL = 6

_foresight = msgspec.msgpack.Decoder(Foresight)


class _Packed(Value):
    """A row's body: the inputs without their foresight, and its row."""

    inputs: DecisionInputs
    foresight_id: str | None


_packed = msgspec.msgpack.Decoder(_Packed)


class Packer:
    """Packs inputs in the order of time. For one writer."""

    def __init__(self) -> None:
        self._base: tuple[str, bytes, datetime] | None = None
        self._foresight: Foresight | None = None
        self._foresight_id: str | None = None

    def pack(self, decision_id: str, decided_at: datetime, host: str, inputs: DecisionInputs) -> list[Row]:
        """The rows of `decision_inputs` for one decision."""
        rows: list[Row] = []
        when = to_stored_time(decided_at)
        if inputs.foresight is not self._foresight:
            self._foresight, self._foresight_id = inputs.foresight, None
            if inputs.foresight is not None:
                self._foresight_id = f"foresight of {decision_id}"
                body = zlib.compress(msgspec.msgpack.encode(inputs.foresight), LEVEL)
                rows.append((self._foresight_id, when, host, None, body))
        body = msgspec.msgpack.encode(
            _Packed(inputs=replace(inputs, foresight=None), foresight_id=self._foresight_id)
        )
        if rows or self._base is None or decided_at - self._base[2] >= ALONE_EVERY:
            self._base = (decision_id, body, decided_at)
            rows.append((decision_id, when, host, None, zlib.compress(body, LEVEL)))
            return rows
        packer = zlib.compressobj(LEVEL, zdict=self._base[1])
        rows.append((decision_id, when, host, self._base[0], packer.compress(body) + packer.flush()))
        return rows


def read_inputs(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, DecisionInputs]]:
    """The inputs of every decision that has any, by its id, in the order of time.

    Raises:
        StoreError: A row cannot be read.
    """
    query = "SELECT id, base, body FROM decision_inputs ORDER BY decided_at, rowid"
    bodies: dict[str, bytes] = {}
    foresights: dict[str, Foresight] = {}
    rows = connection.execute(query)
    while batch := rows.fetchmany(256):
        for row_id, base, body in batch:
            try:
                if row_id.startswith("foresight of "):
                    foresights = {row_id: _foresight.decode(zlib.decompress(body))}
                    continue
                if base is None:
                    plain = zlib.decompress(body)
                    bodies = {row_id: plain}
                else:
                    unpacker = zlib.decompressobj(zdict=bodies[base])
                    plain = unpacker.decompress(body) + unpacker.flush()
                found = _packed.decode(plain)
                foresight = None if found.foresight_id is None else foresights[found.foresight_id]
            except KeyError:
                continue  # what it was packed with is older than what is kept, or was lost with a damaged log
            except (zlib.error, msgspec.DecodeError) as error:
                raise StoreError(f"What decision {row_id} was made of cannot be read: {error!r}.") from error
            yield row_id, replace(found.inputs, foresight=foresight)


def read_whole_inputs(
    connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime
) -> Iterator[tuple[str, datetime, DecisionInputs]]:
    """One decision's inputs about every hour, without foresight: the rows that stand alone, cheap to read.

    Raises:
        StoreError: A row cannot be read.
    """
    query = (
        "SELECT id, decided_at, body FROM decision_inputs "
        "WHERE base IS NULL AND NOT starts_with(id, 'foresight of ') "
        "AND decided_at >= $since AND decided_at < $until ORDER BY decided_at, rowid"
    )
    rows = connection.execute(query, {"since": to_stored_time(since), "until": to_stored_time(until)})
    while batch := rows.fetchmany(64):
        for row_id, decided_at, body in batch:
            try:
                found = _packed.decode(zlib.decompress(body))
            except (zlib.error, msgspec.DecodeError) as error:
                raise StoreError(f"What decision {row_id} was made of cannot be read: {error!r}.") from error
            yield row_id, from_stored_time(decided_at), found.inputs
