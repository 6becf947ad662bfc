"""What was recorded of a run makes the same decisions again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from orch.boot.staged import staged_house
from orch.cli import main
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.world import World
from orch.errors import StoreError
from orch.reallocation.settings import MoveLimits
from orch.replay.entrants import make_entrants
from orch.replay.hindsight import look_back
from orch.replay.recorded import Bench, decisions, replay
from orch.replay.whatif import what_if
from orch.store.database import open_for_writing, open_read_only
from orch.strategies.registry import load_strategies

START = datetime(2026, 11, 2, tzinfo=UTC)
HOURS = 2


def record(directory, **optimizer):
    """A demonstration of some hours on the stage, recorded."""
    world = World(3, START)
    tables = {
        "orch": {"mode": "auto", "data_dir": str(directory)},
        "cadence": {"poll_s": 120, "analyze_s": 300, "decide_s": 600},
        "optimizer": optimizer,
        **demo_nodes(emulated_urls()),
    }
    house = staged_house(
        from_tables(tables, demo_environment(), directory),
        directory,
        lambda request, now, _: answer_request(world, request, now),
        start=world.start,
        seed=3,
        commit_every_s=3600,
        board_every_s=3600,
    )
    house.stage.run_for(HOURS * 3600)
    house.close()
    assert house.failures() == {}
    return directory / "orch.duckdb"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = record(tmp_path_factory.mktemp("recorded"))
    # Kept open for reading: DuckDB takes long to begin, and further readers share what the first began.
    with open_read_only(path):
        yield path


def replayed(path):
    with open_read_only(path) as connection:
        return replay(connection, Bench(load_strategies()))


def test_a_replay_makes_the_same_decisions_to_the_last_field(database):
    found = replayed(database)
    assert found.differs == ()
    assert found.same == found.decisions == HOURS * 6
    assert found.missing == 0
    assert found.moves > 0


def test_hindsight_puts_the_split_that_was_held_beside_others(database):
    with open_read_only(database) as connection:
        found = look_back(connection, START, START + timedelta(hours=HOURS), 0.01)
        nothing = look_back(connection, START - timedelta(hours=9), START, 0.0)
    compared = found.comparison
    assert compared.hours >= 1.0
    assert compared.best_fixed_usd >= max(compared.never_moved_usd, 0.0)
    moved = compared.as_recorded_usd - compared.never_moved_usd - 0.01
    assert compared.gained_by_moving_usd == pytest.approx(moved)
    left = compared.best_fixed_usd - compared.as_recorded_usd + 0.01
    assert compared.left_on_the_table_usd == pytest.approx(left)
    assert compared.splits >= 2
    assert (nothing.comparison, nothing.costs) == (None, ())


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        {"strategy": "all_of", "all_of": {"of": ["periodic", "threshold"]}, "threshold": {"margin_pct": 3}},
        {"strategy": "predictive", "solver": "greedy"},
    ],
)
def test_so_it_does_with_other_strategies_and_options(optimizer, tmp_path):
    found = replayed(record(tmp_path, **optimizer))
    assert found.differs == ()
    assert found.same == found.decisions > 10


def test_a_decision_that_came_out_otherwise_is_named(database, tmp_path):
    copy = tmp_path / "orch.duckdb"
    copy.write_bytes(database.read_bytes())
    writer = open_for_writing(copy, "emulated", "stage", START)
    (changed,) = writer.connection.execute("SELECT min(id) FROM decisions").fetchall()[0]
    writer.connection.execute("UPDATE decisions SET sentence = 'x', horizon_h = 1 WHERE id = ?", [changed])
    writer.close()
    found = replayed(copy)
    assert [(each.id, set(each.fields)) for each in found.differs] == [(changed, {"sentence", "horizon_h"})]
    assert found.same == found.decisions - 1


def test_another_strategy_is_gone_through_the_same_time(database):
    bench = Bench(load_strategies())
    entered = make_entrants(("threshold", "keep"), ("linear",), load_strategies(), {})
    with open_read_only(database) as connection:
        rows = what_if(lambda: decisions(connection), bench, entered, MoveLimits())
    found = {each.name: each for each in rows}
    assert set(found) == {"threshold", "keep", "as recorded", "best fixed", "perfect foresight"}
    assert found["keep"].moves == 0
    assert found["threshold"].moves == found["as recorded"].moves > 0
    assert found["threshold"].net_usd > found["keep"].net_usd
    assert all(each.regret_usd >= -1e-12 for name, each in found.items() if name != "best fixed")


def test_without_recorded_inputs_it_says_so(tmp_path):
    path = tmp_path / "orch.duckdb"
    open_for_writing(path, "emulated", "stage", START).close()
    with pytest.raises(StoreError, match="Nothing can be replayed"):
        replayed(path)


def test_a_minute_of_inputs_takes_few_bytes(database):
    with open_read_only(database) as connection:
        ((rows, size),) = connection.execute(
            "SELECT count(*), avg(octet_length(body)) FROM decision_inputs WHERE base IS NOT NULL"
        ).fetchall()
    assert rows >= 10
    assert size < 4096


def plan(database, *options):
    found = CliRunner().invoke(main, ["plan", "--data-dir", str(database.parent), "--json", *options])
    return found.exit_code, json.loads(found.stdout) if found.exit_code == 0 else found.stderr


def test_the_same_solver_makes_the_same_plan_and_names_itself(database):
    _, recorded = plan(database)
    code, again = plan(database, "--solver", recorded["solver"])
    assert code == 0
    assert again.pop("id") == f"{recorded.pop('id')} by {recorded['solver']}"
    assert again == recorded


@pytest.mark.parametrize("solver", ["greedy", "exact", "keep"])
def test_another_solver_says_what_it_would_do(database, solver):
    _, recorded = plan(database)
    code, found = plan(database, "--solver", solver)
    assert code == 0
    assert found["solver"] == solver
    assert found["decision_id"] == recorded["decision_id"]
    assert found["from"] == recorded["from"]


def test_a_solver_that_is_not_there_is_told_with_those_that_are(database):
    code, said = plan(database, "--solver", "oracle")
    assert code == 2
    assert "'oracle'" in said
    assert "greedy" in said


def test_a_plan_of_another_solver_is_not_carried_out(database):
    found = CliRunner().invoke(main, ["plan", "--data-dir", str(database.parent), "--solver", "greedy", "--apply"])
    assert found.exit_code == 2
    assert "[optimizer]" in found.stderr
