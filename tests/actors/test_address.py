import pytest

from actors.address import Address
from orch.errors import EngineError
from orch.messages import AreYouReady, HowMuchWork, RecorderInbox


def test_a_tell_reaches_who_lives_there(live, tick):
    actor = live.probe("recorder")
    assert live.directory.tell("recorder", tick(1))
    assert live.directory.ask("recorder", AreYouReady(), within=5)
    assert actor.seen == [tick(1)]


def test_a_tell_that_finds_no_one_is_counted(live, tick):
    gone = live.probe("gone")
    assert gone.actor_ref.stop(block=True, timeout=5)
    assert not live.directory.tell("gone", tick(1))
    assert not live.directory.tell("nobody", tick(1))
    assert not live.directory.tell("nobody", tick(2))
    assert live.directory.dead_letters() == {("gone", "TickRecorded"): 1, ("nobody", "TickRecorded"): 2}


def test_an_address_tells_and_asks_by_name(live, nudge):
    actor = live.probe("recorder")
    address: Address[RecorderInbox] = Address(live.directory, "recorder")
    assert address.tell(nudge)
    assert address.ask(HowMuchWork(), within=5)["CommitBatch"] == 1
    assert actor.seen == [nudge]


def test_a_new_actor_behind_a_name_gets_what_is_told_from_then_on(live, probe_class, tick):
    first = live.probe("recorder")
    assert first.actor_ref.stop(block=True, timeout=5)
    second = probe_class("recorder", live.house)
    live.directory.admit(second)
    live.directory.tell("recorder", tick(1))
    assert live.directory.ask("recorder", AreYouReady(), within=5)
    assert (first.seen, second.seen) == ([], [tick(1)])


def test_two_actors_cannot_live_behind_one_name(live, probe_class):
    live.probe("recorder")
    with pytest.raises(EngineError, match="already running"):
        live.directory.admit(probe_class("recorder", live.house))


def test_who_asks_nobody_is_told_at_once(live):
    with pytest.raises(EngineError, match="no actor named nobody"):
        live.directory.ask("nobody", AreYouReady(), within=5)


def test_who_asks_an_ended_actor_is_told_at_once(live):
    assert live.probe("gone").actor_ref.stop(block=True, timeout=5)
    with pytest.raises(EngineError, match="has ended"):
        live.directory.ask("gone", AreYouReady(), within=5)


def test_who_asks_a_busy_actor_waits_no_longer_than_wanted(live, gate, do):
    live.probe("busy", wait=gate)
    live.directory.tell("busy", do("wait"))
    with pytest.raises(EngineError, match=r"busy did not answer AreYouReady within 0\.01 s"):
        live.directory.ask("busy", AreYouReady(), within=0.01)
    gate.open()


def test_what_an_actor_raises_over_a_question_comes_as_one_sentence(live):
    def boom(_):
        raise ValueError("no books")

    actor = live.probe("recorder")
    actor.handle = boom
    with pytest.raises(EngineError, match="recorder failed over ActorsOwn: no books"):
        live.directory.ask("recorder", type("ActorsOwn", (AreYouReady,), {})(), within=5)


def test_an_actor_that_tells_itself_at_the_start_hears_it(live, tick):
    actor = live.probe("recorder", ready=lambda me: me.tell("recorder", tick(7)))
    assert live.directory.ask("recorder", AreYouReady(), within=5)
    assert actor.seen == [tick(7)]


def test_a_name_that_was_removed_is_nobodys(live, tick):
    actor = live.probe("recorder")
    live.directory.remove("recorder")
    assert not live.directory.tell("recorder", tick(1))
    assert actor.actor_ref.stop(block=True, timeout=5)
