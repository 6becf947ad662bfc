"""An answer that says what is known already leaves a protocol's memory the very same object, part by part.

Whole readings, and all that is made of them, are told only where a part is another object: a part made anew from
equal figures would be news at every poll.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orch.boot.plans import make_setting
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.world import World
from orch.model.resources import Resources
from orch.model.wire import Reply
from orch.protocols.attend import Attended, ask, take

START = datetime(2026, 11, 2, tzinfo=UTC)
TIMED = {
    "compute": {"me": {"last_seen_at"}, "payAgreements": {"pays", "pays_read_at", "accruals", "work"}},
    "relay": {"info": {"last_seen_at", "info"}, "block": {"last_seen_at", "block"}},
}
"""What only says when it was read."""


@pytest.mark.parametrize("name", ["compute", "relay"])
def test_an_answer_told_twice_is_no_news(name, tmp_path):
    world = World(3, START)
    config = from_tables(demo_nodes(emulated_urls()), demo_environment(), tmp_path)
    setting = make_setting(config, host="here", measured=Resources(cpu_cores=8.0, memory_gb=16.0))
    node = next(each for each in setting.nodes if each.config.name == name)
    spec, state = node.spec, Attended(memory=node.spec.begin(node.config.options, node.context))
    while True:
        state, asked = ask(spec, state, START, 0.5)
        if not asked:
            break
        for endpoint in asked:
            reply, _ = answer_request(world, endpoint.request, START)
            state, _ = take(spec, state, endpoint.key, reply, START)

    seen, later = set(), START + timedelta(minutes=1)
    for endpoint in spec.endpoints(state.memory, START):
        reply, _ = answer_request(world, endpoint.request, START)
        if not isinstance(reply, Reply) or endpoint.once:
            continue
        first = spec.absorb(state.memory, endpoint.key, reply, START)
        second = spec.absorb(first, endpoint.key, reply, later)
        news = {each for each in first.__struct_fields__ if getattr(first, each) is not getattr(second, each)}
        kind = endpoint.key.partition("/")[0]
        assert news <= TIMED[name].get(kind, set()), endpoint.key
        seen.add(kind)
    assert len(seen) >= 8
