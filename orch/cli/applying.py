"""`orch plan --apply`: a person goes through a plan step by step.

Either orch does all of it, through the running engine and with all its checks; or, where a step has no lever that
may act, the person does all of it by hand, and orch reads back what came of each step before it offers the next.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias
from urllib.parse import quote

import click

from orch.cli.pages import by_hand, step_in_words
from orch.cli.words import WORDS, amount, harmless, moved_in_words
from orch.errors import EngineError, UsageError
from orch.model.resources import TOLERANCE, close

if TYPE_CHECKING:
    from typing import Any

    from orch.model.board import Dashboard
    from orch.model.moves import Reallocation
    from orch.model.plans import Plan, PlanStep
    from orch.model.resources import Resources

LOOK_S = 2.0
READ_BACK_S = 120.0
"""So long a change made by hand is looked for before the person is asked again: nodes are asked once a minute."""
FOLLOW_S = 900.0
EXACT = 5e-3
Answer: TypeAlias = Literal["y", "n", "q"]


class Engine(Protocol):
    """What is needed of the running engine."""

    def board(self) -> Dashboard:
        """The newest board."""

    def reallocations(self, since: None) -> tuple[Reallocation, ...]:
        """All moves, newest first."""

    def order(self, path: str, said: Any = None) -> Any:
        """Give an order. Raises EngineError where it is refused."""


def refuse_without_terminal() -> None:
    """Raise UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError(
            "plan --apply asks before each step, and there is no terminal to ask on: "
            "`orch approve ID` carries a plan out, `orch plan` prints its commands."
        )


def apply(plan: Plan, engine: Engine) -> None:
    """Go through a plan with the person at the terminal.

    Raises:
        EngineError: The engine refused it, or what it did was not what was wanted.
    """
    plan = harmless(plan)
    if not plan.steps:
        click.echo("The plan changes nothing: there is nothing to apply.")
    elif any(by_hand(step) for step in plan.steps):
        _by_person(plan, engine)
    else:
        _by_engine(plan, engine)


# -- orch does it --------------------------------------------------------------------------------------------


def _by_engine(plan: Plan, engine: Engine) -> None:
    taken = []
    for step in plan.steps:
        _tell(step, len(plan.steps))
        match _ask("Take this step"):
            case "y":
                taken.append(step.index)
            case "q":
                click.echo("Nothing was changed.")
                return
            case _:
                click.echo("It is left out.")
    if not taken:
        click.echo("Nothing was changed.")
        return
    said = None if len(taken) == len(plan.steps) else {"steps": taken}
    engine.order(f"/api/v1/plans/{quote(plan.id, safe='')}/approve", said)
    _follow(plan, engine)


def _follow(plan: Plan, engine: Engine) -> None:
    """Say how the move fares until it has ended."""
    end, told = time.monotonic() + FOLLOW_S, ""
    while time.monotonic() < end:
        move = next((each for each in engine.reallocations(None) if each.plan_id == plan.id), None)
        if move is not None and move.state != told:
            told = move.state
            click.echo(f"{move.id}: {told.replace('_', ' ')}")
        if move is not None and move.ended_at is not None:
            break
        time.sleep(LOOK_S / 2)
    else:
        raise EngineError("It is not over yet: `orch history` shows how it goes on.")
    move = harmless(move)
    if move.state != "settled":
        raise EngineError(f"It was not carried out: {move.rolled_back_reason or move.sentence}")
    click.echo(f"Done, and read back: {moved_in_words(move)}. `orch history` will show what it brings.")


# -- the person does it --------------------------------------------------------------------------------------


def _by_person(plan: Plan, engine: Engine) -> None:
    click.echo("No lever may make all of these changes: run the commands yourself, each is read back here.")
    done = 0
    for step in plan.steps:
        board = engine.board()
        short = _does_not_fit(board, step)
        if short is not None:
            click.echo(f"Step {step.index + 1} is left out: {short}")
            continue
        _tell(step, len(plan.steps))
        answer = _ask("Run that now. Is it done")
        if answer == "q":
            break
        if answer == "n":
            click.echo("It is left out.")
        elif _read_back(step, engine):
            done += 1
    click.echo(
        f"{done} of {len(plan.steps)} steps were made and read back; `orch status` shows what nodes have now."
    )


def _read_back(step: PlanStep, engine: Engine) -> bool:
    """Whether a node came to say that it has what it shall have, however long the person wants to wait."""
    while True:
        end = time.monotonic() + READ_BACK_S
        click.echo(f"Reading back what {step.node} says ...")
        has = _has(engine.board(), step.node)
        while not _reached(has, step.goal) and time.monotonic() < end:
            time.sleep(LOOK_S)
            has = _has(engine.board(), step.node)
        if _reached(has, step.goal):
            click.echo(f"{step.node} says that it has {_in_words(has, step.goal)}.")
            return True
        click.echo(f"{step.node} still says {_in_words(has, step.goal)}; nodes are asked every few minutes.")
        if _ask("Wait longer") != "y":
            return False


def _does_not_fit(board: Dashboard, step: PlanStep) -> str | None:
    """Why a node cannot get that now: more would be given out than there is."""
    if step.kind == "release":
        return None
    for name, goal in step.goal.known():
        capacity = board.capacity.get(name)
        if capacity is None:
            continue
        # A node whose limit nobody knows still takes what it is seen to use.
        others = sum(
            node.used.or_zero(name) if node.allocation.get(name) is None else node.allocation.or_zero(name)
            for node in board.nodes
            if node.name != step.node
        )
        free = capacity - board.reserve.or_zero(name) - others
        if goal > free + TOLERANCE * max(1.0, capacity):
            left = amount(max(free, 0.0))
            return (
                f"{step.node} would get {amount(goal)} {WORDS[name]}, and {left} are free for it: "
                "others have to give some up first."
            )
    return None


def _has(board: Dashboard, node: str) -> Resources | None:
    return next((each.allocation for each in board.nodes if each.name == node), None)


def _reached(has: Resources | None, goal: Resources) -> bool:
    return has is not None and all(close(has.get(name), wanted, EXACT) for name, wanted in goal.known())


def _in_words(has: Resources | None, goal: Resources) -> str:
    parts = (f"{WORDS[name]} {amount(None if has is None else has.get(name))}" for name, _ in goal.known())
    return ", ".join(parts)


def _tell(step: PlanStep, steps: int) -> None:
    click.echo(f"\nStep {step.index + 1} of {steps}: {step_in_words(step)}")
    for line in step.does:
        click.echo(f"    {line}")


def _ask(question: str) -> Answer:
    answer: Answer = click.prompt(
        f"{question}? (y)es, (n)o, (q)uit", type=click.Choice(("y", "n", "q")), show_choices=False
    )
    return answer
