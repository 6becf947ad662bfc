"""What an operator may order: plans approved or rejected, everything frozen, a lever's trust restored.

Each order is a message to the reallocation engine. Whether a plan may be approved is asked first, so that a
refusal says at once what to do; the engine looks again when the order arrives.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from anyio import to_thread
from litestar import Request, Response, get, post
from litestar.datastructures import State  # noqa: TC002 - Litestar reads annotations at run time
from litestar.exceptions import ServiceUnavailableException
from litestar.openapi import ResponseSpec

from orch.errors import EngineError, UsageError
from orch.messages import ApprovePlan, Freeze, HowStandsPlan, PromoteLever, RejectPlan, Unfreeze
from orch.model.base import Value
from orch.model.plans import Plan, PlanStanding
from orch.store import queries
from orch.web.answers import Name, as_json, backend_of, from_store, given, or_not_found
from orch.web.refusals import errors
from orch.web.shapes import ErrorBody, ErrorDetail, OrderTaken

if TYPE_CHECKING:
    from orch.messages.base import Message

REALLOCATION = "reallocation"
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd])", re.ASCII)
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST_S = 366 * 86_400.0
AWAY = "The reallocation engine is not there now; try again in a moment"
CODES = {"decided": "already_decided", "expired": "plan_expired", "stale": "plan_stale", "blocked": "blocked"}
"""How a plan that cannot be approved is refused, by how it stands."""


class ApproveOrder(Value):
    """Which steps of a plan are taken, by their index; all of them when nothing is said."""

    steps: tuple[int, ...] | None = None


class FreezeOrder(Value):
    """How long nothing is moved: seconds, or `90s`, `15m`, `2h`, `7d`."""

    lasting: float | str = msgspec.field(name="for")


class PromoteOrder(Value):
    """Which lever of a node is trusted as configured again, by its kind; all of them when nothing is said."""

    kind: str | None = None


TAKEN = {202: ResponseSpec(OrderTaken, description="The order was taken", generate_examples=False)}


@get("/api/v1/plans/{plan_id:str}", responses=given(Plan) | errors(400, 404, 503))
async def plan(state: State, plan_id: Name) -> Response[bytes]:
    """One plan."""
    return as_json(or_not_found(await _recorded(state, plan_id), f"There is no plan {plan_id}"))


@post(
    "/api/v1/plans/{plan_id:str}/approve",
    opt={"takes": ApproveOrder},
    status_code=202,
    responses=TAKEN | errors(400, 404, 409, 413, 415, 503),
)
async def approve(state: State, request: Request[Any, Any, Any], plan_id: Name) -> Response[bytes]:
    """Carry out a plan: a reallocation, with its own checks. The body may name steps: `{"steps": [0, 1]}`."""
    order = await _body(request, ApproveOrder)
    recorded = await _recorded(state, plan_id)
    steps = _steps(order, recorded)
    standing = await _standing(state, plan_id, recorded, steps)
    if standing.state != "open":
        if standing.blockers:
            # Recorded as a refused move, with its reasons.
            refused = ApprovePlan(plan_id=plan_id, steps=steps, plan=recorded, objections=standing.blockers)
            backend_of(state).tell(REALLOCATION, refused)
        return _refused(standing)
    return _taken(state, ApprovePlan(plan_id=plan_id, steps=steps, plan=recorded), "approve", plan_id)


@post(
    "/api/v1/plans/{plan_id:str}/reject", status_code=202, responses=TAKEN | errors(400, 404, 409, 413, 415, 503)
)
async def reject(state: State, plan_id: Name) -> Response[bytes]:
    """Turn a plan down: it can no longer be approved."""
    standing = await _standing(state, plan_id, await _recorded(state, plan_id))
    if standing.state in {"unknown", "decided"}:
        return _refused(standing)
    return _taken(state, RejectPlan(plan_id=plan_id), "reject", plan_id)


@post("/api/v1/freeze", opt={"takes": FreezeOrder}, status_code=202, responses=TAKEN | errors(400, 413, 415, 503))
async def freeze(state: State, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Begin no move for a while, and finish the one that runs. The body says how long: `{"for": "2h"}`."""
    order = await _body(request, FreezeOrder)
    if order is None:
        raise UsageError('Say how long, in real time: {"for": "2h"}')
    backend = backend_of(state)
    # A person's time is real time, whatever the speed of the engine's clock.
    until = backend.now() + timedelta(seconds=_seconds(order.lasting) * backend.speed)
    return _taken(state, Freeze(until=until), "freeze", "", until)


@post("/api/v1/unfreeze", status_code=202, responses=TAKEN | errors(400, 413, 415, 503))
async def unfreeze(state: State) -> Response[bytes]:
    """Moves may begin again."""
    return _taken(state, Unfreeze(), "unfreeze", "")


@post(
    "/api/v1/nodes/{name:str}/promote",
    opt={"takes": PromoteOrder},
    status_code=202,
    responses=TAKEN | errors(400, 413, 415, 503),
)
async def promote(state: State, request: Request[Any, Any, Any], name: Name) -> Response[bytes]:
    """Trust a node's demoted levers as configured again; one kind of them: `{"kind": "cgroup"}`."""
    order = await _body(request, PromoteOrder)
    kind = None if order is None else order.kind
    return _taken(state, PromoteLever(node=name, kind=kind), "promote", name)


ROUTES = (plan, approve, reject, freeze, unfreeze, promote)


async def _recorded(state: State, plan_id: str) -> Plan | None:
    return await from_store(state, lambda store: queries.plan(store, plan_id))


async def _standing(
    state: State, plan_id: str, recorded: Plan | None, steps: tuple[int, ...] | None = None
) -> PlanStanding:
    ask = backend_of(state).ask
    if ask is None:
        raise ServiceUnavailableException(AWAY)
    question = HowStandsPlan(plan_id=plan_id, plan=recorded, steps=steps)
    try:
        found: PlanStanding = await to_thread.run_sync(ask, REALLOCATION, question)
    except EngineError as error:
        raise ServiceUnavailableException(AWAY) from error
    return found


async def _body(request: Request[Any, Any, Any], kind: type[Any]) -> Any:
    """The body as a value; None where there is none. Raises UsageError for one that is something else."""
    sent = await request.body()
    if not sent:
        return None
    try:
        return msgspec.json.decode(sent, type=kind)
    except msgspec.MsgspecError as error:
        raise UsageError(f"The body is not what it should be: {error}") from error


def _steps(order: ApproveOrder | None, recorded: Plan | None) -> tuple[int, ...] | None:
    if order is None or order.steps is None or recorded is None:
        return None if order is None else order.steps
    known = {step.index for step in recorded.steps}
    if strange := [step for step in order.steps if step not in known]:
        raise UsageError(f"The plan has no step {strange[0]}: it has {len(known)}, counted from 0")
    return order.steps


def _seconds(lasting: float | str) -> float:
    if isinstance(lasting, str):
        found = DURATION.fullmatch(lasting.strip())
        lasting = float(found[1]) * SECONDS[found[2]] if found is not None else math.nan
    if not 0.0 < lasting <= LONGEST_S:
        raise UsageError("for must be a length of time, such as 90s, 15m, 2h or 7d, and at most 366d")
    return float(lasting)


def _taken(
    state: State, message: Message, accepted: str, what: str, until: datetime | None = None
) -> Response[bytes]:
    if not backend_of(state).tell(REALLOCATION, message):
        raise ServiceUnavailableException(AWAY)
    response = as_json(OrderTaken(accepted=accepted, id=what, until=until))
    response.status_code = 202
    return response


def _refused(standing: PlanStanding) -> Response[bytes]:
    """Why a plan cannot be approved: 404 for an unknown one, else 409."""
    status = 404 if standing.state == "unknown" else 409
    details: dict[str, Any] = {"plan": standing.plan_id, "state": standing.state}
    details |= {"reasons": [each.code for each in standing.blockers]} if standing.blockers else {}
    details |= {"reallocation": standing.reallocation_id} if standing.reallocation_id is not None else {}
    code = CODES.get(standing.state, "not_found")
    response = as_json(ErrorBody(error=ErrorDetail(code=code, message=standing.sentence, details=details)))
    response.status_code = status
    return response
