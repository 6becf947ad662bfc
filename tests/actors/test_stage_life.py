from contextlib import suppress

import pytest

from actors.base import Actor
from actors.stage import Stage, StageError
from actors.supervisor import Recipe, Supervisor
from orch.messages import (
    ActorFailed,
    AreYouReady,
    CommitBatch,
    HowMuchWork,
    RecordBoard,
    TickRecorded,
)
from orch.model.wire import FileRead


def boom(_):
    raise ValueError("boom")


def tick_of(number):
    return TickRecorded(sequence=number)


# -- life ------------------------------------------------------------------------------------------------------


def test_everybody_gets_ready_in_order_when_the_play_begins(stage, act):
    log = []
    for name in ("c", "a", "b"):
        act(name, ready=lambda me: log.append(me.name))
    stage.tell("a", CommitBatch())
    assert log == []
    stage.drain()
    assert log == ["c", "a", "b"]


def test_a_late_comer_gets_ready_before_its_first_message(stage, act):
    act("a")
    stage.tell("a", CommitBatch())
    stage.drain()
    late = act("late", ready=lambda me: me.seen.append("ready"))
    stage.tell("late", tick_of(1))
    stage.drain()
    assert late.seen == ["ready", tick_of(1)]


def test_a_tell_that_finds_no_one_is_counted(stage):
    assert not stage.tell("nobody", CommitBatch())
    assert stage.dead_letters() == {("nobody", "CommitBatch"): 1}


def test_two_actors_cannot_have_one_name(stage, act):
    act("a")
    with pytest.raises(StageError, match="already"):
        act("a")


def test_a_question_from_outside_is_answered_after_what_was_sent_before(stage, act, start):
    act("a")
    stage.tell("a", tick_of(1))
    stage.tell("a", RecordBoard(taken_at=start, body=b""))
    assert stage.ask("a", AreYouReady()) is True
    assert stage.ask("a", HowMuchWork()) == {
        "TickRecorded": 1,
        "RecordBoard": 1,
        "AreYouReady": 1,
        "HowMuchWork": 1,
        "waiting": 0,
        "dropped": 0,
    }


def test_a_question_to_nobody_is_an_error(stage):
    with pytest.raises(StageError, match="no actor named"):
        stage.ask("nobody", AreYouReady())


def test_an_actor_that_stops_itself_does_so_in_its_turn(stage, act):
    actor = act("a", each=lambda me: me.stop())
    stage.tell("a", tick_of(1))
    stage.tell("a", tick_of(2))
    stage.drain()
    assert (actor.seen, actor.closed, stage.names()) == ([tick_of(1), tick_of(2)], 1, ())


def test_an_actor_may_tell_itself_by_its_own_reference(stage, act):
    actor = act("a", ready=lambda me: me.actor_ref.tell(tick_of(1)))
    stage.drain()
    assert actor.seen == [tick_of(1)]


# -- death -----------------------------------------------------------------------------------------------------


def test_without_a_supervisor_a_failure_is_raised(stage, act, do):
    act("a", fail=boom)
    stage.tell("a", do("fail"))
    with pytest.raises(ValueError, match="boom"):
        stage.drain()


def test_with_a_supervisor_a_failure_takes_the_live_path(stage, act, do, tick):
    supervisor = act("supervisor")
    actor = act("a", fail=boom)
    stage.tell("a", do("fail"))
    stage.tell("a", tick(1))
    stage.drain()
    assert supervisor.seen == [ActorFailed(name="a", error="ValueError: boom")]
    assert (actor.seen, actor.closed, stage.names()) == ([], 1, ("supervisor",))


def test_a_failing_start_takes_the_live_path(stage, act):
    supervisor = act("supervisor")
    act("a", ready=boom)
    stage.drain()
    assert supervisor.seen == [ActorFailed(name="a", error="ValueError: boom")]


def test_a_way_out_of_the_process_is_a_failure_of_the_actor(stage, act, do):
    def leave(_):
        raise SystemExit(2)

    supervisor = act("supervisor")
    act("a", fail=leave)
    stage.tell("a", do("fail"))
    stage.drain()
    assert supervisor.seen == [ActorFailed(name="a", error="SystemExit: 2")]


def test_an_interrupt_ends_the_play(stage, act, do):
    def interrupt(_):
        raise KeyboardInterrupt

    act("supervisor")
    act("a", fail=interrupt)
    stage.tell("a", do("fail"))
    with pytest.raises(KeyboardInterrupt):
        stage.drain()


def test_who_asks_gets_what_the_handler_raised(stage, act):
    class Own(AreYouReady):
        pass

    act("supervisor")
    actor = act("a")
    actor.handle = boom
    with pytest.raises(ValueError, match="boom"):
        stage.ask("a", Own())
    assert stage.names() == ("supervisor",)


def test_a_killed_actor_is_dead_and_the_supervisor_knows(stage, act, tick):
    supervisor = act("supervisor")
    actor = act("a")
    stage.tell("a", tick(1))
    stage.kill("a")
    assert not stage.tell("a", tick(2))
    stage.drain()
    assert (actor.seen, actor.closed) == ([], 1)
    assert supervisor.seen == [ActorFailed(name="a", error="KilledError: killed on the stage")]
    with pytest.raises(StageError, match="no actor named a"):
        stage.kill("a")


def test_a_restart_is_another_actor_behind_the_name(start, probe_class, tick):
    for seed in range(20):
        stage = Stage(seed, start)
        made = []

        def make(stage=stage, made=made):
            made.append(probe_class("a", stage.house(), ready=lambda me: me.seen.append("ready")))
            return made[-1]

        stage.add(Supervisor(stage.house(), [Recipe(name="a", level=0, make=make)], stage.add, seed=seed))
        stage.add(make())
        stage.run_for(1)
        stage.kill("a")
        stage.run_for(1)
        stage.tell("a", tick(seed))
        stage.drain()
        assert [actor.seen for actor in made] == [["ready"], ["ready", tick(seed)]]


# -- what cannot be played -------------------------------------------------------------------------------------


def test_a_question_inside_a_handler_is_an_error_even_with_a_supervisor(stage, act, do):
    act("supervisor")
    act("b")
    act("a", ask=lambda me: stage.ask("b", AreYouReady()))
    stage.tell("a", do("ask"))
    with pytest.raises(StageError, match="b was asked inside a handler"):
        stage.drain()


def test_a_question_through_a_reference_is_an_error_even_when_caught(stage, act, do):
    other = act("b")

    def ask_quietly(_):
        with suppress(StageError):
            other.actor_ref.ask(AreYouReady(), block=True, timeout=5)

    act("a", ask=ask_quietly)
    stage.tell("a", do("ask"))
    with pytest.raises(StageError, match="b was asked through its reference"):
        stage.drain()


def test_the_stage_cannot_be_run_inside_a_handler(stage, act, do):
    act("a", run=lambda me: stage.run_for(1))
    stage.tell("a", do("run"))
    with pytest.raises(StageError, match="inside a handler"):
        stage.drain()


def test_a_fetch_without_an_outside_world_is_an_error(stage, act, do):
    def fetch(me):
        me.house.transport.fetch(FileRead(path="x"), reply_to="a", key="k", node="n", lane="fast")

    act("supervisor")
    act("a", fetch=fetch)
    stage.tell("a", do("fetch"))
    with pytest.raises(StageError, match="no transport"):
        stage.drain()


def test_actors_that_tell_each_other_for_ever_are_found(start):
    stage = Stage(1, start, busy_limit=1000)

    class Ball(Actor):
        def handle(self, message):
            self.tell("b" if self.name == "a" else "a", message)

    for name in ("a", "b"):
        stage.add(Ball(name, stage.house()))
    stage.tell("a", CommitBatch())
    with pytest.raises(StageError, match="circle"):
        stage.drain()


def test_timers_without_delay_for_ever_are_found(start):
    stage = Stage(1, start, busy_limit=1000)

    def again():
        stage.script_after(0, again)

    again()
    with pytest.raises(StageError, match="circle"):
        stage.drain()
