"""Genetic search (DEAP) over what each node may be, everything continuous solved exactly, a generation at once.

API: deap 1.4 `tools` (uniform crossover, tournaments) and `algorithms.varAnd`. No type is registered in its global
`creator`; its draws come from the global generator, which is seeded for the run and given back.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from orch.solvers.powers import in_pieces
from orch.solvers.search import Landscape, solve_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.model.problems import Answer, Budget, Problem

POPULATION = 40
GENERATIONS = 60
IDLE_GENERATIONS = 20
"""So many generations without anything better end the search."""
CROSSED, MUTATED = 0.6, 0.5


@in_pieces
def solve(problem: Problem, budget: Budget, seed: int) -> Answer:
    """Breed within the budget: at most so many generations that the same seed gives the same answer.

    The bound is that of the prices (`orch.solvers.prices`); none with a plug-in's objective.
    """
    return solve_by(problem, budget, seed, name="genetic", engine=_breed)


def _breed(landscape: Landscape, seed: int) -> None:  # noqa: ARG001 - an engine's signature
    from deap import algorithms, base, tools

    class Fitness(base.Fitness):  # type: ignore[misc]
        weights = (1.0,)

    class Individual(list):  # type: ignore[type-arg]
        """Genes: an option per node."""

        def __init__(self, genes: list[int]) -> None:
            super().__init__(genes)
            self.fitness = Fitness()

    options = landscape.alternatives()
    rate = max(1.5 / max(len(options), 1), 0.05)

    def mutate(individual: Individual) -> tuple[Individual]:
        for node, own in enumerate(options):
            if random.random() < rate:
                individual[node] = random.choice(own)
        return (individual,)

    toolbox = base.Toolbox()
    toolbox.register("mate", tools.cxUniform, indpb=0.5)
    toolbox.register("mutate", mutate)
    start = list(landscape.start())
    population = [Individual(start)]
    while len(population) < POPULATION:
        (individual,) = mutate(Individual(start))
        population.append(individual)
    _judge(landscape, population)
    best, idle = landscape.best, 0
    for _ in range(GENERATIONS):
        if landscape.proven or landscape.ended() or idle >= IDLE_GENERATIONS:
            return
        parents = tools.selTournament(population, POPULATION, tournsize=3)
        children = algorithms.varAnd(parents, toolbox, CROSSED, MUTATED)
        _judge(landscape, children)
        elite = tools.selBest(population, 2)
        population = [*tools.selBest(children, POPULATION - len(elite)), *elite]
        idle = 0 if landscape.best != best else idle + 1
        best = landscape.best


def _judge(landscape: Landscape, individuals: Sequence[Any]) -> None:
    fresh = [each for each in individuals if not each.fitness.valid]
    worths = landscape.worths([tuple(each) for each in fresh])
    for each, worth in zip(fresh, worths, strict=True):
        each.fitness.values = (worth,)
