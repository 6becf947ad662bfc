"""The HTTP interface over a real database: bodies, refusals, orders."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime

import pytest
from litestar.testing import TestClient

from orch.messages import RollBackReallocation
from orch.store.database import open_for_writing
from orch.store.shelf import Shelf
from orch.web.app import create_app
from orch.web.backend import Backend, BoardSlot
from tests.fakes.values import reallocation

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "t" * 43
OPEN = ("/api/v1/health", "/api/v1/session", "/api/v1/login", "/api/v1/logout")
BODY = b'{"schema":1,"as_of":"2026-11-22T12:00:00Z"}'


class Orders(list):
    """Remembers what was told; nobody lives at `gone`."""

    present = True

    def __call__(self, name, message) -> bool:
        self.append((name, message))
        return self.present


@pytest.fixture
def orders() -> Orders:
    return Orders()


@pytest.fixture
def backend(tmp_path, orders):
    writer = open_for_writing(tmp_path / "orch.duckdb", "emulated", "h", NOW)
    writer.add_reallocation(reallocation("r1"))
    writer.add_reallocation(reallocation("r2"))
    writer.commit()
    shelf = Shelf()
    shelf.put(writer)
    yield Backend(
        board=BoardSlot(),
        shelf=shelf,
        tell=orders,
        token=TOKEN,
        open_reads=True,
        version="1.2.3",
        started_at=NOW,
        now=lambda: NOW,
        config={"orch": {"mode": "auto"}},
    )
    shelf.clear()
    writer.close()


@pytest.fixture
def client(backend):
    with TestClient(create_app(backend), base_url="http://127.0.0.1:8787") as client:
        yield client


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def error_of(response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    return response.status_code, body["error"]["code"]


def test_health_says_whether_there_is_a_board(client, backend):
    assert client.get("/api/v1/health").json()["status"] == "starting"
    backend.board.swap(BODY)
    found = client.get("/api/v1/health").json()
    assert (found["status"], found["version"], found["board_as_of"]) == ("ready", "1.2.3", "2026-11-22T12:00:00Z")


def test_the_board_is_handed_out_as_it_is_with_its_tag(client, backend):
    assert error_of(client.get("/api/v1/dashboard")) == (503, "not_ready")
    backend.board.swap(BODY)
    first = client.get("/api/v1/dashboard")
    assert first.content == BODY
    again = client.get("/api/v1/dashboard", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    backend.board.swap(BODY.replace(b"12:00", b"12:01"))
    assert client.get("/api/v1/dashboard", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_lists_are_paged(client):
    first = client.get("/api/v1/reallocations?limit=1").json()
    second = client.get("/api/v1/reallocations", params={"limit": 1, "cursor": first["next"]}).json()
    assert [first["items"][0]["id"], second["items"][0]["id"]] == ["r2", "r1"]
    assert client.get("/api/v1/decisions").json() == {"items": [], "next": None}
    assert client.get("/api/v1/reallocations/r1").json()["sentence"] == "moved"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/decisions/none", (404, "not_found")),
        ("/api/v1/reallocations/none", (404, "not_found")),
        ("/api/v1/plan", (404, "not_found")),
        ("/api/v1/nowhere", (404, "not_found")),
        ("/api/v1/decisions?limit=0", (400, "bad_request")),
        ("/api/v1/decisions?limit=many", (400, "bad_request")),
        ("/api/v1/decisions?cursor=rubbish", (400, "bad_request")),
        ("/api/v1/metrics-history?metric=luck", (400, "bad_request")),
        ("/api/v1/metrics-history?step_s=1&since=2020-01-01T00:00:00Z", (400, "bad_request")),
        ("/api/v1/tables/secrets", (400, "bad_request")),
        ("/api/v1/tables/ledger?format=xml", (400, "bad_request")),
    ],
)
def test_refusals_have_one_shape(client, path, expected):
    assert error_of(client.get(path)) == expected


def test_a_table_is_streamed_with_its_header(client):
    response = client.get("/api/v1/tables/ledger?format=csv")
    assert response.headers["content-type"].startswith("text/csv")
    assert response.text.startswith(
        "entry_id,booked_at,period_start,period_end,host,node,protocol,stream,kind,amount"
    )
    assert client.get("/api/v1/tables/reallocations?format=json").json()[0]["id"] == "r1"


def test_history_of_a_metric(client):
    body = client.get("/api/v1/metrics-history?metric=used&step_s=3600").json()
    assert (body["schema"], body["metric"], body["step_s"], body["series"]) == (1, "used", 3600, [])


def test_orders_need_the_token_and_become_messages(client, orders):
    path = "/api/v1/reallocations/r1/rollback"
    assert error_of(client.post(path)) == (401, "unauthorised")
    assert error_of(client.post(path, headers=bearer("wrong"))) == (401, "unauthorised")
    assert orders == []
    response = client.post(path, headers=bearer())
    assert (response.status_code, response.json()) == (202, {"accepted": "rollback", "id": "r1"})
    assert orders == [("reallocation", RollBackReallocation(reallocation_id="r1"))]
    assert error_of(client.post("/api/v1/reallocations/none/rollback", headers=bearer())) == (404, "not_found")


def test_an_order_to_nobody_is_refused(client, orders):
    orders.present = False
    response = client.post("/api/v1/reallocations/r1/rollback", headers=bearer())
    assert error_of(response) == (503, "not_ready")


def test_foreign_names_and_pages_are_refused(client):
    assert error_of(client.get("/api/v1/decisions", headers={"Host": "evil.example"})) == (403, "forbidden")
    headers = bearer() | {"Origin": "http://evil.example"}
    assert error_of(client.post("/api/v1/reallocations/r1/rollback", headers=headers)) == (403, "forbidden")


def test_with_closed_reads_everything_but_health_needs_the_token(backend):
    shut = dataclasses.replace(backend, open_reads=False)
    with TestClient(create_app(shut), base_url="http://127.0.0.1:8787") as client:
        assert error_of(client.get("/schema/openapi.json")) == (401, "unauthorised")
        document = client.get("/schema/openapi.json", headers=bearer()).json()
        for path, methods in document["paths"].items():
            concrete = re.sub(r"{.*?}", "r1", path)
            for method in methods:
                response = client.request(method, concrete)
                if path in OPEN:
                    assert response.status_code in (200, 400), path
                else:
                    assert error_of(response) == (401, "unauthorised"), path
        assert client.get("/api/v1/decisions", headers=bearer()).status_code == 200


def test_the_openapi_document_names_every_route_and_refusal(client):
    document = client.get("/schema/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    dashboard = document["paths"]["/api/v1/dashboard"]["get"]
    assert {"200", "401", "403", "503"} <= set(dashboard["responses"])
    rollback = document["paths"]["/api/v1/reallocations/{reallocation_id}/rollback"]["post"]
    assert {"202", "401", "403", "404", "503"} <= set(rollback["responses"])
    assert "http" not in str(document.get("servers", "")).replace("http://127.0.0.1", "")
