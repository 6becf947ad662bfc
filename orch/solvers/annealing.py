"""Simulated annealing (simanneal) over what each node may be, everything continuous solved exactly.

A move gives one node another option; its energy is compared by the bound where that settles it. API: simanneal
0.5 `Annealer`. Its constructor installs a signal handler and is passed by; its draws come from the global
generator, which is seeded for the run and given back.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

from orch.solvers.search import Landscape, solve_by

if TYPE_CHECKING:
    from orch.model.problems import Answer, Budget, Problem

    State: TypeAlias = tuple[int, ...]

STEPS_PER_NODE = 400
HOTTEST, COLDEST = 0.02, 1e-5
"""Temperatures, as shares of what the first state is worth."""
NEIGHBOURS = 16
"""States that a plug-in is asked for at once."""


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

        def __init__(self) -> None:
            # The library's own constructor would take over the interrupt signal.
            self.state: State = landscape.start()
            size = max(abs(landscape.worth(self.state)), 1e-9 * landscape.scale)
            self.Tmax, self.Tmin = HOTTEST * size, COLDEST * size
            self.steps = STEPS_PER_NODE * len(choices)
            self.here = -landscape.worth(self.state)
            self.seen = self.state

        def energy(self) -> float:
            return -landscape.worth(self.state)

        def move(self) -> float:
            """Another option for one node; returns by how much the energy changes."""
            if self.state != self.seen:
                # The last move was taken back.
                self.here, self.seen = -landscape.worth(self.state), self.state
            if landscape.problem.objective is not None:
                landscape.worths([_neighbour(self.state, choices) for _ in range(NEIGHBOURS)])
            before = self.here
            self.state = self.seen = _neighbour(self.state, choices)
            self.here = -landscape.worth(self.state)
            self.user_exit = landscape.proven or landscape.ended()
            return self.here - before

    States().anneal()


def _neighbour(state: State, choices: list[tuple[int, list[int]]]) -> State:
    node, own = random.choice(choices)
    other = random.choice(own)
    while other == state[node]:
        other = random.choice(own)
    return (*state[:node], other, *state[node + 1 :])
