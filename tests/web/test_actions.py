"""Orders over HTTP: approve, reject, freeze, unfreeze, promote; each refusal in the one shape."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from litestar.testing import TestClient

from orch.errors import EngineError
from orch.messages import ApprovePlan, Freeze, HowStandsPlan, PromoteLever, RejectPlan, Unfreeze
from orch.model.plans import Blocker, Plan, PlanStanding, PlanStep
from orch.model.resources import Resources
from orch.web.app import create_app
from tests.fakes import web
from tests.fakes.values import NOON, plan

STEP = PlanStep(index=0, node="disk", kind="grant", goal=Resources(cpu_cores=2.0), undo=Resources(cpu_cores=1.0))
FROZEN = Blocker(code="FROZEN", sentence="Levers are frozen.")
STALE = Blocker(code="PLAN_STALE", sentence="disk has 3 cores now.")
EXPIRED = Blocker(code="PLAN_EXPIRED", sentence="Plan p1 was made 60 min ago.")


def proposed() -> Plan:
    return plan(web.DECISION, decision_id="d7", steps=(STEP,))


class Engine:
    """Answers how a plan stands as it is told to."""

    def __init__(self):
        self.standing, self.asked = PlanStanding(plan_id="p1", state="open", sentence="may be approved"), []

    def __call__(self, name, question):
        self.asked.append((name, question))
        if self.standing is None:
            raise EngineError("nobody there")
        return self.standing


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A backend with a recorded plan behind its routes, and the engine it asks."""
    place, engine = tmp_path_factory.mktemp("orders"), Engine()
    with web.serving(place, ask=engine, speed=60.0) as backend:
        with backend.shelf.reader() as connection:
            body = msgspec.json.encode(proposed()).decode()
            connection.execute("UPDATE decisions SET plan_id = 'p1', plan = ?", [body])
        with TestClient(create_app(backend), base_url=web.HERE) as client:
            yield backend, engine, client


@pytest.fixture
def engine(started):
    _, engine, _ = started
    engine.__init__()
    return engine


@pytest.fixture
def recorded(started, engine):
    backend, _, _ = started
    backend.tell.clear()
    backend.tell.present = True
    return backend


@pytest.fixture
def post(started, recorded):
    def post(path, **more):
        return post.client.post(path, headers={"Authorization": f"Bearer {web.TOKEN}"}, **more)

    post.client = started[2]
    return post


def test_an_open_plan_is_approved_with_what_is_recorded_of_it(post, recorded, engine):
    response = post("/api/v1/plans/p1/approve")

    assert (response.status_code, response.json()["accepted"], response.json()["id"]) == (202, "approve", "p1")
    assert recorded.tell == [("reallocation", ApprovePlan(plan_id="p1", plan=proposed()))]
    assert engine.asked == [("reallocation", HowStandsPlan(plan_id="p1", plan=proposed()))]


def test_some_steps_may_be_named(post, recorded):
    assert post("/api/v1/plans/p1/approve", json={"steps": [0]}).status_code == 202
    assert recorded.tell[0][1].steps == (0,)
    assert web.error_of(post("/api/v1/plans/p1/approve", json={"steps": [4]})) == (400, "bad_request")
    assert web.error_of(post("/api/v1/plans/p1/approve", json={"steps": "all"})) == (400, "bad_request")
    assert len(recorded.tell) == 1


@pytest.mark.parametrize(
    ("state", "blockers", "expected", "told"),
    [
        ("unknown", (), (404, "not_found"), 0),
        ("decided", (), (409, "already_decided"), 0),
        ("expired", (EXPIRED,), (409, "plan_expired"), 1),
        ("stale", (STALE,), (409, "plan_stale"), 1),
        ("blocked", (FROZEN,), (409, "blocked"), 1),
    ],
)
def test_what_cannot_be_approved_is_refused_and_what_was_a_plan_is_recorded(
    post, recorded, engine, state, blockers, expected, told
):
    engine.standing = PlanStanding(
        plan_id="p1", state=state, sentence="Do that.", blockers=blockers, reallocation_id="r9"
    )

    response = post("/api/v1/plans/p1/approve")

    assert web.error_of(response) == expected
    error = response.json()["error"]
    assert error["message"] == "Do that."
    assert error["details"]["state"] == state
    assert error["details"].get("reasons", []) == [each.code for each in blockers]
    assert error["details"]["reallocation"] == "r9"
    # A message that was refused already can never be carried out.
    assert [message.objections for _, message in recorded.tell] == [blockers] * told


def test_a_plan_is_rejected_unless_it_was_decided(post, recorded, engine):
    assert post("/api/v1/plans/p1/reject").status_code == 202
    engine.standing = PlanStanding(plan_id="p1", state="expired", sentence="old", blockers=(EXPIRED,))
    assert post("/api/v1/plans/p1/reject").status_code == 202
    assert recorded.tell == [("reallocation", RejectPlan(plan_id="p1"))] * 2
    engine.standing = PlanStanding(plan_id="p1", state="decided", sentence="taken")
    assert web.error_of(post("/api/v1/plans/p1/reject")) == (409, "already_decided")
    engine.standing = PlanStanding(plan_id="p1", state="unknown", sentence="none")
    assert web.error_of(post("/api/v1/plans/p1/reject")) == (404, "not_found")


@pytest.mark.parametrize(("lasting", "seconds"), [("2h", 7200), ("90s", 90), (60, 60), ("1.5d", 129_600)])
def test_a_freeze_lasts_so_long_in_real_time(post, recorded, lasting, seconds):
    response = post("/api/v1/freeze", json={"for": lasting})

    until = NOON + timedelta(seconds=60 * seconds)
    assert (response.status_code, response.json()["accepted"]) == (202, "freeze")
    assert msgspec.convert(response.json()["until"], type=type(until)) == until
    assert recorded.tell == [("reallocation", Freeze(until=until))]


@pytest.mark.parametrize(
    "body", [{}, {"for": "long"}, {"for": 0}, {"for": -5}, {"for": "400d"}, {"for": None}, [1]]
)
def test_a_freeze_says_how_long(post, recorded, body):
    assert web.error_of(post("/api/v1/freeze", json=body)) == (400, "bad_request")
    assert web.error_of(post("/api/v1/freeze")) == (400, "bad_request")
    assert recorded.tell == []


def test_a_freeze_is_lifted_and_trust_restored(post, recorded):
    assert post("/api/v1/unfreeze").status_code == 202
    assert post("/api/v1/nodes/disk/promote").status_code == 202
    assert post("/api/v1/nodes/disk/promote", json={"kind": "tc"}).status_code == 202
    assert [message for _, message in recorded.tell] == [
        Unfreeze(),
        PromoteLever(node="disk"),
        PromoteLever(node="disk", kind="tc"),
    ]


ORDERS = ("plans/p1/approve", "plans/p1/reject", "freeze", "unfreeze", "nodes/disk/promote")


@pytest.mark.parametrize("path", ORDERS)
def test_every_order_needs_the_token(post, recorded, path):
    assert web.error_of(post.client.post(f"/api/v1/{path}")) == (401, "unauthorised")
    assert recorded.tell == []


@pytest.mark.parametrize("path", ORDERS)
def test_without_the_engine_no_order_is_taken(post, recorded, engine, path):
    recorded.tell.present = False
    response = post(f"/api/v1/{path}", json={"for": "1h"} if path == "freeze" else None)
    assert web.error_of(response) == (503, "not_ready")
    engine.standing = None
    assert web.error_of(post("/api/v1/plans/p1/approve")) == (503, "not_ready")


def test_a_plan_is_read_by_its_id(post):
    found = post.client.get("/api/v1/plans/p1").json()
    assert (found["id"], found["steps"][0]["node"]) == ("p1", "disk")
    assert web.error_of(post.client.get("/api/v1/plans/p2")) == (404, "not_found")
