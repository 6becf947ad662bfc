"""Lists of what was decided, done and raised: newest first, part by part, by what matters about it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from orch.errors import UsageError
from orch.model.base import Value
from orch.store.rows import ALERT, DECISION, REALLOCATION, Shape

if TYPE_CHECKING:
    import duckdb

    from orch.model.alerts import Alert
    from orch.model.moves import Reallocation
    from orch.model.plans import Decision

S = TypeVar("S", bound=msgspec.Struct)

NAMED = "list_contains(json_extract_string({column}, '$[*].node'), $node)"
"""Whether one of the objects in a JSON array names a node."""
CHANGED = (
    "CASE WHEN to_value = from_value THEN false "
    "ELSE json_extract(to_value, $pointer) IS DISTINCT FROM json_extract(from_value, $pointer) END"
)
EARLIEST_YEAR = 1970
LOOK_BACK = (timedelta(days=1), timedelta(days=30), None)
"""How far a part is looked for at first, and then, and at last. Rows lie in the order of time, so most of a long
table is not read when a short time holds enough."""


class Page(Value, Generic[S]):
    """Part of a list, newest first. `next` is the cursor of the part after it, None at the end."""

    items: tuple[S, ...]
    next: str | None


def decisions(
    connection: duckdb.DuckDBPyConnection,
    limit: int = 100,
    cursor: str | None = None,
    *,
    reason: str | None = None,
    node: str | None = None,
    verdict: str | None = None,
) -> Page[Decision]:
    """Decisions, newest first; only those with a reason, about a node, or with a verdict when given.

    A decision is about a node when its plan changes the node's share, or the node stood in its way.

    Raises:
        UsageError: The cursor is none.
    """
    tests = {
        "reason": "list_contains(json_extract_string(reasons, '$[*]'), $reason)",
        "node": f"(({CHANGED}) OR {NAMED.format(column='blockers')})",
        "verdict": "verdict = $verdict",
    }
    wanted = {"reason": reason, "node": node, "verdict": verdict}
    return page(connection, DECISION, "decided_at", limit, cursor, tests, wanted)


def reallocations(
    connection: duckdb.DuckDBPyConnection,
    limit: int = 100,
    cursor: str | None = None,
    *,
    reason: str | None = None,
    node: str | None = None,
    state: str | None = None,
) -> Page[Reallocation]:
    """Reallocations, newest first; only those with a reason, that change a node, or in a state when given.

    Raises:
        UsageError: The cursor is none.
    """
    tests = {
        "reason": "list_contains(json_extract_string(reasons, '$[*]'), $reason)",
        "node": NAMED.format(column="changes"),
        "state": "state = $state",
    }
    wanted = {"reason": reason, "node": node, "state": state}
    return page(connection, REALLOCATION, "started_at", limit, cursor, tests, wanted)


def alerts(
    connection: duckdb.DuckDBPyConnection,
    limit: int = 100,
    cursor: str | None = None,
    *,
    rule: str | None = None,
    node: str | None = None,
    state: str | None = None,
) -> Page[Alert]:
    """Recorded alerts in their newest state, newest first; only those of a rule, a node, or in a state when given.

    Raises:
        UsageError: The cursor is none.
    """
    tests = {"rule": "rule = $rule", "node": "node = $node", "state": "state = $state"}
    wanted = {"rule": rule, "node": node, "state": state}
    return page(connection, ALERT, "since", limit, cursor, tests, wanted)


def page(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape[S],
    time: str,
    limit: int,
    cursor: str | None,
    tests: dict[str, str],
    wanted: dict[str, str | None],
) -> Page[S]:
    """Part of a table, newest first.

    Args:
        connection: Any to the database.
        shape: What a row is.
        time: The column that says when.
        limit: How many at most.
        cursor: `next` of the part before, None for the first.
        tests: A condition in SQL by the name of what it asks for.
        wanted: What is asked for by that name; None for whatever.

    Raises:
        UsageError: The cursor is none.
    """
    asked = {name: each for name, each in wanted.items() if each is not None}
    conditions = [tests[name] for name in asked]
    values: dict[str, Any] = {"limit": limit + 1, **asked}
    if any("$pointer" in each for each in conditions):
        values["pointer"] = _pointer(values["node"])
    if cursor is not None:
        conditions.append(f"{time} <= $before AND ({time}, id) < ($before, $before_id)")
        values["before"], values["before_id"] = newest, _ = _position(cursor)
    else:
        newest = connection.execute(f"SELECT max({time}) FROM {shape.table}").fetchall()[0][0]  # noqa: S608
    rows: list[Any] = []
    for back in LOOK_BACK if newest is not None else ():
        rows = _rows(connection, shape, time, conditions, values, None if back is None else newest - back)
        if len(rows) > limit:
            break
    kept = rows[:limit]
    more = len(rows) > limit and kept
    return Page(
        items=tuple(shape.decode(row[2:]) for row in kept),
        next=_cursor(kept[-1]) if more else None,
    )


def _rows(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape[S],
    time: str,
    conditions: list[str],
    values: dict[str, Any],
    earliest: datetime | None,
) -> list[Any]:
    """The newest rows that meet all conditions, none earlier than that; each with its time and id before it."""
    if earliest is not None:
        conditions, values = [*conditions, f"{time} >= $earliest"], values | {"earliest": earliest}
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return connection.execute(
        # Which rows is found out first: only theirs are read whole.
        f"""
        SELECT {time}, id, {shape.columns} FROM {shape.table}
        WHERE rowid IN (SELECT rowid FROM {shape.table} {where} ORDER BY {time} DESC, id DESC LIMIT $limit)
        ORDER BY {time} DESC, id DESC
        """,  # noqa: S608 - table, columns and conditions are our own
        values,
    ).fetchall()


def _pointer(node: str) -> str:
    """A node's place in a JSON object by its name, whatever stands in that (RFC 6901)."""
    return "/" + node.replace("~", "~0").replace("/", "~1")


def _cursor(row: tuple[Any, ...]) -> str:
    return urlsafe_b64encode(f"{row[0].isoformat()} {row[1]}".encode()).decode()


def _position(cursor: str) -> tuple[datetime, str]:
    try:
        time, _, last = urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        when = datetime.fromisoformat(time)
    except ValueError as error:
        message = f"{cursor!r} is not a cursor of this list: take `next` of the page before."
        raise UsageError(message) from error
    if when.tzinfo is not None or when.year < EARLIEST_YEAR:
        message = f"{cursor!r} is not a cursor of this list: take `next` of the page before."
        raise UsageError(message)
    return when, last
