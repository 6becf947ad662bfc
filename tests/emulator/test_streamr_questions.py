"""An operator watched for a day: calls run together say the same as each by itself, for far fewer questions."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.streamr import OPERATOR
from orch.model.wire import Reply
from orch.protocols.attend import Attended, ask, take
from orch.protocols.base import Context
from orch.protocols.streamr import PROTOCOL
from orch.protocols.streamr_memory import StreamrOptions

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)
NO_CONTRACT = "0x" + "11" * 20


class Watcher:
    """Asks what is due and takes the answers in, as an adapter does; `asked` counts by what was asked."""

    def __init__(self, world, **options):
        chosen = {"rpc_url": emulated_urls()["streamr_rpc"], "operator": OPERATOR, "history_days": 0.0} | options
        memory = PROTOCOL.begin(StreamrOptions(**chosen), Context(node="relay", host="here"))
        self.world, self.state, self.asked = world, Attended(memory=memory), Counter()

    def look(self, now):
        while True:
            self.state, questions = ask(PROTOCOL, self.state, now, 0.5, least_s=300.0)
            if not questions:
                return
            for each in questions:
                self.asked[kind(each.request)] += 1
                reply, _ = answer_request(self.world, each.request, now)
                self.state, failure = take(PROTOCOL, self.state, each.key, reply, now)
                assert failure is None or not isinstance(reply, Reply), failure

    def watch(self, hours):
        for minute in range(int(hours * 60)):
            self.look(START + timedelta(minutes=minute))
        return self


def kind(request):
    question = json.loads(request.body)
    if question["method"] != "eth_call":
        return question["method"]
    data = question["params"][0]["data"]
    others = {"0x82ad56cb": "together", "0x2ebd89d1": "earnings", "0x7e82fd6f": "list", "0x2e949824": "list"}
    return others.get(data[:10], "list" if data == "0x392f37e9" else "word")


def words_of(watcher):
    return watcher.state.memory.words


@pytest.fixture
def watch(worlds):
    """An operator of the same world, watched for some hours."""
    return lambda hours, **options: Watcher(worlds(), **options).watch(hours)


def test_words_that_are_asked_together_are_those_that_are_asked_singly(watch):
    together, singly, refused = watch(1 / 60), watch(1 / 60, multicall=""), watch(1 / 60, multicall=NO_CONTRACT)
    assert words_of(together) == words_of(singly) == words_of(refused)
    assert len(words_of(singly)) > 30
    assert PROTOCOL.reading(together.state.memory, START) == PROTOCOL.reading(singly.state.memory, START)
    assert (together.state.memory.alone, together.state.memory.refused) == (frozenset(), frozenset())
    assert together.asked["together"] + together.asked["word"] < singly.asked["word"] / 2
    assert refused.asked["word"] <= singly.asked["word"] + 1, "of its pace it was the only one at first"


def test_in_a_day_a_quarter_of_the_questions_for_words_is_left_and_all_others_stay(watch):
    together, singly, refused = watch(24), watch(24, multicall=""), watch(24, multicall=NO_CONTRACT)
    for_words = together.asked.pop("together") + together.asked.pop("word")
    assert 0 < for_words < singly.asked["word"] / 4
    refused_rounds = refused.asked.pop("together")
    assert refused_rounds <= 4 * 3
    assert refused.asked.pop("word") <= singly.asked.pop("word") + 1
    assert together.asked == singly.asked == refused.asked
    assert words_of(together).keys() == words_of(singly).keys() == words_of(refused).keys()
