"""Requests and replies of the transport, answered without a socket."""

from datetime import UTC, datetime, timedelta

import pytest

from orch.emulator.answers_grass import TOKEN
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.model.wire import FileRead, HttpRequest, NoReply, Reply, Secret

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)


def fetch(world, url, now=START, **rest):
    return answer_request(world, HttpRequest(url=url, **rest), now)


def test_hosts_name_the_services():
    assert emulated_urls()["streamr_rpc"] == "http://streamr-rpc.emulated"
    assert set(emulated_urls()) == {"storj", "golem", "streamr_rpc", "streamr_info", "grass", "prices", "control"}


def test_a_good_answer_is_a_reply(world):
    reply, latency = fetch(world, "http://storj.emulated/api/sno/")
    assert isinstance(reply, Reply)
    assert reply.header("x-orch-emulated") == "1"
    assert reply.received_at == START
    assert 0 < latency < 1
    assert fetch(world, "http://storj.emulated/api/sno/")[1] == latency == reply.elapsed_s


def test_secrets_are_sent(world):
    secret = (("Authorization", Secret(value=TOKEN)),)
    assert isinstance(fetch(world, "http://grass.emulated/retrieveUser", secret_headers=secret)[0], Reply)


def test_a_redirect_within_the_host_is_followed(world):
    assert fetch(world, "http://storj.emulated/api/sno")[0].body.startswith(b'{"nodeID"')


@pytest.mark.parametrize(
    ("url", "rest", "reason", "status", "retryable"),
    [
        ("http://golem.emulated/me", {}, "unauthorised", 401, False),
        (
            "http://golem.emulated/nothing",
            {"headers": (("Authorization", "Bearer emulated-app-key"),)},
            "http_status",
            404,
            False,
        ),
        ("http://storj.emulated/nothing", {}, "content_type", 200, False),
        ("http://storj.emulated/api/sno/satellites", {"max_bytes": 100}, "too_large", 200, False),
        (
            "http://control.emulated/levers/relay",
            {"method": "PUT", "body": b'{"cpu_cores":0}'},
            "http_status",
            409,
            False,
        ),
        ("http://mars.emulated/", {}, "unreachable", None, False),
    ],
)
def test_what_is_not_usable_is_no_reply(world, url, rest, reason, status, retryable):
    answer, _ = fetch(world, url, **rest)
    assert isinstance(answer, NoReply)
    assert (answer.reason, answer.status, answer.retryable) == (reason, status, retryable)


def test_html_is_taken_where_json_is_not_wanted(world):
    assert isinstance(fetch(world, "http://storj.emulated/nothing", json_only=False)[0], Reply)


def test_a_restart_is_a_refused_connection_and_a_503_at_the_lever(world):
    put = {"method": "PUT", "body": b'{"storage_gb": 4000}'}
    assert isinstance(fetch(world, "http://control.emulated/levers/disk", **put)[0], Reply)
    refused, _ = fetch(world, "http://storj.emulated/api/sno/", START + timedelta(seconds=1))
    assert (refused.reason, refused.retryable) == ("refused", True)
    again, _ = fetch(world, "http://control.emulated/levers/disk", START + timedelta(seconds=2), **put)
    assert (again.status, again.retryable, again.retry_after_s) == (503, True, 90.0)


def test_there_are_no_files(world):
    assert answer_request(world, FileRead(path="x"), START)[0].reason == "missing_file"
