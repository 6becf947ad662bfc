"""What the house relies on, and guards against, in Pykka.

A failure here after an upgrade: read `actors/base.py` and `actors/mailbox.py` again.
"""

import queue
import threading
from importlib.metadata import version

import pykka
import pytest
from pykka import messages

WAIT_S = 5.0


class Bare(pykka.ThreadingActor):
    """An actor as Pykka makes it: a message is a function of the actor."""

    def __init__(self, *, at_start=None, log=None):
        super().__init__()
        self.at_start = at_start
        self.log = log if log is not None else []

    def on_start(self):
        if self.at_start:
            self.at_start()

    def on_receive(self, message):
        return message(self)

    def on_stop(self):
        self.log.append(("stop", self))

    def on_failure(self, *_):
        self.log.append(("failure", self))


@pytest.fixture
def start():
    """Starts a bare actor that is stopped after the test."""
    refs = []

    def begin(**options):
        refs.append(Bare.start(**options))
        return refs[-1]

    yield begin
    for ref in refs:
        ref.stop(block=True, timeout=WAIT_S)


def boom(*_):
    raise ValueError("boom")


def leave(_):
    raise SystemExit(1)


def test_the_version_is_one_these_rules_were_tried_on():
    major, minor = (int(part) for part in version("pykka").split(".")[:2])
    assert (major, minor >= 5) == (4, True)


# -- 1: survival depends on the sender -------------------------------------------------------------------------


def test_an_exception_by_tell_ends_the_actor(start):
    log = []
    ref = start(log=log)
    ref.tell(boom)
    assert ref.actor_stopped.wait(WAIT_S)
    ref.stop(block=True, timeout=WAIT_S)
    _join_others()
    assert [kind for kind, _ in log] == ["failure"]


def test_an_exception_by_ask_leaves_the_actor_alive(start):
    log = []
    ref = start(log=log)
    with pytest.raises(ValueError, match="boom"):
        ref.ask(boom, block=True, timeout=WAIT_S)
    assert ref.ask(lambda _: "alive", block=True, timeout=WAIT_S) == "alive"
    assert log == []


# -- 2: a failing start ----------------------------------------------------------------------------------------


def test_a_failing_start_is_a_successful_start_of_a_dead_actor_without_a_hook(start):
    log = []
    ref = start(at_start=boom, log=log)
    assert ref.actor_stopped.wait(WAIT_S)
    _join_others()
    assert log == []
    with pytest.raises(pykka.ActorDeadError):
        ref.ask(lambda _: None, block=True, timeout=WAIT_S)


# -- 3: a BaseException ----------------------------------------------------------------------------------------


def test_a_base_exception_stops_every_actor_and_leaves_its_asker_without_an_answer(start):
    log = []
    guilty, bystander = start(log=log), start()
    answer = guilty.ask(leave, block=False)
    assert bystander.actor_stopped.wait(WAIT_S)
    _join_others()
    assert [kind for kind, _ in log] == ["stop"]
    with pytest.raises(pykka.Timeout):
        answer.get(timeout=0.01)


# -- 6: a stop waits its turn in Pykka's own inbox -------------------------------------------------------------


def test_an_actors_own_stop_is_queued_behind_what_waits(start):
    ref, entered, go, handled = start(), threading.Event(), threading.Event(), []

    def stop_self(actor):
        entered.set()
        assert go.wait(WAIT_S)
        actor.stop()

    ref.tell(stop_self)
    assert entered.wait(WAIT_S)
    for number in range(2):
        ref.tell(lambda _, number=number: handled.append(number))
    go.set()
    assert ref.actor_stopped.wait(WAIT_S)
    assert handled == [0, 1]


# -- 7: stop_all -----------------------------------------------------------------------------------------------


def test_stop_all_stops_the_youngest_first(start):
    log = []
    refs = [start(log=log) for _ in range(3)]
    pykka.ActorRegistry.stop_all(block=True, timeout=WAIT_S)
    assert [actor.actor_ref for _, actor in log] == refs[::-1]


def test_stop_all_with_a_timeout_forgets_everybody_behind_a_busy_actor(start):
    elder, busy, go = start(), start(), threading.Event()
    busy.tell(lambda _: go.wait(WAIT_S))
    with pytest.raises(pykka.Timeout):
        pykka.ActorRegistry.stop_all(block=True, timeout=0.01)
    assert elder.ask(lambda _: "not even asked", block=True, timeout=WAIT_S) == "not even asked"
    go.set()


# -- what is extended ------------------------------------------------------------------------------------------


class Recording:
    """An inbox with the three methods that Pykka may use, and no others."""

    def __init__(self):
        self._queue = queue.SimpleQueue()
        self.put_envelopes = []

    def put(self, envelope, /):
        self.put_envelopes.append(envelope)
        self._queue.put(envelope)

    def get(self):
        return self._queue.get()

    def empty(self):
        return self._queue.empty()


class Extended(Bare):
    """Uses what `actors/base.py` uses."""

    @staticmethod
    def _create_actor_inbox():
        return Recording()

    def launch(self):
        pykka.ActorRegistry.register(self.actor_ref)
        self._start_actor_loop()
        return self.actor_ref


def test_an_inbox_needs_put_get_and_empty_and_gets_message_and_reply_to():
    ref = Extended().launch()
    ref.tell(lambda _: None)
    assert ref.ask(lambda _: 1, block=True, timeout=WAIT_S) == 1
    assert ref.stop(block=True, timeout=WAIT_S)
    told, asked, stop = ref.actor_inbox.put_envelopes
    assert told.message(None) is None
    assert told.reply_to is None
    assert asked.reply_to is not None
    assert isinstance(stop.message, messages._ActorStop)


def test_a_launched_instance_is_registered_and_its_end_can_be_declared():
    actor = Extended()
    ref = actor.launch()
    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is ref

    def end(me):
        me.actor_stopped.set()
        pykka.ActorRegistry.unregister(me.actor_ref)
        raise ValueError("the end")

    with pytest.raises(ValueError, match="the end"):
        ref.ask(end, block=True, timeout=WAIT_S)
    assert not ref.is_alive()
    assert pykka.ActorRegistry.get_all() == []


def test_what_waits_at_the_end_is_answered():
    ref, entered, go = Extended().launch(), threading.Event(), threading.Event()
    ref.tell(lambda _: entered.set() or go.wait(WAIT_S))
    assert entered.wait(WAIT_S)
    ref.stop(block=False)
    waiting = ref.ask(lambda _: "too late", block=False)
    go.set()
    with pytest.raises(pykka.ActorDeadError):
        waiting.get(timeout=WAIT_S)


def test_an_unstarted_actor_has_hooks_and_a_reference_whose_inbox_can_be_replaced():
    actor, stand_in = Extended(), Recording()
    actor.actor_ref.actor_inbox = stand_in
    actor.stop()
    [envelope] = stand_in.put_envelopes
    assert isinstance(envelope.message, messages._ActorStop)
    assert envelope.reply_to is None
    assert actor.on_receive(lambda me: me) is actor
    assert pykka.ActorRegistry.get_all() == []


def _join_others():
    """Wait for the ends of the actors' threads: hooks run after an actor's stopped flag is set."""
    for thread in threading.enumerate():
        if thread.name.startswith(("Bare-", "Extended-")):
            thread.join(WAIT_S)
