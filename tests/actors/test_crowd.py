"""First contact: at once where a house has few nodes, from tick to tick where it has so many that they crowd."""

from __future__ import annotations

import pytest

from actors.adapter import Adapter, NodePlan
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from orch.boot.plans import CROWD, make_setting, node_plan
from orch.config.load import from_tables
from orch.messages import PollNode
from orch.model.resources import Resources
from orch.model.wire import HttpRequest
from orch.protocols.base import Context, Endpoint
from tests.fakes.roles import T0, Listener, Plain, reply

QUESTIONS = 6


class Talkative(Plain):
    """A protocol with some questions, all in one lane."""

    def endpoints(self, memory, now):
        urls = [f"http://node/{number}" for number in range(QUESTIONS)]
        return tuple(Endpoint(key=url, request=HttpRequest(url=url), period_s=600) for url in urls)


def asked_tick_by_tick(*, in_crowd):
    """How many questions were asked after each of the first ticks, one every five seconds."""
    stage, asked, found = Stage(1, T0), [], []

    def answer(request, now, node):
        asked.append(request.url)
        return reply(now, 1), 0.1

    house = stage.house(VirtualTransport(stage, answer))
    plan = NodePlan(Context(node="n", host="h"), Talkative(), None, in_crowd=in_crowd)
    stage.add(Adapter("adapter:n", house, plan))
    stage.add(Listener("coordinator", house))
    for tick in range(QUESTIONS + 1):
        stage.tell("adapter:n", PollNode(tick=tick, due_at=stage.now()))
        stage.run_for(5)
        found.append(len(asked))
    return found


@pytest.mark.parametrize(
    ("in_crowd", "found"),
    [(False, [QUESTIONS] * (QUESTIONS + 1)), (True, [*range(1, QUESTIONS + 1), QUESTIONS])],
)
def test_first_contact_goes_on_at_once_or_from_tick_to_tick(in_crowd, found):
    assert asked_tick_by_tick(in_crowd=in_crowd) == found


@pytest.mark.parametrize(
    ("nodes", "poll_s", "in_crowd"), [(CROWD, 5, False), (CROWD + 1, 5, True), (CROWD + 1, 60, False)]
)
def test_many_nodes_polled_often_are_a_crowd(nodes, poll_s, in_crowd, tmp_path):
    tables = {
        "cadence": {"poll_s": poll_s},
        "host": {"bandwidth_mbps": 100, "storage_gb": 1000},
        "nodes": {
            f"n{number}": {"protocol": "storj", "url": f"http://10.0.0.{number}:14002"} for number in range(nodes)
        },
    }
    measured = Resources(cpu_cores=8.0, memory_gb=16.0)
    setting = make_setting(from_tables(tables, {}, tmp_path), host="here", measured=measured)
    assert {node_plan(setting, node).in_crowd for node in setting.nodes} == {in_crowd}
