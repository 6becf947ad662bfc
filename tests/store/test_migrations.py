"""Recorded moves of older versions, brought up to the present one."""

from orch.store import queries
from orch.store.database import open_for_writing
from tests.fakes.values import NOON, rate, reallocation


def test_moves_recorded_before_the_counterfactual_are_kept(tmp_path):
    path = tmp_path / "orch.duckdb"
    moves = [reallocation("r1", predicted_gain_usd_per_hour=rate()), reallocation("r2", state="refused")]
    writer = open_for_writing(path, "real", "h", NOON)
    for move in moves:
        writer.add_reallocation(move)
    writer.commit()
    # As version 2 had it.
    writer.connection.execute("ALTER TABLE reallocations DROP COLUMN counterfactual_usd_per_hour")
    writer.connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    writer.close()

    writer = open_for_writing(path, "real", "h", NOON)
    try:
        assert queries.get_reallocation_history(writer.connection)[::-1] in (tuple(moves), tuple(moves[::-1]))
        judged = reallocation("r1", verdict="paid", counterfactual_usd_per_hour=0.25)
        writer.add_reallocation(judged)
        writer.commit()
        assert queries.reallocation(writer.connection, "r1") == judged
    finally:
        writer.close()
