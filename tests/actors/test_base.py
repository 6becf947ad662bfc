import threading

import pykka
import pytest

from actors.base import HandlerExitedError
from orch.errors import EngineError
from orch.messages import ActorFailed, AreYouReady, HowMuchWork


def boom(_):
    raise ValueError("boom")


def leave(_):
    raise SystemExit(3)


@pytest.fixture
def supervisor(live):
    """Notes what the supervisor would be told."""
    return live.probe("supervisor")


def failures(supervisor):
    assert supervisor.wait_for(len)
    return [(message.name, message.error) for message in supervisor.seen if isinstance(message, ActorFailed)]


def test_every_actor_says_that_it_is_ready_and_what_it_has_handled(live, tick):
    live.probe("disk")
    for sequence in range(3):
        assert live.directory.tell("disk", tick(sequence))
    assert live.directory.ask("disk", AreYouReady(), within=5) is True
    assert live.directory.ask("disk", HowMuchWork(), within=5) == {
        "TickRecorded": 3,
        "AreYouReady": 1,
        "HowMuchWork": 1,
        "waiting": 0,
        "dropped": 0,
    }


@pytest.mark.parametrize(("script", "error"), [(boom, "ValueError: boom"), (leave, "SystemExit: 3")])
def test_a_failure_by_tell_ends_the_actor_and_reaches_the_supervisor(live, supervisor, do, script, error):
    other = live.probe("other")
    actor = live.probe("disk", fail=script)
    live.directory.tell("disk", do("fail"))
    with pytest.raises(EngineError):
        live.directory.ask("disk", AreYouReady(), within=5)
    assert failures(supervisor) == [("disk", error)]
    assert actor.closed == 1
    assert other.actor_ref.is_alive()


@pytest.mark.parametrize(
    ("script", "raised", "error"),
    [(boom, ValueError, "ValueError: boom"), (leave, HandlerExitedError, "SystemExit: 3")],
)
def test_a_failure_by_ask_ends_the_actor_too_and_the_asker_gets_it(live, supervisor, do, script, raised, error):
    other = live.probe("other")
    actor = live.probe("disk", fail=script)
    with pytest.raises(raised):
        actor.actor_ref.ask(do("fail"), block=True, timeout=5)
    assert failures(supervisor) == [("disk", error)]
    assert actor.closed == 1
    assert other.actor_ref.is_alive()


@pytest.mark.parametrize(("script", "error"), [(boom, "ValueError: boom"), (leave, "SystemExit: 3")])
def test_a_failing_start_reaches_the_supervisor_and_releases_what_was_opened(live, supervisor, script, error):
    actor = live.probe("disk", ready=script)
    with pytest.raises(EngineError):
        live.directory.ask("disk", AreYouReady(), within=5)
    assert failures(supervisor) == [("disk", error)]
    assert actor.closed == 1


def test_resources_are_released_before_the_supervisor_hears_of_the_failure(live, do):
    order = []
    supervisor = live.probe("supervisor")
    supervisor.seen = order
    live.probe("disk", fail=boom, close=lambda _: order.append("closed"))
    live.directory.tell("disk", do("fail"))
    assert supervisor.wait_for(lambda seen: len(seen) == 2)
    assert order == ["closed", ActorFailed(name="disk", error="ValueError: boom")]


@pytest.mark.parametrize("script", [boom, leave])
def test_a_failing_close_harms_nobody(live, script):
    live.probe("other")
    actor = live.probe("disk", close=script)
    assert actor.actor_ref.stop(block=True, timeout=5)
    assert live.directory.ask("other", AreYouReady(), within=5)


def test_ready_and_close_run_in_the_actors_own_thread(live):
    threads = []
    actor = live.probe(
        "disk",
        ready=lambda _: threads.append(threading.current_thread()),
        close=lambda _: threads.append(threading.current_thread()),
    )
    assert actor.actor_ref.stop(block=True, timeout=5)
    assert threads[0] is threads[1]
    assert threads[0] is not threading.current_thread()


def test_what_waited_behind_a_failure_is_lost_and_its_askers_hear_it(live, gate, do, tick):
    actor = live.probe("disk", wait=gate, fail=boom)
    live.directory.tell("disk", do("wait"))
    assert gate.entered.wait(5)
    live.directory.tell("disk", do("fail"))
    live.directory.tell("disk", tick(1))
    answer = actor.actor_ref.ask(HowMuchWork(), block=False)
    gate.open()
    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=5)
    assert actor.seen == []
