"""Steps of a plan and the counterfactual of a move, for a terminal."""

from msgspec.structs import replace
from rich.console import Console, Group

from orch.cli.pages import moves_page, plan_page, steps_page
from tests.fakes.values import plan_step

LONG = "docker update --cpus 1.5 --memory 6442450944b --memory-swap 6442450944b a-container-with-quite-a-long-name"
STEP = plan_step(does=(LONG,))


def text(*parts):
    console = Console(width=80, color_system=None, highlight=False, emoji=False, markup=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part, crop=False)
    return captured.get()


def told(make, **step):
    plan = replace(make.plan(make.decision()), steps=(replace(STEP, **step),))
    return text(Group(*steps_page(plan))), text(plan_page(plan, plan.decided_at))


def test_a_command_comes_in_one_line_so_that_it_can_be_copied(make):
    for shown in told(make):
        assert f"   {LONG}\n" in shown
        assert "disk gives up: cores 6 → 1.5 (lever docker, mode approve)" in shown
        assert "`orch approve p1` carries it out" in shown


def test_what_no_lever_may_do_is_by_hand(make):
    for step in ({"lever": None, "mode": None}, {"mode": "suggest"}):
        shown, _ = told(make, **step)
        assert "By hand, in this order" in shown
        assert "orch approve" not in shown
    assert "no lever is configured" in told(make, lever=None, mode=None)[0]


def test_a_plan_without_steps_tells_none(make):
    assert list(steps_page(None)) == list(steps_page(make.plan(make.decision()))) == []


def test_a_followed_move_names_what_the_old_split_would_have_earned(make):
    move = make.move("r1", "settled", counterfactual_usd_per_hour=0.0875)
    assert "the old split would have earned 0.0875" in " ".join(text(moves_page((move,), move.started_at)).split())
    move = make.move("r1", "settled")
    assert "the old split" not in text(moves_page((move,), move.started_at))
