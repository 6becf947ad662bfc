"""The board live, over real connections: the newest wins, the slow are borne, a stop is prompt."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import re
import resource
import socket
import time

import pytest

from orch.web import streams
from orch.web.backend import BoardSlot
from orch.web.server import WebServer
from tests.fakes.web import TOKEN, board, encoded, serving

WAIT_S = 20.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("streams")) as backend:
        yield backend


@pytest.fixture
def board_slot(shared):
    return shared.board


@pytest.fixture
def backend(shared):
    slot = BoardSlot()
    slot.swap(encoded(board()))
    return dataclasses.replace(shared, board=slot)


@contextlib.contextmanager
def running(backend):
    server = WebServer(backend, "127.0.0.1", 0)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        assert not server._thread.is_alive()


@pytest.fixture(scope="module")
def _server(shared):
    with running(shared) as server:
        yield server


@pytest.fixture
def server(_server):
    """One for the tests that leave it running; nobody reads from it yet."""
    await_nobody(_server)
    return _server


def port_of(server) -> int:
    return int(server.url.rpartition(":")[2])


class Reader:
    """A program that reads the stream, event by event."""

    def __init__(self, server, path: str = "/api/v1/stream", **headers) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=WAIT_S)
        self._connection.request(
            "GET", path, headers={name.replace("_", "-"): each for name, each in headers.items()}
        )
        self.response = self._connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def next(self) -> dict[str, str]:
        """The next event, empty at the end of the stream; comments have the name `:`."""
        found: dict[str, str] = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(":")
            found[name or ":"] = value.strip()
        return found


def named(number: int) -> bytes:
    return encoded(board(next_decision_at=None, can_reallocate=bool(number % 2), schema=number))


def test_a_reader_has_the_newest_board_at_once_and_then_every_new_one(server, board_slot):
    with Reader(server) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.response.headers["x-content-type-options"] == "nosniff"
        assert reader.next() == {"retry": "2000"}
        first = reader.next()
        assert (first["event"], first["data"].encode()) == ("board", board_slot.body())
        for number in (7, 8):
            board_slot.swap(named(number))
            event = reader.next()
            assert json.loads(event["data"])["schema"] == number
        assert event["id"] == board_slot.published().etag.strip('"')


def test_a_reader_that_comes_again_is_not_told_what_it_has(server, board_slot):
    known = board_slot.published().etag.strip('"')
    with Reader(server, last_event_id=known) as reader:
        assert reader.next() == {"retry": "2000"}
        board_slot.swap(named(9))
        assert json.loads(reader.next()["data"])["schema"] == 9
    with Reader(server, last_event_id=known) as reader:
        reader.next()
        assert json.loads(reader.next()["data"])["schema"] == 9, "what it had is no longer the newest"


def test_a_stream_ends_after_as_many_boards_as_were_asked_for(server):
    with Reader(server, "/api/v1/stream?limit=1") as reader:
        reader.next()
        assert reader.next()["event"] == "board"
        assert reader.response.read() == b""


def test_answers_leave_at_once_head_and_body(server):
    with Reader(server) as reader:
        reader.next()
        (connection,) = server._server.server_state.connections
        reached = connection.transport.get_extra_info("socket")
        assert reached.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_before_the_first_board_a_reader_waits_and_hears_that_it_is_connected(backend, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    empty = dataclasses.replace(backend, board=BoardSlot())
    with running(empty) as server, Reader(server) as reader:
        assert reader.next() == {"retry": "2000"}
        assert reader.next() == {":": "still here"}
        empty.board.swap(named(1))
        while not (event := reader.next()).get("event"):
            pass
        assert json.loads(event["data"])["schema"] == 1


def test_there_are_only_so_many_streams(server, monkeypatch):
    monkeypatch.setattr(streams, "MOST_READERS", 1)
    with Reader(server) as first:
        first.next()
        with Reader(server) as second:
            body = json.loads(second.response.read())
        assert (second.response.status, body["error"]["code"]) == (503, "not_ready")


def test_whoever_goes_is_forgotten(server):
    with Reader(server) as reader:
        reader.next()
        assert len(server._app.streams) == 1
    await_nobody(server)


def test_with_closed_reads_the_stream_takes_the_token(backend):
    with running(dataclasses.replace(backend, open_reads=False)) as server:
        with Reader(server) as refused:
            assert refused.response.status == 401
            assert json.loads(refused.response.read())["error"]["code"] == "unauthorised"
        with Reader(server, authorization=f"Bearer {TOKEN}") as reader:
            assert reader.next() == {"retry": "2000"}


def test_at_the_stop_readers_are_told_and_nobody_is_waited_for(backend, caplog):
    with running(backend) as server, Reader(server) as reader:
        reader.next(), reader.next()
        began = time.monotonic()
        server.stop()
        assert reader.next() == {"event": "end", "data": "{}"}
        assert time.monotonic() - began < 5.0
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


def large(number: int) -> bytes:
    return b'{"schema":1,"as_of":"2026-11-22T12:00:00Z","filler":"%s%d"}' % (b"x" * 60_000, number)


def await_nobody(server) -> None:
    end = time.monotonic() + WAIT_S
    while len(server._app.streams) and time.monotonic() < end:
        get(server, "/api/v1/health")
    assert len(server._app.streams) == 0


def get(server, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=WAIT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def mute(server) -> socket.socket:
    """Somebody who asks for the stream and never reads."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(WAIT_S)
    one.connect(("127.0.0.1", port_of(server)))
    one.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return one


def stuck(server) -> int:
    return sum(each.sending_since is not None for each in list(server._app.streams._readers))


def fill(server, backend, wanted: int) -> None:
    """Swap large boards until so many readers hold up their stream."""
    end, number = time.monotonic() + WAIT_S, 0
    while stuck(server) < wanted and time.monotonic() < end:
        number += 1
        backend.board.swap(large(number))
        assert get(server, "/api/v1/dashboard")[0] == 200
    assert stuck(server) >= wanted


def crowd_stops_promptly(backend, count: int, caplog) -> None:
    with running(backend) as server, contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(contextlib.closing(mute(server)))
        fill(server, backend, count)
        with Reader(server, "/api/v1/stream?limit=1") as quick:
            quick.next()
            assert quick.next()["event"] == "board", "the quick are served beside the slow"
        began = time.monotonic()
        server.stop()
        took = time.monotonic() - began
    assert took < 5.0
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


def test_readers_that_never_read_hold_up_neither_others_nor_the_stop(backend, caplog):
    crowd_stops_promptly(backend, 5, caplog)


@pytest.mark.slow
def test_two_hundred_readers_that_never_read_hold_up_neither_others_nor_the_stop(backend, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1024 <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    crowd_stops_promptly(backend, 200, caplog)


def test_whoever_takes_nothing_for_long_is_hung_up_on(backend, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(streams, "STUCK_S", 0.2)
    with running(backend) as server, contextlib.closing(mute(server)):
        end = time.monotonic() + WAIT_S
        number = 0
        seen = False
        while time.monotonic() < end and not (seen and not len(server._app.streams)):
            number += 1
            seen = seen or len(server._app.streams) == 1
            backend.board.swap(large(number))
            get(server, "/api/v1/health")
        assert seen
        assert len(server._app.streams) == 0


def test_slow_readers_get_the_newest_not_all(backend):
    with running(backend) as server, contextlib.closing(mute(server)) as slow:
        fill(server, backend, 1)
        for number in range(50):
            backend.board.swap(named(number))
            get(server, "/api/v1/health")
        slow.settimeout(WAIT_S)
        received = b""
        while b'"schema":49,' not in received:
            received += slow.recv(65_536)
        events = re.findall(rb"event: board", received)
        assert len(events) < 40
