"""Orders: each becomes a message to an actor, and is answered when it was taken, not when it is done."""

from __future__ import annotations

from litestar import post
from litestar.datastructures import State  # noqa: TC002 - Litestar reads annotations at run time
from litestar.exceptions import ServiceUnavailableException

from orch.messages import RollBackReallocation
from orch.store import queries
from orch.web.answers import Name, backend_of, from_store, or_not_found
from orch.web.refusals import errors
from orch.web.shapes import AcceptedBody

REALLOCATION = "reallocation"


@post(
    "/api/v1/reallocations/{reallocation_id:str}/rollback",
    status_code=202,
    responses=errors(400, 404, 413, 415, 503),
)
async def rollback(state: State, reallocation_id: Name) -> AcceptedBody:
    """Put back what a settled move changed: a new reallocation, with its own checks."""
    found = await from_store(state, lambda store: queries.reallocation(store, reallocation_id))
    or_not_found(found, f"There is no reallocation {reallocation_id}")
    if not backend_of(state).tell(REALLOCATION, RollBackReallocation(reallocation_id=reallocation_id)):
        raise ServiceUnavailableException("The reallocation engine is not there now; try again in a moment")
    return AcceptedBody(accepted="rollback", id=reallocation_id)


ROUTES = (rollback,)
