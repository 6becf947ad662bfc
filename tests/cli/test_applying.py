"""`plan --apply`: a person taken through a plan, by the engine or by hand."""

from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from orch.cli import applying
from orch.errors import EngineError, UsageError
from orch.model.resources import Resources
from tests.fakes.values import plan_step

GIVES = plan_step()
GETS = plan_step(
    index=1,
    node="compute",
    kind="grant",
    goal=Resources(cpu_cores=6.5),
    undo=Resources(cpu_cores=2.0),
    does=("ya-provider profile update --name default --cpu-threads 6",),
    lever="golem_provider",
    mode="auto",
)


class Engine:
    """Two nodes on eight cores; whoever runs a command does so at the next look, if it is in `obeys`."""

    def __init__(self, move, obeys=("disk", "compute")):
        self.has = {"disk": Resources(cpu_cores=6.0), "compute": Resources(cpu_cores=2.0)}
        self.move, self.obeys, self.orders, self.looks = move, obeys, [], 0
        self.states = ["applying", "settled"]

    def board(self):
        self.looks += 1
        nodes = [SimpleNamespace(name=name, allocation=has, used=Resources()) for name, has in self.has.items()]
        return SimpleNamespace(nodes=nodes, capacity=Resources(cpu_cores=8.5), reserve=Resources(cpu_cores=0.5))

    def run(self, step):
        if step.node in self.obeys:
            self.has[step.node] = step.goal

    def reallocations(self, since):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return (self.move("r7", state, plan_id="p1"),)

    def order(self, path, said=None):
        self.orders.append((path, said))


@pytest.fixture
def walk(make, monkeypatch):
    """Answers a walk through a plan; what was said, and the failure it ended with."""
    clock = SimpleNamespace(now=0.0)

    def sleep(seconds):
        clock.now += seconds

    monkeypatch.setattr(applying, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))

    def walk(answers, steps=(GIVES, GETS), engine=None):
        engine = engine or Engine(make.move)
        plan = replace(make.plan(make.decision()), steps=steps)
        asked = applying._ask

        def ask(question):
            answer = asked(question)
            if answer == "y" and "Run that" in question:
                engine.run(steps[walk.next])
            walk.next += 1
            return answer

        walk.next, walk.engine = 0, engine
        monkeypatch.setattr(applying, "_ask", ask)
        command = click.command()(lambda: applying.apply(plan, engine))
        found = CliRunner().invoke(command, input="\n".join(answers) + "\n")
        monkeypatch.setattr(applying, "_ask", asked)
        return found

    return walk


def test_what_is_taken_is_approved_as_a_whole_and_followed_to_its_end(walk):
    found = walk("yy")

    assert found.exception is None
    assert walk.engine.orders == [("/api/v1/plans/p1/approve", None)]
    for said in (
        "Step 1 of 2: disk gives up: cores 6 → 1.5 (lever docker, mode approve)",
        "    docker update --cpus 1.5 disk\n",
        "Step 2 of 2: compute gets: cores 2 → 6.5",
        "r7: applying",
        "r7: settled",
        "Done, and read back: disk cores 6 → 1.5",
    ):
        assert said in found.output


@pytest.mark.parametrize(
    ("answers", "said"), [("ny", {"steps": [1]}), ("yn", {"steps": [0]}), ("nn", None), ("yq", None), ("q", None)]
)
def test_a_step_is_left_out_and_quitting_changes_nothing(walk, answers, said):
    found = walk(answers)

    assert walk.engine.orders == ([("/api/v1/plans/p1/approve", said)] if said else [])
    assert ("Nothing was changed." in found.output) is (said is None)


def test_another_answer_is_asked_for_again(walk):
    assert walk(["what", "y", "y"]).exception is None
    assert len(walk.engine.orders) == 1


def test_a_move_that_was_put_back_is_a_failure_with_its_reason(walk, make):
    engine = Engine(make.move)
    engine.states = ["rolling_back", "rolled_back"]
    engine.move = lambda *args, **more: make.move(*args, **more, rolled_back_reason="disk did not take it.")
    found = walk("yy", engine=engine)

    assert isinstance(found.exception, EngineError)
    assert "disk did not take it." in str(found.exception)


def by_hand(step):
    return replace(step, lever=None, mode=None)


@pytest.mark.parametrize("steps", [(by_hand(GIVES), GETS), (GIVES, replace(GETS, mode="suggest"))])
def test_where_no_lever_may_act_the_person_runs_each_command_and_it_is_read_back(walk, steps):
    found = walk("yy", steps)

    assert walk.engine.orders == []
    assert "disk says that it has cores 1.5." in found.output
    assert "compute says that it has cores 6.5." in found.output
    assert "2 of 2 steps were made and read back" in found.output


def test_nobody_is_asked_to_give_what_is_not_free_yet(walk):
    found = walk("n", (by_hand(GIVES), GETS))

    assert "Step 2 is left out: compute would get 6.5 cores, and 2 are free for it" in found.output
    assert "ya-provider" not in found.output
    assert "0 of 2 steps" in found.output


def test_what_does_not_come_is_waited_for_as_long_as_the_person_wants(walk, make):
    found = walk("yyn", (by_hand(GIVES), GETS), Engine(make.move, obeys=()))

    assert found.output.count("disk still says cores 6;") == 2
    assert "0 of 2 steps" in found.output
    assert walk.engine.looks > 2 * applying.READ_BACK_S / applying.LOOK_S


def test_quitting_by_hand_says_how_far_it_went(walk):
    assert "1 of 2 steps" in walk("yq", (by_hand(GIVES), GETS)).output


def test_a_plan_that_changes_nothing_asks_nothing(walk):
    assert "nothing to apply" in walk("", ()).output


def test_without_a_terminal_nobody_is_asked(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(UsageError, match="orch approve ID"):
        applying.refuse_without_terminal()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    applying.refuse_without_terminal()
