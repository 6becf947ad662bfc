"""The HTTP interface over a real database: bodies, refusals, orders, and the document that describes them."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import threading

import msgspec
import pytest
from litestar.testing import TestClient

from orch.errors import StoreError
from orch.messages import RollBackReallocation
from orch.model.board import Dashboard
from orch.store.shelf import Shelf
from orch.web import desk as desks
from orch.web.app import create_app
from orch.web.backend import BoardSlot
from orch.web.desk import Desk
from tests.fakes.web import HERE, TOKEN, Orders, board, encoded, error_of

OPEN = {"/api/v1/health", "/api/v1/session", "/api/v1/login", "/api/v1/logout"}
ROLLBACK = "/api/v1/reallocations/r1/rollback"
SURFACES = {
    "get": (
        "/api/v1/health /api/v1/dashboard /api/v1/nodes /api/v1/nodes/{name} /api/v1/metrics-history /api/v1/plan "
        "/api/v1/opportunities /api/v1/decisions /api/v1/decisions/{decision_id} /api/v1/reallocations "
        "/api/v1/reallocations/{reallocation_id} /api/v1/alerts /api/v1/report /api/v1/config /api/v1/stream "
        "/api/v1/tables/{table} /metrics /schema/openapi.json"
    ),
    "post": (
        "/api/v1/plans/{plan_id}/approve /api/v1/plans/{plan_id}/reject "
        "/api/v1/reallocations/{reallocation_id}/rollback /api/v1/alerts/{alert_id}/silence "
        "/api/v1/freeze /api/v1/unfreeze /api/v1/login /api/v1/logout"
    ),
}


@pytest.fixture(scope="module")
def client(shared_client):
    return shared_client


@pytest.fixture
def slot(backend):
    """The board, put back after the test."""
    yield backend.board
    backend.board.swap(encoded(board()))


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- the board -------------------------------------------------------------------------------------------------


def test_before_the_first_board_there_is_nothing_to_show(backend):
    empty = dataclasses.replace(backend, board=BoardSlot())
    with TestClient(create_app(empty), base_url=HERE) as client:
        assert client.get("/api/v1/health").json()["status"] == "starting"
        for path in ("dashboard", "nodes", "nodes/disk", "opportunities"):
            assert error_of(client.get(f"/api/v1/{path}")) == (503, "not_ready"), path


def test_health_says_how_old_the_board_is(client):
    found = client.get("/api/v1/health").json()
    assert (found["status"], found["version"], found["board_as_of"]) == ("ready", "1.2.3", "2026-11-22T12:00:00Z")


def test_the_board_is_handed_out_as_it_is_with_its_tag(client, slot):
    first = client.get("/api/v1/dashboard")
    assert first.content == slot.body()
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/api/v1/dashboard", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
    assert client.get("/api/v1/dashboard", headers={"If-None-Match": '"other"'}).status_code == 200
    slot.swap(encoded(board(can_reallocate=False)))
    assert client.get("/api/v1/dashboard", headers={"If-None-Match": tag}).status_code == 200


def test_parts_of_the_board_are_what_stands_on_it(client, slot):
    whole = client.get("/api/v1/dashboard").json()
    assert client.get("/api/v1/nodes").json() == {"items": whole["nodes"], "next": None}
    assert client.get("/api/v1/nodes/relay").json() == whole["nodes"][1]
    assert client.get("/api/v1/opportunities").json() == {"items": whole["opportunities"], "next": None}
    tag = client.get("/api/v1/nodes").headers["etag"]
    assert client.get("/api/v1/nodes", headers={"If-None-Match": tag}).status_code == 304
    slot.swap(encoded(board(nodes=())))
    assert client.get("/api/v1/nodes", headers={"If-None-Match": tag}).json()["items"] == []
    assert error_of(client.get("/api/v1/nodes/relay")) == (404, "not_found")


# -- what was --------------------------------------------------------------------------------------------------


def test_lists_come_in_parts(client):
    first = client.get("/api/v1/reallocations?limit=1").json()
    second = client.get("/api/v1/reallocations", params={"limit": 1, "cursor": first["next"]}).json()
    assert [first["items"][0]["id"], second["items"][0]["id"], second["next"]] == ["r2", "r1", None]
    assert client.get("/api/v1/reallocations/r1").json()["sentence"] == "moved"


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("decisions?reason=GAIN_BELOW_COST", ["d1"]),
        ("decisions?reason=ALREADY_BEST", []),
        ("decisions?node=disk&verdict=stay", ["d1"]),
        ("decisions?verdict=move", []),
        ("reallocations?node=disk", ["r1"]),
        ("reallocations?state=settled", ["r2", "r1"]),
        ("reallocations?state=stuck", []),
        ("alerts", ["a1"]),
        ("alerts?state=firing&node=disk&rule=node_lost", ["a1"]),
        ("alerts?state=resolved", []),
    ],
)
def test_lists_hold_what_was_asked_for(client, path, ids):
    body = client.get(f"/api/v1/{path}").json()
    assert ([each["id"] for each in body["items"]], body["next"]) == (ids, None)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/decisions/none", (404, "not_found")),
        ("GET", "/api/v1/reallocations/none", (404, "not_found")),
        ("GET", "/api/v1/plan", (404, "not_found")),
        ("GET", "/api/v1/nodes/none", (404, "not_found")),
        ("GET", "/api/v1/nowhere", (404, "not_found")),
        ("GET", "/schema/elsewhere", (404, "not_found")),
        ("GET", "/schema/elsewhere.json", (404, "not_found")),
        ("DELETE", "/api/v1/dashboard", (405, "method_not_allowed")),
        ("HEAD", "/api/v1/dashboard", (405, None)),
        ("GET", "/api/v1/decisions?limit=0", (400, "bad_request")),
        ("GET", "/api/v1/decisions?limit=many", (400, "bad_request")),
        ("GET", "/api/v1/decisions?cursor=rubbish", (400, "bad_request")),
        ("GET", "/api/v1/decisions?reason=LUCK", (400, "bad_request")),
        ("GET", "/api/v1/reallocations?state=happy", (400, "bad_request")),
        ("GET", "/api/v1/alerts?state=pending", (400, "bad_request")),
        ("GET", f"/api/v1/alerts?node={'x' * 201}", (400, "bad_request")),
        ("GET", "/api/v1/metrics-history?metric=luck", (400, "bad_request")),
        ("GET", "/api/v1/metrics-history?step_s=1&since=2020-01-01T00:00:00Z", (400, "bad_request")),
        ("GET", "/api/v1/metrics-history?since=yesterday", (400, "bad_request")),
        ("GET", "/api/v1/metrics-history?until=null", (400, "bad_request")),
        ("GET", "/api/v1/metrics-history?until=0001-01-01T00:00:00Z", (400, "bad_request")),
        ("GET", "/api/v1/missed?since=9999-12-31T23:59:59-23:00", (400, "bad_request")),
        ("GET", "/api/v1/tables/secrets", (400, "bad_request")),
        ("GET", "/api/v1/tables/ledger?format=xml", (400, "bad_request")),
        ("GET", "/api/v1/stream?limit=-1", (400, "bad_request")),
    ],
)
def test_refusals_have_one_shape(client, method, path, expected):
    response = client.request(method, path)
    status, code = expected
    assert response.status_code == status
    if code is not None:
        assert error_of(response) == expected
    if status == 405:
        assert "GET" in response.headers["allow"]


def test_a_time_is_read_as_it_was_meant(client):
    for since in ("2026-11-22T00:00:00Z", "2026-11-22T01:00:00+01:00", "2026-11-22T00:00:00"):
        body = client.get(f"/api/v1/metrics-history?since={since}").json()
        assert body["metric"] == "usd_per_hour", since


def test_a_table_is_streamed_with_its_header(client):
    response = client.get("/api/v1/tables/ledger?format=csv")
    assert response.headers["content-type"].startswith("text/csv")
    assert response.text.startswith(
        "entry_id,booked_at,period_start,period_end,host,node,protocol,stream,kind,amount"
    )
    assert client.get("/api/v1/tables/reallocations?format=json").json()[0]["id"] == "r1"


# -- orders ----------------------------------------------------------------------------------------------------


def test_orders_need_the_token_and_become_messages(client, backend):
    backend.tell.clear()
    assert error_of(client.post(ROLLBACK)) == (401, "unauthorised")
    assert backend.tell == []
    response = client.post(ROLLBACK, headers=bearer())
    assert (response.status_code, response.json()) == (202, {"accepted": "rollback", "id": "r1"})
    assert backend.tell == [("reallocation", RollBackReallocation(reallocation_id="r1"))]
    assert error_of(client.post(ROLLBACK.replace("r1", "none"), headers=bearer())) == (404, "not_found")


def test_an_order_to_nobody_is_refused(backend):
    nobody = Orders()
    nobody.present = False
    with TestClient(create_app(dataclasses.replace(backend, tell=nobody)), base_url=HERE) as client:
        assert error_of(client.post(ROLLBACK, headers=bearer())) == (503, "not_ready")


def test_with_closed_reads_everything_but_what_is_open_needs_the_token(backend):
    shut = dataclasses.replace(backend, open_reads=False)
    with TestClient(create_app(shut), base_url=HERE) as client:
        assert error_of(client.get("/schema/openapi.json")) == (401, "unauthorised")
        document = client.get("/schema/openapi.json", headers=bearer()).json()
        for path, methods in document["paths"].items():
            concrete = re.sub(r"{.*?}", "r1", path)
            for method, operation in methods.items():
                response = client.request(method, concrete)
                is_open = path in OPEN
                assert (operation.get("security") == []) is is_open, path
                if is_open:
                    assert response.status_code in (200, 400), path
                else:
                    assert error_of(response) == (401, "unauthorised"), path
        assert client.get("/").status_code != 401, "the page holds no figure, and is where one logs in"
        assert client.get("/api/v1/decisions", headers=bearer()).status_code == 200


def test_without_the_page_there_is_none(backend):
    with TestClient(create_app(dataclasses.replace(backend, page=False)), base_url=HERE) as client:
        assert error_of(client.get("/")) == (404, "not_found")
        assert client.get("/api/v1/dashboard").status_code == 200


# -- the database ----------------------------------------------------------------------------------------------


def test_without_the_database_the_board_is_still_there(backend):
    with TestClient(create_app(dataclasses.replace(backend, shelf=Shelf())), base_url=HERE) as client:
        assert error_of(client.get("/api/v1/decisions")) == (503, "not_ready")
        assert error_of(client.get("/api/v1/tables/ledger")) == (503, "not_ready")
        assert client.get("/api/v1/dashboard").status_code == 200


def test_a_question_that_takes_too_long_is_ended(backend):
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b"
    desk = Desk(backend.shelf, within_s=0.05)
    with pytest.raises(StoreError, match="longer than"):
        asyncio.run(desk.ask(lambda store: store.execute(endless).fetchall()))


def test_a_stop_ends_what_is_being_asked_and_takes_no_more(backend):
    desk, asked = Desk(backend.shelf), threading.Event()

    def endless(store):
        asked.set()
        return store.execute("SELECT count(*) FROM range(1000000000) a, range(1000000000) b").fetchall()

    async def stop_meanwhile():
        question = asyncio.create_task(desk.ask(endless))
        await asyncio.to_thread(asked.wait, 20)
        desk.close()
        # It may have been asked a moment before it began: then closing again ends it.
        while not question.done():
            desk.close()
            await asyncio.sleep(0)
        await question

    with pytest.raises(StoreError, match="stopping"):
        asyncio.run(stop_meanwhile())
    with pytest.raises(StoreError, match="stopping"):
        asyncio.run(desk.ask(endless))


def test_too_many_questions_wait_and_are_then_refused(backend, monkeypatch):
    monkeypatch.setattr(desks, "WAIT_S", 0.05)
    desk, free = Desk(backend.shelf, at_once=1), threading.Event()

    async def two():
        first = asyncio.create_task(desk.ask(lambda _: free.wait(20)))
        await asyncio.sleep(0)
        try:
            with pytest.raises(StoreError, match="busy"):
                await desk.ask(lambda _: None)
        finally:
            free.set()
        assert await first is True

    asyncio.run(two())


# -- the document ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(client):
    return client.get("/schema/openapi.json").json()


def test_every_surface_is_described(document):
    assert document["openapi"].startswith("3.1")
    for method, paths in SURFACES.items():
        for path in paths.split():
            assert method in document["paths"][path], path


def test_every_refusal_is_described_in_the_one_shape(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            wanted = {"400", "401", "403", "500"} | ({"413", "415"} if method == "post" else set())
            assert wanted <= set(operation["responses"]), path
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    (content,) = response["content"].values()
                    assert content["schema"]["$ref"].endswith("/ErrorBody"), (path, status)


def test_orders_describe_the_body_they_take(document):
    bodies = {
        path: operations["post"]["requestBody"]["required"]
        for path, operations in document["paths"].items()
        if "requestBody" in operations.get("post", {})
    }
    assert bodies["/api/v1/freeze"] is True
    assert bodies["/api/v1/plans/{plan_id}/approve"] is False
    assert "/api/v1/unfreeze" not in bodies


def test_the_document_comes_from_nowhere_else(client):
    text = client.get("/schema/openapi.json").text
    assert not re.findall(r"https?://(?!127\.0\.0\.1)\S+", text)


def test_the_fake_board_is_what_the_engine_would_show():
    assert msgspec.json.decode(encoded(board()), type=Dashboard) == board()
