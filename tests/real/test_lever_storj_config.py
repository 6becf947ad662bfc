"""The storage lever on a genuine storage node: its own configuration file, a real restart, what it says then."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager

import pytest
import requests
from storagenode import STOP_S

from orch.errors import LeverError
from orch.levers.storj_config import LEVER, StorjConfigOptions
from orch.model.resources import Resources
from orch.model.wire import HttpRequest, NoReply
from tests.fakes.hands import bad, good, pull, this_host

pytestmark = [pytest.mark.real, pytest.mark.timeout(1700)]  # the first test may have to build the node

READY_S = 60.0
RESTART = """
import os, signal, sys, time
place, before = sys.argv[1], open(sys.argv[1]).read()
os.kill(int(before), signal.SIGTERM)
until = time.monotonic() + 30
while open(place).read() in ("", before):
    if time.monotonic() > until:
        sys.exit("it was not started again")
    time.sleep(0.05)
"""


class Service:
    """What a manager of services does: starts the node again whenever it ends, and tells its number in a file."""

    def __init__(self, node):
        self.node, self.pidfile = node, node.work / "node.pid"
        self._ends = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self):
        self.pidfile.write_text(str(self.node.process.pid))
        self._keeper.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._keeper.join(STOP_S)

    def _keep(self):
        while not self._ends.wait(0.1):
            if self.node.process.poll() is not None:
                self.node.launch()
                self.pidfile.write_text(str(self.node.process.pid))


def world(request):
    """The host as it is, and the node's own API."""
    if not isinstance(request, HttpRequest):
        return this_host(request)
    try:
        answer = requests.get(request.url, timeout=request.deadline_s)
    except requests.RequestException as fault:
        return bad("refused", str(fault))
    return good(answer.content) if answer.ok else bad("http_status", f"status {answer.status_code}")


def allocated_when_ready(options):
    """What the node says once it is back."""
    until = time.monotonic() + READY_S
    while True:
        try:
            return pull(LEVER.read(options), world).allocation.storage_gb
        except LeverError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def comes_back(options, within_s):
    """Whether the node says anything at the end of some seconds."""
    time.sleep(within_s)
    return not isinstance(world(HttpRequest(url=f"{options.url}/api/sno/")), NoReply)


@contextmanager
def kept_running(node):
    with Service(node) as service:
        options = StorjConfigOptions(
            path=str(node.work / "config" / "config.yaml"),
            restart=(sys.executable, "-c", RESTART, str(service.pidfile)),
            url=node.base_url,
            minimum_gb=0.1,
        )
        yield options


def test_a_new_allocation_is_in_force_after_a_restart_by_the_lever_and_can_be_undone(genuine_storagenode):
    config = genuine_storagenode.work / "config" / "config.yaml"
    before = config.read_text().splitlines()
    with kept_running(genuine_storagenode) as options:
        assert allocated_when_ready(options) == 20.0
        first = genuine_storagenode.process.pid
        pull(LEVER.apply(options, Resources(storage_gb=12.5)), world)
        assert allocated_when_ready(options) == 12.5
        assert genuine_storagenode.process.pid != first
        after = config.read_text().splitlines()
        changed = [line for line in after if line not in before]
        assert changed == ["storage.allocated-disk-space: 12.5 GB"]
        assert [line for line in after if line.startswith("#")] == [
            line for line in before if line.startswith("#")
        ]
        pull(LEVER.apply(options, Resources(storage_gb=20.0)), world)
        assert allocated_when_ready(options) == 20.0


def test_a_node_that_does_not_start_with_what_it_was_given_is_put_back(genuine_storagenode):
    with kept_running(genuine_storagenode) as options:
        pull(LEVER.apply(options, Resources(storage_gb=0.5)), world)
        assert not comes_back(options, within_s=2.0)
        pull(LEVER.apply(options, Resources(storage_gb=20.0)), world)
        assert allocated_when_ready(options) == 20.0


def test_what_wins_over_the_file_is_found_on_the_running_node(genuine_storagenode):
    node = genuine_storagenode
    options = StorjConfigOptions(
        path=str(node.work / "config" / "config.yaml"), restart=("false",), url=node.base_url, minimum_gb=0.1
    )
    before = (node.work / "config" / "config.yaml").read_bytes()
    for extra, variables, sentence in (
        (("--storage.allocated-disk-space=20GB",), {}, "runs with --storage.allocated-disk-space, which wins"),
        ((), {"STORJ_STORAGE_ALLOCATED_DISK_SPACE": "20GB"}, "runs with STORJ_STORAGE_ALLOCATED_DISK_SPACE"),
    ):
        node.stop()
        node.start(*extra, **variables)
        with pytest.raises(LeverError, match=sentence):
            pull(LEVER.apply(options, Resources(storage_gb=12.0)), world)
    assert (node.work / "config" / "config.yaml").read_bytes() == before
