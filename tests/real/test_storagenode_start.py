"""A genuine storage node and its host: why it does not start, what to do about it, and how much room it has."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from orch.model.wire import Reply
from orch.protocols.base import Context
from orch.protocols.storj import PROTOCOL
from orch.protocols.storj_host import LOG_BYTES, last_words, remedy_of
from orch.protocols.storj_values import StorjOptions
from orch.system.local import do_here

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
ENDS_WITHIN_S = 60


def ended(node, *arguments):
    """The last words of a start that fails, from the log file that the node was told to write."""
    log = node.work / "own.log"
    log.unlink(missing_ok=True)
    node.launch("--log.output", str(log), *arguments)
    assert node.process is not None
    assert node.process.wait(ENDS_WITHIN_S) != 0
    node.stop()
    return last_words(log.read_bytes()[-LOG_BYTES:])


@contextmanager
def put_back(path):
    """What a test does to a file ends with it."""
    kept = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(kept)


@pytest.fixture
def stopped(genuine_storagenode):
    """The node, stopped; running again afterwards."""
    genuine_storagenode.stop()
    yield genuine_storagenode
    genuine_storagenode.start()


@pytest.mark.parametrize(
    ("arguments", "words", "remedy"),
    [
        (("--storage2.monitor.minimum-disk-space", "500GB"), "disk space requirement not met", "at least 500 GB"),
        (("--preflight.local-time-check=true",), "clock is out of sync", "by NTP"),
        (("--storage2.trust.sources", "https://127.0.0.1:9/list"), "trust", "list of satellites"),
    ],
    ids=["too small", "clock", "no trust list"],
)
def test_why_it_does_not_start_is_the_end_of_its_log(stopped, arguments, words, remedy):
    line = ended(stopped, *arguments)
    assert words in line
    assert remedy in remedy_of(line)


def test_a_disk_that_is_not_mounted(stopped):
    mark = stopped.storage / "storage-dir-verification"
    with put_back(mark):
        mark.unlink()
        line = ended(stopped)
    assert "is mounted" in remedy_of(line)


def test_a_database_that_is_none(stopped):
    database = stopped.storage / "bandwidth.db"
    with put_back(database):
        database.write_bytes(b"garbage" * 1000)
        line = ended(stopped)
    assert "SQLite" in remedy_of(line)


def test_a_sound_node_and_its_disk_agree(genuine_storagenode):
    node = genuine_storagenode
    options = StorjOptions(url=node.base_url, storage_path=str(node.storage))
    memory = PROTOCOL.begin(options, Context(node="disk", host="here"))
    now = datetime.now(UTC)
    asked = {each.key: each.request for each in PROTOCOL.endpoints(memory, now)}
    room = do_here(asked["disk"], lambda: False)
    answer = node.get("sno/")
    for key, body, headers in (("disk", room.body, {}), ("sno", answer.content, answer.headers)):
        reply = Reply(status=200, headers=tuple(headers.items()), body=body, received_at=now, elapsed_s=0.1)
        memory = PROTOCOL.absorb(memory, key, reply, now)
    assert memory.room.total > memory.room.free > 0
    codes = {each.code for each in PROTOCOL.reading(memory, now).findings}
    assert not codes & {"storj_free_differs", "storj_used_differs", "storj_last_words"}
