import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.stage import Stage
from actors.supervisor import Household, Recipe, Supervisor, backoff_s, by_level, recent
from orch.errors import EngineError
from orch.messages import ActorFailed, ActorRestarted, AreYouReady, HowMuchWork, RestartActor

draws = st.floats(0, 1, exclude_max=True)


def boom(_):
    raise ValueError("boom")


def restarts_of(actor):
    return [message for message in actor.seen if isinstance(message, ActorRestarted)]


# -- pure ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 50), draws)
def test_a_backoff_lies_in_the_upper_half_of_its_step(restarts, draw):
    full = min(300.0, 0.5 * 4.0**restarts)
    assert full / 2 <= backoff_s(restarts, draw) <= full


@given(st.integers(0, 3), draws, draws)
def test_backoffs_grow_until_the_longest(restarts, draw, other):
    assert backoff_s(restarts, draw) < backoff_s(restarts + 1, other)


@given(st.lists(st.integers(0, 9000)), st.integers(0, 9000))
def test_only_the_last_hour_counts(times, now):
    assert set(recent(times, now)) == {time for time in times if time > now - 3600}


def recipe(name, level):
    return Recipe(name=name, level=level, make=lambda: None)


def test_levels_go_up_and_keep_the_given_order_within():
    recipes = [recipe("adapter:b", 3), recipe("recorder", 0), recipe("adapter:a", 3), recipe("monitor", 1)]
    assert [[each.name for each in level] for level in by_level(recipes)] == [
        ["recorder"],
        ["monitor"],
        ["adapter:b", "adapter:a"],
    ]


@pytest.mark.parametrize("names", [("a", "a"), ("a", "supervisor")])
def test_names_are_unique_and_the_supervisors_is_taken(names):
    with pytest.raises(ValueError, match="must differ"):
        by_level([recipe(name, 0) for name in names])


# -- on the stage ----------------------------------------------------------------------------------------------


@pytest.fixture
def troupe(stage, probe_class):
    """A supervised `disk` that can fail, and a monitor; `made` holds every disk there has been."""

    class Troupe:
        def __init__(self):
            self.made, self.scripts = [], {"fail": boom}

        def make(self):
            self.made.append(probe_class("disk", stage.house(), **self.scripts))
            return self.made[-1]

    troupe = Troupe()
    recipes = [Recipe(name="disk", level=0, make=troupe.make)]
    troupe.monitor = probe_class("monitor", stage.house())
    stage.add(Supervisor(stage.house(), recipes, stage.add, seed=5))
    stage.add(troupe.monitor)
    stage.add(troupe.make())
    return troupe


def test_who_failed_lives_again_behind_the_same_name(stage, troupe, do, tick, start):
    stage.tell("disk", do("fail"))
    stage.drain()
    assert not stage.tell("disk", tick(1))
    stage.run_for(0.5)
    assert stage.tell("disk", tick(2))
    stage.drain()
    first, second = troupe.made
    assert (first.seen, first.closed, second.seen) == ([], 1, [tick(2)])
    [told] = restarts_of(troupe.monitor)
    assert (told.name, told.error, told.restarts, told.given_up) == ("disk", "ValueError: boom", 1, False)
    assert start + timedelta(seconds=0.25) <= told.happened_at <= start + timedelta(seconds=0.5)


def test_who_fails_at_every_start_is_given_up_after_five_restarts(stage, troupe, do):
    troupe.scripts = {"ready": boom}
    stage.tell("disk", do("fail"))
    stage.run_for(3600)
    told = restarts_of(troupe.monitor)
    assert [(message.restarts, message.given_up) for message in told] == [
        *((count, False) for count in range(1, 6)),
        (5, True),
    ]
    waits = [
        (later.happened_at - sooner.happened_at).total_seconds() for sooner, later in itertools.pairwise(told[:-1])
    ]
    assert waits == sorted(waits)
    assert len(troupe.made) == 6
    assert "disk" not in stage.names()


def test_a_failure_an_hour_later_finds_a_fresh_budget(stage, troupe, do):
    for _ in range(12):
        stage.tell("disk", do("fail"))
        stage.run_for(1300)
    assert [message.given_up for message in restarts_of(troupe.monitor)] == [False] * 12
    assert max(message.restarts for message in restarts_of(troupe.monitor)) == 3


def test_a_recipe_that_raises_is_tried_again(stage, troupe, do):
    make, attempts = troupe.make, []

    def unwilling():
        attempts.append(stage.now())
        if len(attempts) < 3:
            raise OSError("no memory")
        return make()

    supervised = Recipe(name="disk", level=0, make=unwilling)
    other = Stage(2, stage.now())
    monitor = type(troupe.monitor)("monitor", other.house())
    for actor in (Supervisor(other.house(), [supervised], other.add, seed=1), monitor):
        other.add(actor)
    other.tell("supervisor", ActorFailed(name="disk", error="gone"))
    other.run_for(60)
    assert len(attempts) == 3
    assert [(message.error, message.restarts) for message in restarts_of(monitor)] == [("OSError: no memory", 3)]


def test_a_failure_of_an_unknown_actor_and_a_stray_restart_change_nothing(stage, troupe):
    stage.tell("supervisor", ActorFailed(name="stranger", error="?"))
    stage.tell("supervisor", RestartActor(name="disk"))
    stage.run_for(3600)
    assert (len(troupe.made), restarts_of(troupe.monitor)) == (1, [])


def test_two_reports_of_one_failure_are_one_restart(stage, troupe):
    stage.kill("disk")
    stage.tell("supervisor", ActorFailed(name="disk", error="again"))
    stage.run_for(3600)
    assert len(troupe.made) == 2


def test_waits_are_drawn_from_the_seed(start, probe_class):
    def first_wait(seed):
        stage = Stage(1, start)
        monitor = probe_class("monitor", stage.house())
        disk = Recipe(name="disk", level=0, make=lambda: probe_class("disk", stage.house()))
        stage.add(Supervisor(stage.house(), [disk], stage.add, seed=seed))
        stage.add(monitor)
        stage.add(disk.make())
        stage.kill("disk")
        stage.run_for(10)
        return restarts_of(monitor)[0].happened_at

    assert first_wait(1) == first_wait(1)
    assert len({first_wait(seed) for seed in range(5)}) == 5


# -- with threads ----------------------------------------------------------------------------------------------


@pytest.fixture
def household(live, probe_class):
    """Builds a household of probes; every probe made is kept in `made`, by name."""
    made, houses = {}, []

    def build(*names_and_levels, scripts=None, **deadlines):
        def recipe(name, level):
            def make():
                actor = probe_class(name, live.house, **(scripts or {}).get(name, {}))
                made.setdefault(name, []).append(actor)
                return actor

            return Recipe(name=name, level=level, make=make, **deadlines)

        houses.append(Household(live.house, live.directory, [recipe(*each) for each in names_and_levels], seed=1))
        return houses[-1]

    build.made = made
    yield build
    for house in houses:
        house.stop_all()


def test_levels_start_in_order_and_stop_in_reverse(household):
    log = []
    names = ("recorder", "monitor", "adapter")
    scripts = {
        name: {
            "ready": lambda me: log.append(("ready", me.name)),
            "close": lambda me: log.append(("close", me.name)),
        }
        for name in names
    }
    house = household(("adapter", 2), ("recorder", 0), ("monitor", 1), scripts=scripts)
    house.start_all()
    assert house.stop_all() == ()
    assert log == [("ready", name) for name in names] + [("close", name) for name in reversed(names)]


def test_the_supervisor_answers_as_every_actor(household, live):
    household(("monitor", 0)).start_all()
    assert live.directory.ask("supervisor", AreYouReady(), within=5) is True
    assert live.directory.ask("supervisor", HowMuchWork(), within=5)["dropped"] == 0


@pytest.mark.parametrize("how", ["tell", "ask", "exit"])
def test_a_crash_is_followed_by_another_life(household, live, do, tick, how):
    def leave(_):
        raise SystemExit(1)

    house = household(("monitor", 0), ("disk", 1), scripts={"disk": {"fail": leave if how == "exit" else boom}})
    house.start_all()
    if how == "ask":
        with pytest.raises(EngineError):
            live.directory.ask("disk", do("fail"), within=5)
    else:
        live.directory.tell("disk", do("fail"))
    [monitor] = household.made["monitor"]
    assert monitor.wait_for(len)
    assert live.directory.tell("disk", tick(1))
    assert live.directory.ask("disk", AreYouReady(), within=5)
    assert [actor.seen for actor in household.made["disk"]] == [[], [tick(1)]]


def test_a_start_that_succeeds_at_the_second_try_is_a_start(household):
    tries = []

    def once(_):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("busy")

    house = household(("monitor", 0), ("disk", 1), scripts={"disk": {"ready": once}})
    house.start_all()
    assert len(tries) == 2


def test_who_cannot_start_is_named_with_the_reason(household):
    house = household(("disk", 0), scripts={"disk": {"ready": boom}}, ready_within_s=1.5)
    with pytest.raises(EngineError, match=r"disk was not ready within 1\.5 s: ValueError: boom"):
        house.start_all()


def test_who_hangs_in_its_start_is_named(household, gate):
    house = household(("disk", 0), scripts={"disk": {"ready": gate}}, ready_within_s=0.05)
    with pytest.raises(EngineError, match=r"disk was not ready within 0\.05 s: no answer"):
        house.start_all()
    gate.open()


def test_a_busy_actor_does_not_hold_up_the_end_of_the_others(household, live, gate, do):
    house = household(
        ("recorder", 0), ("busy", 1), ("beside", 1), scripts={"busy": {"wait": gate}}, stop_within_s=1.0
    )
    house.start_all()
    live.directory.tell("busy", do("wait"))
    assert gate.entered.wait(5)
    begun = live.clock.monotonic()
    assert house.stop_all() == ("busy",)
    assert live.clock.monotonic() - begun < 8.0
    assert [actor.closed for name in ("recorder", "beside") for actor in household.made[name]] == [1, 1]
    gate.open()


def test_everybody_is_asked_to_stop_even_when_no_time_is_left(household, live):
    house = household(("recorder", 0), ("monitor", 1))
    house.start_all()
    house.stop_all(within_s=0.0)
    for [actor] in household.made.values():
        assert actor.actor_stopped.wait(5)


def test_nothing_is_restarted_that_is_being_stopped(household, live, do):
    house = household(("disk", 0), scripts={"disk": {"close": boom, "fail": boom}})
    house.start_all()
    live.directory.tell("disk", do("fail"))
    assert house.stop_all() == ()
    assert live.directory.names() == ()


def test_stopping_what_was_never_started_is_nothing(household):
    assert household(("disk", 0)).stop_all() == ()
