"""The client, over a real connection."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from orch.client import Client
from orch.errors import ApiError, NotRunningError
from orch.messages import Freeze, RejectPlan, RollBackReallocation
from orch.system.paths import EngineInfo, web_token, write_engine
from orch.web.backend import BoardSlot
from orch.web.server import WebServer
from tests.fakes.values import NOON
from tests.fakes.web import TOKEN, board, encoded, serving

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("client")) as backend:
        yield backend


@pytest.fixture(scope="module")
def url(backend):
    server = WebServer(backend, "127.0.0.1", 0)
    yield server.start()
    server.stop()


@pytest.fixture
def client(url, backend):
    backend.tell.clear()
    with Client(url, TOKEN) as client:
        yield client


def test_the_board_is_typed_and_sent_again_only_when_it_is_newer(client, backend):
    first = client.dashboard()
    assert first == board()
    assert client.dashboard() is first
    backend.board.swap(encoded(board(can_reallocate=False)))
    assert client.dashboard().can_reallocate is False
    backend.board.swap(encoded(board()))


def test_what_stands_now(client):
    assert client.health().status == "ready"
    assert [node.name for node in client.nodes()] == ["disk", "relay"]
    assert client.node("relay").health == "unknown"
    assert client.opportunities() == board().opportunities
    assert client.config() == {"orch": {"mode": "auto"}}


def test_what_was(client, monkeypatch):
    monkeypatch.setattr("orch.client.PAGE", 1)
    assert [each.id for each in client.reallocations()] == ["r2", "r1"]
    assert [each.id for each in client.reallocations(node="disk")] == ["r1"]
    assert [each.id for each in client.decisions(verdict="stay")] == ["d1"]
    assert [each.id for each in client.alerts(state="firing")] == ["a1"]
    assert client.decision("d1").reasons == ("GAIN_BELOW_COST",)
    assert client.reallocation("r1").changes[0].node == "disk"
    assert client.history(since=NOON, step_s=60).series == ()
    assert client.missed(NOON).hours >= 0
    assert client.report("1d").decisions.count >= 0
    assert b"".join(client.table("reallocations")).splitlines()[0].startswith(b"id,plan_id")


def test_orders(client, backend):
    assert client.roll_back("r1").accepted == "rollback"
    assert client.freeze("2h").until is not None
    assert client.reject("p1").accepted == "reject"
    assert client.silence("a1", 3600).rule == "node_lost"
    told = [message for _, message in backend.tell]
    assert told[0] == RollBackReallocation(reallocation_id="r1")
    assert isinstance(told[1], Freeze)
    assert told[2] == RejectPlan(plan_id="p1")


def test_the_board_live_until_the_engine_stops(backend):
    slot = BoardSlot()
    slot.swap(encoded(board(schema=1)))
    server = WebServer(dataclasses.replace(backend, board=slot), "127.0.0.1", 0)
    with Client(server.start(), TOKEN) as client:
        boards = client.boards()
        assert next(boards).schema == 1
        slot.swap(encoded(board(schema=2)))
        assert next(boards).schema == 2
        server.stop()
        assert list(boards) == []
        with pytest.raises(ApiError, match="does not answer") as caught:
            client.health()
    assert (caught.value.status, caught.value.code) == (0, "no_answer")


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda client: client.node("no such/node?"), 404, "not_found"),
        (lambda client: list(client.table("secrets")), 400, "bad_request"),
        (lambda client: list(client.decisions(reason="LUCK")), 400, "bad_request"),
        (lambda client: client.approve("p9"), 404, "not_found"),
    ],
)
def test_refusals_are_told_with_their_code(client, ask, status, code):
    with pytest.raises(ApiError) as caught:
        ask(client)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert TOKEN not in str(caught.value)


def test_without_the_token_there_are_no_orders(url):
    with Client(url) as client, pytest.raises(ApiError) as caught:
        client.unfreeze()
    assert caught.value.status == 401


def test_the_engine_of_a_data_directory_is_found(tmp_path, backend):
    with pytest.raises(NotRunningError, match="no engine runs"):
        Client.of(tmp_path)
    file, token = web_token(tmp_path)
    server = WebServer(dataclasses.replace(backend, token=token, open_reads=False), "127.0.0.1", 0)
    info = EngineInfo(
        pid=1, url=server.start(), token_file=str(file), kind="emulated", started_at=NOON, version="1.2.3"
    )
    write_engine(tmp_path, info)
    try:
        with Client.of(tmp_path) as client:
            assert client.nodes()[0].name == "disk"
        file.unlink()
        with pytest.raises(NotRunningError, match="cannot be read"):
            Client.of(tmp_path)
    finally:
        server.stop()


def test_the_example_in_the_readme_runs(tmp_path, backend, monkeypatch, capsys):
    (example,) = (
        block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "orch.client" in block
    )
    file, token = web_token(tmp_path)
    server = WebServer(dataclasses.replace(backend, token=token), "127.0.0.1", 0)
    info = EngineInfo(
        pid=1, url=server.start(), token_file=str(file), kind="emulated", started_at=NOON, version="1.2.3"
    )
    write_engine(tmp_path, info)
    try:
        exec(compile(example.replace("~/.local/share/orch", str(tmp_path)), "README.md", "exec"), {})
    finally:
        server.stop()
    assert "disk" in capsys.readouterr().out
