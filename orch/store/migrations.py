"""The schema's version, and the way from older ones.

`schema.sql` is the whole present schema, for new files. A change raises SCHEMA_VERSION, changes
`schema.sql`, and adds the statements that bring a file of the version before up to it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

SCHEMA_VERSION = 3
STEPS: Mapping[int, str] = {
    1: """
    CREATE TABLE decision_inputs (
        id VARCHAR NOT NULL, decided_at TIMESTAMP NOT NULL, host VARCHAR NOT NULL, base VARCHAR, body BLOB NOT NULL
    )
    """,
    2: """
    CREATE TABLE moved AS SELECT * FROM reallocations;
    DROP TABLE reallocations;
    CREATE TABLE reallocations (
        id VARCHAR PRIMARY KEY, plan_id VARCHAR, decision_id VARCHAR, state VARCHAR NOT NULL,
        trigger VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP, changes JSON NOT NULL,
        reasons JSON NOT NULL, sentence VARCHAR NOT NULL, predicted_gain_usd_per_hour JSON,
        cost_usd DECIMAL(38, 18), realised_gain_usd_per_hour JSON, verdict VARCHAR NOT NULL,
        rolled_back_reason VARCHAR, counterfactual_usd_per_hour DOUBLE, host VARCHAR NOT NULL
    );
    INSERT INTO reallocations BY NAME SELECT * FROM moved;
    DROP TABLE moved
    """,
}
"""Version n to the SQL that makes version n + 1 of it."""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Lay the present schema in an empty file, within the caller's transaction."""
    connection.execute(files("orch.store").joinpath("schema.sql").read_text(encoding="utf-8"))


def migrate(
    connection: duckdb.DuckDBPyConnection,
    found: int,
    steps: Mapping[int, str] = STEPS,
    wanted: int = SCHEMA_VERSION,
) -> None:
    """Bring a file up to the wanted version, one version at a time, within the caller's transaction.

    Raises:
        KeyError: A step is missing: a mistake of the release, found by its tests.
    """
    for version in range(found, wanted):
        connection.execute(steps[version])
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(version + 1)])
