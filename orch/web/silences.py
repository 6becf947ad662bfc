"""Silencing an alert: nobody is told of it for a while. It stays on the board, and in the record."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State  # noqa: TC002 - Litestar reads annotations at run time
from litestar.exceptions import NotFoundException, ServiceUnavailableException

from orch.errors import UsageError
from orch.messages import SilenceAlert
from orch.model.alerts import Alert
from orch.store.rows import ALERT
from orch.web.answers import Name, backend_of, from_store
from orch.web.refusals import errors
from orch.web.shapes import SilenceBody

if TYPE_CHECKING:
    import duckdb

    from orch.web.backend import Backend

MONITOR = "monitor"
LONGEST_S = 366 * 86_400.0
LONGEST_COMMENT = 500


class SilenceOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many real seconds, and why. 0 lifts a silence."""

    for_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)]
    comment: Annotated[str, msgspec.Meta(max_length=LONGEST_COMMENT)] = ""


class _Board(msgspec.Struct):
    as_of: datetime
    alerts: tuple[Alert, ...] = ()


@post(
    "/api/v1/alerts/{alert_id:str}/silence",
    opt={"takes": SilenceOrder},
    status_code=202,
    responses=errors(400, 404, 413, 415, 503),
)
async def silence(state: State, request: Request[Any, Any, Any], alert_id: Name) -> SilenceBody:
    """Tell nobody of what this alert is about (its rule and node, further episodes too) for a while."""
    try:
        order = msgspec.json.decode(await request.body(), type=SilenceOrder)
    except msgspec.MsgspecError as error:
        raise UsageError(f'The body is not what it should be, such as {{"for_s": 3600}}: {error}') from error
    backend = backend_of(state)
    alert = _on_board(backend, alert_id)
    if alert is None:
        alert = await from_store(state, lambda store: _recorded(store, alert_id))
    if alert is None:
        raise NotFoundException(f"There is no alert {alert_id}")
    told = SilenceAlert(
        alert_id=alert.id, rule=alert.rule, node=alert.node, for_s=order.for_s, comment=order.comment
    )
    if not backend.tell(MONITOR, told):
        raise ServiceUnavailableException("The monitor is not there now; try again in a moment")
    return SilenceBody(
        accepted="silence" if order.for_s else "unsilence", id=alert.id, rule=alert.rule, node=alert.node
    )


def _on_board(backend: Backend, alert_id: str) -> Alert | None:
    body = backend.board.body()
    if body is None:
        return None
    return next((each for each in msgspec.json.decode(body, type=_Board).alerts if each.id == alert_id), None)


def _recorded(store: duckdb.DuckDBPyConnection, alert_id: str) -> Alert | None:
    query = f"SELECT {ALERT.columns} FROM alerts WHERE id = ?"  # noqa: S608 - the columns are the Struct's own
    rows = store.execute(query, [alert_id]).fetchall()
    return ALERT.decode(rows[0]) if rows else None


ROUTES = (silence,)
