"""Simulated annealing (simanneal) over what each node may be, everything continuous solved exactly.

A move gives one node another option; its energy is compared by the bound where that settles it. API: simanneal
0.5 `Annealer`. Its constructor installs a signal handler and is passed by; its draws come from the global
generator, which is seeded for the run and given back.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

from orch.solvers.powers import in_pieces
from orch.solvers.search import Landscape, solve_by

if TYPE_CHECKING:
    from orch.model.problems import Answer, Budget, Problem

    State: TypeAlias = tuple[int, ...]

STEPS_PER_NODE = 400
STEPS_PER_S = 10_000
"""What a slow machine does: a schedule has to be over within its budget, and the same on every machine."""
HOTTEST, COLDEST = (0.001, 0.1, 0.001, 0.02), 1e-5
"""Temperatures, as shares of the best state's worth: cool first, for what is near; then hot, for the rest."""
NEIGHBOURS = 16
"""States that a plug-in is asked for at once."""


@in_pieces
def solve(problem: Problem, budget: Budget, seed: int) -> Answer:
    """Anneal within the budget: at most so many steps that the same seed gives the same answer.

    The bound is that of the prices (`orch.solvers.prices`); none with a plug-in's objective.
    """
    return solve_by(problem, budget, seed, name="annealing", engine=_anneal)


def _anneal(landscape: Landscape, seed: int) -> None:  # noqa: ARG001 - an engine's signature
    from simanneal import Annealer

    choices = [(node, own) for node, own in enumerate(landscape.alternatives()) if len(own) > 1]
    if not choices:
        landscape.worth(landscape.start())
        return

    class States(Annealer):  # type: ignore[misc]
        """The library's loop over a landscape."""

        copy_strategy = "slice"
        updates = 0

        def __init__(self, hottest: float, share: float) -> None:
            # The library's own constructor would take over the interrupt signal.
            self.state: State = landscape.start()
            size = max(abs(landscape.worth(self.state)), 1e-9 * landscape.scale)
            self.Tmax, self.Tmin = hottest * size, COLDEST * size
            steps = min(STEPS_PER_NODE * len(choices), STEPS_PER_S * landscape.seconds)
            self.steps = max(int(share * steps), 1)
            self.here = self.before = (self.state, landscape.sums(self.state), -landscape.worth(self.state))

        def energy(self) -> float:
            return self.here[2]

        def move(self) -> float:
            """Another option for one node; returns by how much the energy changes."""
            if self.state is not self.here[0]:
                self.here = self.before  # the last move was taken back
            self.before = (state, sums, energy) = self.here
            node, other = _drawn(state, choices)
            self.state = (*state[:node], other, *state[node + 1 :])
            new = landscape.moved(sums, state, self.state, node)
            landscape.tried += 1
            if landscape.problem.objective is None:
                after = -landscape.judge(self.state, new)
            else:
                others = [_drawn(state, choices) for _ in range(NEIGHBOURS)]
                around = [(*state[:at], option, *state[at + 1 :]) for at, option in others]
                after = -landscape.worths([self.state, *around])[0]
            self.here = (self.state, new, after)
            self.user_exit = landscape.proven or landscape.ended()
            return after - energy

    for hottest in HOTTEST:
        if not (landscape.proven or landscape.ended()):
            States(hottest, 1.0 / len(HOTTEST)).anneal()


def _drawn(state: State, choices: list[tuple[int, list[int]]]) -> tuple[int, int]:
    """A node, and another option for it."""
    node, own = random.choice(choices)
    other = random.choice(own)
    while other == state[node]:
        other = random.choice(own)
    return node, other
