"""Exports: the same rows in every format, sums included."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal

import duckdb
import pytest

from orch.errors import UsageError
from orch.store import export
from orch.store.database import open_for_writing
from orch.store.export import TABLES, export_table, spool_table
from orch.store.queries import earned_totals

HEADER = (
    "entry_id,booked_at,period_start,period_end,host,node,protocol,stream,kind,amount,unit,usd_price,"
    "usd_price_source,usd_price_at,usd,evidence,reference,emulated"
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory, builders):
    make = builders
    writer = open_for_writing(tmp_path_factory.mktemp("filled") / "orch.duckdb", "emulated", "here", make.START)
    entries = [
        make.entry("a", usd="0.100000000000000001"),
        make.entry("b", usd="0.2", evidence="settled", reference='a "quoted", long\nline'),
        make.entry("c", usd=None, usd_price=None, usd_price_source=None, usd_price_at=None),
        make.entry("d", usd="-0.1", kind="correction", start=make.START + timedelta(hours=2)),
        make.entry("e", usd="7", kind="paid", start=make.START + timedelta(hours=3)),
    ]
    writer.add_tick(make.snapshot(make.START + timedelta(microseconds=5)), entries, 1)
    writer.add_decision(make.decision())
    writer.commit()
    yield writer
    writer.close()


def text(writer, table, fmt, **span):
    with spool_table(writer.connection, table, fmt, **span) as file:
        return file.read().decode()


def test_the_csv_of_the_ledger_has_its_columns_and_plain_figures(filled):
    body = text(filled, "ledger", "csv")
    assert body.splitlines()[0] == HEADER
    rows = list(csv.DictReader(io.StringIO(body)))
    assert [row["entry_id"] for row in rows] == list("abcde")
    assert rows[0]["usd"] == "0.100000000000000001"
    assert rows[0]["period_start"] == "2026-03-01T10:00:00Z"
    assert rows[1]["reference"] == 'a "quoted", long\nline'
    assert rows[2]["usd"] == ""
    assert rows[3]["amount"] == "2.500000000000000000"
    assert rows[0]["emulated"] == "true"


@pytest.mark.parametrize("fmt", ["csv", "json"])
def test_exported_sums_are_the_earned_totals(filled, fmt):
    body = text(filled, "ledger", fmt)
    rows = json.loads(body) if fmt == "json" else list(csv.DictReader(io.StringIO(body)))
    income = [row for row in rows if row["kind"] in {"earned", "correction"} and row["usd"]]
    total = earned_totals(filled.connection).total
    for evidence in ("settled", "accrued", "estimated"):
        summed = sum((Decimal(row["usd"]) for row in income if row["evidence"] == evidence), Decimal(0))
        assert summed == getattr(total, evidence)


def test_json_keeps_nested_shapes_and_knows_null(filled):
    (decision,) = json.loads(text(filled, "decisions", "json"))
    assert decision["reasons"] == ["GAIN_BELOW_COST", "HOLD_ACTIVE"]
    assert decision["to_value"]["disk"]["memory_gb"] == 0.1
    assert decision["gain_usd"] == "0.000000000000000001"
    assert decision["net_benefit_pct"] is None
    assert decision["decided_at"] == "2026-03-01T10:00:00Z"
    (sample,) = json.loads(text(filled, "samples", "json"))
    assert sample["taken_at"] == "2026-03-01T10:00:00.000005Z"
    assert sample["usd_mean"] == 0.25
    assert sample["memory_used"] is None


def test_parquet_keeps_the_types(filled, tmp_path):
    target = tmp_path / "it's a ledger.parquet"
    assert export_table(filled.connection, "ledger", "parquet", None, None, target) == 5
    with duckdb.connect() as other:
        rows = other.execute(
            "SELECT usd, booked_at FROM read_parquet(?) ORDER BY entry_id", [str(target)]
        ).fetchall()
    stored = filled.connection.execute("SELECT usd, booked_at FROM ledger ORDER BY entry_id").fetchall()
    assert rows == stored


def test_since_and_until_bound_the_time_of_the_table(filled, make):
    later = make.START + timedelta(hours=3)
    rows = json.loads(text(filled, "ledger", "json", since=later, until=later + timedelta(hours=1)))
    assert [row["entry_id"] for row in rows] == ["d"]


@pytest.mark.parametrize("fmt", ["csv", "json", "parquet"])
def test_every_table_can_be_exported_empty(empty_writer, tmp_path, fmt):
    for table in TABLES:
        target = tmp_path / table
        assert export_table(empty_writer.connection, table, fmt, None, None, target) == 0
        if fmt == "json":
            assert json.loads(target.read_text()) == []


@pytest.mark.parametrize("fmt", ["csv", "json", "parquet"])
def test_a_long_table_is_the_same_whether_written_at_once_or_in_slices(writer, make, fmt, tmp_path, monkeypatch):
    for number, minutes in enumerate((175, 75, 0, 125, 225, 100)):
        writer.add_tick(make.snapshot(make.START + timedelta(minutes=minutes)), [], number)
    writer.commit()
    whole, sliced = tmp_path / f"whole.{fmt}", tmp_path / f"sliced.{fmt}"
    assert export_table(writer.connection, "samples", fmt, None, None, whole) == 6
    monkeypatch.setattr(export, "SLICE_ROWS", 2)
    assert len(list(export._slices(writer.connection, "samples", (None, None), 2))) == 3
    assert export_table(writer.connection, "samples", fmt, None, None, sliced) == 6
    query = "SELECT COLUMNS(*)::VARCHAR FROM "
    with duckdb.connect() as other:
        rows, same = (other.execute(f"{query} '{path}'").fetchall() for path in (whole, sliced))
    assert same == rows
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert fmt == "parquet" or sliced.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("table", "fmt"), [("meta", "csv"), ("ledger; DROP TABLE ledger", "csv"), ("ledger", "xml")]
)
def test_what_is_not_offered_is_refused_at_once(empty_writer, table, fmt):
    with pytest.raises(UsageError):
        spool_table(empty_writer.connection, table, fmt)
