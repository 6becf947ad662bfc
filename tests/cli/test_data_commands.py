"""The commands on recorded data, beside a running engine and after it stopped."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import pytest

from orch.messages import RollBackReallocation
from orch.store.database import open_read_only
from orch.system.paths import DATABASE_FILE, ENGINE_FILE

COMMANDS = (
    ("plan", "--json"),
    ("explain", "--json"),
    ("explain", "d1", "--json"),
    ("explain", "r2", "--json"),
    ("history", "--json"),
    ("history", "--since", "25m", "--json"),
    ("history", "--metric", "usd_per_hour", "--since", "30m", "--step", "5m", "--json"),
    ("history", "--metric", "allocation", "--node", "disk", "--json"),
    ("history", "--metric", "health", "--json"),
    ("status", "--trace", "disk", "--json"),
    ("report", "--period", "25m"),
    ("report", "--format", "json"),
    ("report", "--format", "html"),
    ("export", "ledger"),
    ("export", "decisions", "--format", "json"),
    ("export", "samples", "--since", "11m", "--until", "1m"),
)
EARNED = {
    "settled": Decimal("9.623456789012345678"),
    "accrued": Decimal("0.5"),
    "estimated": Decimal("0.7"),
}


def earned(body):
    return {evidence: Decimal(value) for evidence, value in body.items()}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_stopped_and_a_running_engine_say_the_same(orch, stopped, running, command):
    beside = orch(*command, "--data-dir", running.data_dir)
    after = orch(*command, "--data-dir", stopped)
    assert (beside.exit_code, after.exit_code) == (0, 0), (beside.stderr, after.stderr)
    assert beside.stdout == after.stdout
    assert len(beside.stdout) > 50
    assert beside.stderr == after.stderr == ""


def test_status_is_one_body_in_both_cases(orch, stopped, running):
    beside = json.loads(orch("status", "--json", "--data-dir", running.data_dir).stdout)
    after = json.loads(orch("status", "--json", "--data-dir", stopped).stdout)
    assert beside == json.loads(running.slot.body())
    assert after["engine"] == {**beside["engine"], "running": False, "pid": None}
    for body in (beside, after):
        body.pop("engine")
        body["total"].pop("earned_usd")
        for node in body["nodes"]:
            node.pop("earned_usd")
    assert after == beside


def test_what_was_earned_is_the_sum_over_the_exported_ledger_to_the_last_digit(orch, stopped):
    body = json.loads(orch("status", "--json", "--data-dir", stopped).stdout)
    rows = list(csv.DictReader(io.StringIO(orch("export", "ledger", "--data-dir", stopped).stdout)))
    sums = {
        evidence: sum(
            Decimal(row["usd"])
            for row in rows
            if row["kind"] in ("earned", "correction") and row["evidence"] == evidence and row["usd"]
        )
        for evidence in EARNED
    }
    assert earned(body["total"]["earned_usd"]) == sums == EARNED
    by_node = {node["name"]: earned(node["earned_usd"]) for node in body["nodes"]}
    assert by_node["compute"] == {"settled": 0, "accrued": 0, "estimated": Decimal("0.7")}
    assert by_node["address"] == {"settled": 0, "accrued": 0, "estimated": 0}
    assert sum(each["settled"] for each in by_node.values()) == EARNED["settled"]
    assert all("E" not in value for value in body["total"]["earned_usd"].values())


def test_a_report_has_the_totals_of_the_ledgers_export_of_the_same_time(orch, stopped):
    for period in ("7d", "15m"):
        body = json.loads(orch("report", "--period", period, "--format", "json", "--data-dir", stopped).stdout)
        span = ("--since", body["since"], "--until", body["until"])
        exported = orch("export", "ledger", *span, "--data-dir", stopped).stdout
        rows = [row for row in csv.DictReader(io.StringIO(exported)) if row["usd"]]
        income = [
            row for row in rows if row["kind"] in ("earned", "correction") and row["evidence"] != "speculative"
        ]
        booked = body["booked"]
        assert Decimal(booked["income_usd"]) == sum(Decimal(row["usd"]) for row in income)
        for evidence in EARNED:
            mine = [Decimal(row["usd"]) for row in income if row["evidence"] == evidence]
            assert Decimal(booked[f"{evidence}_usd"]) == sum(mine)
        fees = [Decimal(row["usd"]) for row in rows if row["kind"] in ("fee", "gas", "penalty")]
        assert Decimal(booked["fees_usd"]) == sum(fees)
        for node in body["nodes"]:
            own = [Decimal(row["usd"]) for row in income if row["node"] == node["node"]]
            assert Decimal(node["income_usd"]) == sum(own)
    assert Decimal(booked["income_usd"]) == Decimal("0.7")


def test_a_report_is_written_to_a_file(orch, stopped, tmp_path):
    done = orch("report", "--format", "html", "--output", tmp_path / "r.html", "--data-dir", stopped)
    assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["home", "r.html"]


def test_the_trail_of_a_node_sums_up_to_what_status_says(orch, stopped):
    body = json.loads(orch("status", "--trace", "disk", "--json", "--data-dir", stopped).stdout)
    assert earned(body["earned_usd"]) == {**EARNED, "estimated": 0}
    assert {row["entry_id"] for row in body["newest"]} == {f"e{index}" for index in range(1, 8)}
    unpriced = next(each for each in body["streams"] if each["unit"] == "DATA")
    assert (Decimal(unpriced["unpriced"]), Decimal(unpriced["usd"])) == (Decimal("2.5"), 0)
    shown = orch("status", "--trace", "disk", "--data-dir", stopped).stdout
    assert "9.62 settled" in shown
    assert "0.00 + ?" in shown


def test_ages_of_emulated_data_stand_still_and_those_of_real_data_go_on(orch, make, tmp_path):
    make.write(tmp_path / "e").close()
    make.write(tmp_path / "r", kind="real").close()
    emulated = json.loads(orch("status", "--json", "--data-dir", tmp_path / "e").stdout)
    real = json.loads(orch("status", "--json", "--data-dir", tmp_path / "r").stdout)
    assert emulated["total"]["usd_per_hour"]["age_s"] == 60.0
    assert real["total"]["usd_per_hour"]["age_s"] > 60.0
    assert real["nodes"][0]["usd_per_hour"]["age_s"] == real["total"]["by_protocol"]["storj"]["age_s"] > 60.0
    assert real["as_of"] == emulated["as_of"]
    assert real["nodes"][2]["usd_per_hour"] is None


def test_a_stopped_engine_is_shown_as_stopped_and_emulated(orch, stopped):
    shown = orch("status", "--data-dir", stopped).stdout
    assert shown.splitlines()[0].startswith(" EMULATED 60x  orch · mode auto · STOPPED")
    assert "Next move    none while orch is stopped" in shown


def test_nothing_of_a_data_command_stays_open(orch, own_stopped):
    # One reader throughout, whose DuckDB the others share: beginning anew for each takes longer than all else.
    with open_read_only(own_stopped / DATABASE_FILE):
        for command in COMMANDS:
            orch(*command, "--data-dir", own_stopped)
    duckdb.connect(str(own_stopped / DATABASE_FILE)).close()
    assert not list(own_stopped.glob("*.tmp*"))


# -- what is not there -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [("status",), ("plan",), ("explain",), ("history",), ("export", "ledger"), ("rollback", "r1")]
)
def test_without_data_there_is_one_sentence_and_exit_1(orch, tmp_path, command):
    found = orch(*command, "--data-dir", tmp_path / "none")
    assert found.exit_code == 1
    assert found.stdout == ""
    assert found.stderr.startswith("Error: ")
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_without_configuration_the_demonstration_is_meant(orch, home, make):
    data_dir = home / ".local" / "share" / "orch-demo"
    assert str(data_dir) in orch("status").stderr
    data_dir.parent.mkdir(parents=True)
    make.write(data_dir).close()
    assert orch("status").exit_code == 0


def test_an_empty_database_has_no_board_plan_or_decision_yet(orch, tmp_path, make):
    from orch.store.database import open_for_writing

    open_for_writing(tmp_path / DATABASE_FILE, "emulated", "here", make.START).close()
    for command, said in (("status", "no board yet"), ("plan", "no plan yet"), ("explain", "no decision yet")):
        found = orch(command, "--data-dir", tmp_path)
        assert (found.exit_code, found.stdout) == (1, "")
        assert said in found.stderr
    told = json.loads(orch("history", "--json", "--data-dir", tmp_path).stdout)
    assert (told["schema"], told["reallocations"], told["switches"]["paid"]) == (1, [], 0)
    assert "No reallocations yet." in orch("history", "--data-dir", tmp_path).stdout


@pytest.mark.parametrize(
    "command",
    [
        ("explain", "d9"),
        ("status", "--trace", "nobody"),
        ("export", "secrets"),
        ("export", "ledger", "--since", "yesterday"),
        ("export", "ledger", "--since", "1h", "--until", "2h"),
        ("history", "--node", "disk"),
        ("history", "--metric", "usd_per_hour", "--node", "nobody"),
        ("history", "--metric", "usd_per_hour", "--since", "36500d", "--step", "1s"),
        ("history", "--metric", "usd_per_hour", "--step", "0.5s"),
        ("history", "--metric", "colour"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(orch, stopped, running, command):
    for data_dir in (stopped, running.data_dir):
        found = orch(*command, "--data-dir", data_dir)
        assert found.exit_code == 2, found.stderr
        assert found.stdout == ""
        assert "Error" in found.stderr


def test_a_board_of_another_version_is_one_sentence(orch, own_stopped):
    with duckdb.connect(str(own_stopped / DATABASE_FILE)) as database:
        database.execute("UPDATE board SET body = '{\"schema\": 1}'")
    found = orch("status", "--data-dir", own_stopped)
    assert found.exit_code == 1
    assert "another version of orch" in found.stderr


# -- the running engine ------------------------------------------------------------------------------------


def test_before_the_first_board_the_running_engine_has_none(orch, own_running):
    own_running.slot._body = None
    found = orch("status", "--data-dir", own_running.data_dir)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "no board yet" in found.stderr


def test_an_engine_that_does_not_answer_is_named(orch, own_running):
    own_running.announce(url="http://127.0.0.1:9")
    found = orch("status", "--data-dir", own_running.data_dir)
    assert found.exit_code == 1
    assert "does not answer at http://127.0.0.1:9" in found.stderr


def test_an_engine_that_stopped_in_between_has_left_its_file(orch, stopped, running, monkeypatch):
    from orch.cli import source

    info = source.read_engine(running.data_dir)
    answers = iter([msgspec.structs.replace(info, url="http://127.0.0.1:9"), None])
    monkeypatch.setattr(source, "read_engine", lambda _: next(answers))
    found = orch("status", "--json", "--data-dir", stopped)
    assert json.loads(found.stdout)["engine"]["running"] is False


def test_what_a_dead_engine_left_is_not_asked(orch, own_stopped, running):
    (own_stopped / ENGINE_FILE).write_bytes(
        msgspec.json.encode(
            {
                "pid": 2**22 - 1,
                "url": running.url,
                "token_file": "x",
                "kind": "emulated",
                "started_at": "2026-03-01T10:00:00Z",
                "version": "0",
            }
        )
    )
    assert json.loads(orch("status", "--json", "--data-dir", own_stopped).stdout)["engine"]["running"] is False


def test_a_wrong_token_is_refused_and_a_missing_one_named(orch, own_running):
    Path(own_running.token_file).write_text("x" * 32)
    wrong = orch("status", "--data-dir", own_running.data_dir)
    Path(own_running.token_file).unlink()
    missing = orch("status", "--data-dir", own_running.data_dir)
    assert (wrong.exit_code, missing.exit_code) == (1, 1)
    assert "token" in wrong.stderr
    assert "web.token" in missing.stderr


def test_all_pages_of_a_long_history_are_read(orch, own_running, make, monkeypatch):
    from orch.cli import running as client

    monkeypatch.setattr(client, "PAGE", 2)
    for index in range(5):
        own_running.writer.add_reallocation(make.move(f"m{index}", when=make.START + timedelta(hours=index)))
    own_running.writer.commit()
    body = json.loads(orch("history", "--json", "--data-dir", own_running.data_dir).stdout)
    assert [each["id"] for each in body["reallocations"]] == ["m4", "m3", "m2", "m1", "r2", "r1", "m0"]


def test_a_rollback_is_an_order_with_the_token(orch, own_running):
    found = orch("rollback", "r1", "--data-dir", own_running.data_dir)
    assert found.exit_code == 0
    assert own_running.orders == [("reallocation", RollBackReallocation(reallocation_id="r1"))]
    unknown = orch("rollback", "r9", "--data-dir", own_running.data_dir)
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "no reallocation r9" in unknown.stderr


def test_a_rollback_needs_a_running_engine(orch, stopped):
    found = orch("rollback", "r1", "--data-dir", stopped)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "No engine runs" in found.stderr


# -- export ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["csv", "parquet", "json"])
def test_an_export_to_a_file_is_whole_and_says_so_on_stderr(orch, stopped, tmp_path, fmt):
    target = tmp_path / f"ledger.{fmt}"
    found = orch("export", "ledger", "--format", fmt, "--output", target, "--data-dir", stopped)
    assert (found.exit_code, found.stdout) == (0, "")
    assert "bytes of ledger written" in found.stderr
    rows = duckdb.connect().execute(f"SELECT count(*) FROM '{target}'").fetchall()
    assert rows == [(8,)]
    assert list(tmp_path.glob(f".ledger.{fmt}*")) == []


def test_an_export_that_cannot_be_written_is_one_sentence(orch, stopped, tmp_path):
    target = tmp_path / "missing" / "ledger.csv"
    found = orch("export", "ledger", "--output", target, "--data-dir", stopped)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "cannot be written" in found.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal_says_how_far_an_export_is(stopped, monkeypatch):
    from orch.cli.progress import progress
    from orch.cli.recorded import RecordedData

    seen = []
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("ledger", to_file=True) as told:
        assert told is not None
        hear = lambda done, whole: seen.append((done, whole)) or told(done, whole)  # noqa: E731 - two listeners
        body = b"".join(RecordedData(stopped / DATABASE_FILE).table("ledger", "csv", None, None, hear))
    assert seen == [(8, 8)]
    assert body.count(b"\n") == 9
    assert "ledger" in terminal.getvalue()


@pytest.mark.parametrize("terminals", [(), ("stdout", "stderr")])
def test_there_is_no_bar_without_a_terminal_and_none_among_the_rows(monkeypatch, terminals):
    from orch.cli.progress import progress

    for name in terminals:
        monkeypatch.setattr(f"sys.{name}", Terminal())
    with progress("ledger", to_file=False) as told:
        assert told is None


def test_a_running_engine_says_how_many_bytes_come(orch, running):
    from orch.cli.source import open_source

    seen = []
    with open_source(running.data_dir) as source:
        body = b"".join(source.table("ledger", "json", None, None, lambda *how_far: seen.append(how_far)))
    assert seen[-1] == (len(body), len(body))


# -- for people --------------------------------------------------------------------------------------------


def test_a_decision_is_explained(orch, stopped):
    shown = orch("explain", "d1", "--data-dir", stopped).stdout
    for part in (
        " STAY   2026-03-01 10:00:00 UTC, 30 min ago",
        "HOLD_ACTIVE      a node was moved a short while ago and rests",
        "disk       6 → 1.5         16     150    3,000",
        "+0.0213 USD/h (0.0170 to 0.0256, estimated)",
        "at least 0.4089 USD over 24 h",
        "0.4073 USD (99.6 % of the gain)",
        "tried linear, greedy",
        "Until 2026-03-01 10:42:00 UTC, in 12 min",
    ):
        assert part in shown


def test_a_plan_is_shown_with_what_else_was_seen(orch, stopped):
    shown = orch("plan", "--data-dir", stopped).stdout
    assert "plan p2 of decision d2" in shown
    assert "41 % over present income" in shown
    assert "misallocated  compute  cores       2 → 6.5" in shown


def test_moves_and_series_are_shown(orch, stopped):
    moves = orch("history", "--data-dir", stopped).stdout
    assert moves.index("id r2") < moves.index("id r1")
    assert "It did not take." in moves
    series = orch("history", "--metric", "usd_per_hour", "--since", "30m", "--step", "5m", "--data-dir", stopped)
    assert "disk          ▅▆▆▇▇██" in series.stdout
    assert "0.0160" in series.stdout
    nothing = orch("history", "--metric", "health", "--since", "2026-03-02", "--data-dir", stopped)
    assert "Nothing is recorded" in nothing.stdout


@pytest.mark.parametrize(
    "command", [("status",), ("plan",), ("explain",), ("history",), ("status", "--trace", "disk")], ids=" ".join
)
def test_everything_for_people_fits_80_columns(orch, stopped, command):
    shown = orch(*command, "--data-dir", stopped).stdout
    assert max(len(line) for line in shown.splitlines()) <= 80
