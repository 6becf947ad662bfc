"""The lever of emulated nodes: what it asks, what it makes of the answers."""

from datetime import UTC, datetime

import msgspec
import pytest

from orch.errors import LeverError
from orch.levers.emulated import LEVER, EmulatedOptions
from orch.model.resources import RESOURCES, Resources
from orch.model.wire import NoReply, Reply

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
OPTIONS = EmulatedOptions(url="http://control.emulated/", node="disk")
GOAL = Resources(storage_gb=4000.0, cpu_cores=2.0)


def reply(document, status=200):
    body = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return Reply(status=status, headers=(), body=body, received_at=NOW, elapsed_s=0.1)


def no_reply(body=b"", reason="http_status", status=409):
    return NoReply(
        reason=reason,
        sentence="no answer came",
        retryable=False,
        failed_at=NOW,
        elapsed_s=1,
        status=status,
        body=body,
    )


def drive(task, answer):
    request = next(task)
    with pytest.raises(StopIteration) as end:
        task.send(answer)
    return request, end.value.value


def test_reads_the_limits_in_force():
    limits = {"allocation": {"cpu_cores": 6, "storage_gb": 3000}, "committed": {"storage_gb": 2950.5}}
    request, reading = drive(LEVER.read(OPTIONS), reply(limits))
    assert (request.method, request.url) == ("GET", "http://control.emulated/levers/disk")
    assert reading.allocation == Resources(cpu_cores=6.0, storage_gb=3000.0)
    assert reading.committed == Resources(storage_gb=2950.5)


def test_asks_for_the_known_resources_only():
    request, done = drive(LEVER.apply(OPTIONS, GOAL), reply({"accepted": {}}, 202))
    assert (request.method, request.url) == ("PUT", "http://control.emulated/levers/disk")
    assert msgspec.json.decode(request.body) == {"cpu_cores": 2.0, "storage_gb": 4000.0}
    assert done is None


def test_a_refusal_is_told_in_the_words_of_the_node():
    task = LEVER.apply(OPTIONS, GOAL)
    next(task)
    with pytest.raises(LeverError, match="disk was not changed: too small"):
        task.send(no_reply(b'{"error": "too small"}'))


@pytest.mark.parametrize("answer", [no_reply(reason="refused", status=None), no_reply(b"<html>", status=502)])
def test_without_words_the_transport_is_quoted(answer):
    for task in (LEVER.apply(OPTIONS, GOAL), LEVER.read(OPTIONS)):
        next(task)
        with pytest.raises(LeverError, match="no answer came"):
            task.send(answer)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"committed": {}}', b'{"allocation": {"cpu_cores": "x"}}'])
def test_limits_it_cannot_read_are_an_error(body):
    task = LEVER.read(OPTIONS)
    next(task)
    with pytest.raises(LeverError, match="could not be read"):
        task.send(reply(body))


def test_it_sets_everything_and_states_its_costs():
    for protocol in ("storj", "golem", "streamr", "grass"):
        assert LEVER.sets(protocol, OPTIONS) == RESOURCES
        assert LEVER.cost(protocol, None).deadline_s == 180
        assert LEVER.cost(protocol, None).settle_s == 5
    assert [LEVER.cost(each, None).downtime_s for each in ("storj", "golem", "streamr", "grass")] == [
        120,
        60,
        5,
        5,
    ]
    assert LEVER.describe(OPTIONS, GOAL) == "ask the emulated world to set disk to cpu 2, storage 4000"


def test_it_may_be_told_to_set_a_part_and_then_speaks_of_that_part_alone():
    options = EmulatedOptions(url="http://control", node="disk", sets=("bandwidth_mbps",))
    assert LEVER.sets("storj", options) == ("bandwidth_mbps",)
    task = LEVER.read(options)
    next(task)
    with pytest.raises(StopIteration) as end:
        task.send(reply(b'{"allocation": {"cpu_cores": 2, "bandwidth_mbps": 50}}'))
    assert end.value.value.allocation == Resources(bandwidth_mbps=50.0)


def test_options_are_strict():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "http://x", "node": "disk", "nod": 1}, LEVER.options)
