"""Listening to a websocket: messages as they came, an end in time, bytes and number, whatever the server does."""

from __future__ import annotations

import json
import socket
import time

import pytest

from orch.model.wire import Listen, Secret
from orch.system.local import do_here, place_of
from tests.fakes.websockets import CLOSE, PING, Server, frame


@pytest.fixture
def serve():
    servers = []

    def make(*sends, **how):
        servers.append(Server(*sends, **how))
        return servers[-1]

    yield make
    for each in servers:
        each.close()


def heard(server, *, seconds=5.0, stopped=lambda: False, **how):
    return do_here(Listen(url=f"{server.url}/streams/a/subscribe", seconds=seconds, **how), stopped)


def test_text_messages_come_in_their_order_and_a_ping_is_none(serve):
    server = serve(frame("one"), frame("?", PING), frame("two " * 60), frame("", CLOSE))
    assert json.loads(heard(server, seconds=5).body) == ["one", "two " * 60]


def test_silence_is_an_empty_list_after_the_time(serve):
    began = time.monotonic()
    assert json.loads(heard(serve(), seconds=0.3).body) == []
    assert time.monotonic() - began < 20


def test_half_a_message_is_none(serve):
    found = heard(serve(frame("whole"), frame("never ends")[:4]), seconds=1.0)
    assert json.loads(found.body) == ["whole"]


def test_a_key_goes_into_the_query_and_nowhere_else(serve):
    server = serve(frame("", CLOSE))
    question = Listen(url=server.url, secret_query=(("apiKey", Secret(value="s3cret")),), seconds=2)
    do_here(question, lambda: False)
    assert server.asked == ["GET /?apiKey=s3cret HTTP/1.1"]
    assert "s3cret" not in repr(question) + place_of(question)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "unauthorised"), (403, "unauthorised"), (404, "http_status"), (302, "malformed")],
)
def test_a_refusal_is_typed_and_a_redirect_is_not_followed(serve, status, reason):
    target = serve(frame("from elsewhere"), closes=True)
    found = heard(serve(status=status, location=target.url))
    assert found.reason == reason
    assert target.asked == []


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = do_here(Listen(url=f"ws://127.0.0.1:{port}", seconds=0.2), lambda: False)
    assert (found.reason, found.retryable) == ("refused", True)


def test_a_connection_that_breaks_is_said_to(serve):
    assert heard(serve(frame("half of it")[:3], closes=True), seconds=5).reason == "unreachable"


def test_too_much_is_refused_and_enough_is_enough(serve):
    assert heard(serve(*[frame("x" * 1000)] * 40), max_bytes=20_000, seconds=5).reason == "too_large"
    assert len(json.loads(heard(serve(*[frame("x")] * 40), max_messages=7, seconds=5).body)) == 7


def test_a_frame_that_claims_to_be_endless_takes_no_more_than_its_bytes(serve):
    claim = b"\x81\x7f" + (1 << 40).to_bytes(8, "big")
    assert heard(serve(claim, b"x" * 60_000), max_bytes=30_000, seconds=5).reason == "too_large"


def test_it_ends_when_nobody_wants_it_any_more(serve):
    began = time.monotonic()
    heard(serve(), seconds=60, stopped=lambda: True)
    assert time.monotonic() - began < 30
