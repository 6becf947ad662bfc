"""What a tax adviser would ask: the sums of the exported ledger are the figures of `status`, to the last digit."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal

import duckdb
import pytest
from click.testing import CliRunner
from emulated_week import START, week_house

from orch.cli import main
from orch.emulator.facts import NODES
from orch.emulator.world import World
from orch.store.database import open_read_only
from orch.system.paths import DATABASE_FILE

SEED, HOURS = 31, 1
EVIDENCE = ("settled", "accrued", "estimated")
FORMATS = ("json", "csv", "parquet")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """What a house left behind after some hours on an emulated world."""
    data_dir = tmp_path_factory.mktemp("house")
    house = week_house(World(SEED, START), data_dir)
    house.stage.run_for(HOURS * 3600)
    house.close()
    # Kept open for reading: DuckDB takes long to begin, and further readers share what the first began.
    with open_read_only(data_dir / DATABASE_FILE):
        yield data_dir


def orch(*words):
    found = CliRunner().invoke(main, [str(word) for word in words], prog_name="orch")
    assert found.exit_code == 0, found.stderr
    return found


@pytest.fixture(scope="module")
def exported(data_dir, tmp_path_factory):
    """The rows of the exported ledger by format: what any other program reads."""
    target = tmp_path_factory.mktemp("out") / "ledger.parquet"
    orch("export", "ledger", "--format", "parquet", "--output", target, "--data-dir", data_dir)
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(target)])
        names = [column[0] for column in found.description]
        parquet = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    text = {
        fmt: orch("export", "ledger", "--format", fmt, "--data-dir", data_dir).stdout for fmt in ("json", "csv")
    }
    return {
        "json": json.loads(text["json"]),
        "csv": list(csv.DictReader(io.StringIO(text["csv"]))),
        "parquet": parquet,
    }


@pytest.fixture(scope="module")
def board(data_dir):
    return json.loads(orch("status", "--json", "--data-dir", data_dir).stdout)


def sums_of(rows):
    """USD by node and evidence, by the definition of `earned_usd`."""
    sums = defaultdict(Decimal)
    for row in rows:
        if row["kind"] in {"earned", "correction"} and row["usd"] not in {None, ""}:
            sums[row["node"], row["evidence"]] += Decimal(row["usd"])
    return sums


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_sums_of_the_ledger_are_the_figures_of_status(exported, board, fmt):
    sums = sums_of(exported[fmt])
    assert len(exported[fmt]) > 200
    for node in board["nodes"]:
        for evidence in EVIDENCE:
            assert Decimal(node["earned_usd"][evidence]) == sums[node["name"], evidence], (node["name"], evidence)
    for evidence in EVIDENCE:
        whole = sum((sums[name, evidence] for name in NODES), Decimal(0))
        assert Decimal(board["total"]["earned_usd"][evidence]) == whole
    assert {evidence for (_, evidence), usd in sums.items() if usd} <= set(EVIDENCE)


@pytest.mark.parametrize("node", NODES)
def test_a_trail_leads_from_the_figures_to_their_entries(exported, board, data_dir, node):
    trail = json.loads(orch("status", "--trace", node, "--json", "--data-dir", data_dir).stdout)
    (shown,) = (each for each in board["nodes"] if each["name"] == node)
    assert {e: Decimal(trail["earned_usd"][e]) for e in EVIDENCE} == {
        e: Decimal(shown["earned_usd"][e]) for e in EVIDENCE
    }
    assert sum(each["entries"] for each in trail["streams"]) == sum(row["node"] == node for row in exported["csv"])


def test_every_entry_says_at_what_price_from_where_and_where_to_look_it_up(exported):
    for row in exported["json"]:
        assert row["reference"]
        if row["usd"] is None:
            assert row["evidence"] == "speculative"
        else:
            assert row["usd_price"] is not None
            assert row["usd_price_source"]
            # Each figure has 18 digits, so a price worked out of two of them is sure to its last but few.
            product = Decimal(row["amount"]) * Decimal(row["usd_price"])
            assert abs(product - Decimal(row["usd"])) <= Decimal("1e-15") * max(1, abs(Decimal(row["amount"])))


def test_what_was_held_paid_or_kept_is_told_apart_from_income(exported):
    signs = defaultdict(set)
    for row in exported["json"]:
        signs[row["kind"]].add(Decimal(row["amount"]) > 0)
    assert {"earned", "held"} <= signs.keys()
    assert signs["held"] == {True}
    assert all(signs[kind] <= {False} for kind in ("fee", "gas", "penalty"))
