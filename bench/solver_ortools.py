"""OR-Tools in a process of its own: models in, one JSON document a line; values by column out.

`python -m bench.solver_ortools`. SCIP where something is integer, GLOP otherwise.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def solve(model: dict[str, Any]) -> list[float] | None:
    """The values by column; None when nothing was found in time."""
    from ortools.linear_solver import pywraplp

    whole = set(model["integer"])
    solver = pywraplp.Solver.CreateSolver("SCIP" if whole else "GLOP")
    solver.set_time_limit(max(int(1e3 * model["seconds"]), 1))
    solver.SetNumThreads(1)
    columns = [
        solver.IntVar(low, high, "") if column in whole else solver.NumVar(low, high, "")
        for column, (low, high) in enumerate(zip(model["lower"], model["upper"], strict=True))
    ]
    goal = solver.Objective()
    goal.SetMaximization()
    for column, gain in zip(columns, model["gain"], strict=True):
        goal.SetCoefficient(column, gain)
    for row, (low, high) in enumerate(zip(model["row_lower"], model["row_upper"], strict=True)):
        limit = solver.Constraint(
            low if low > -1e30 else -solver.infinity(), high if high < 1e30 else solver.infinity()
        )
        for place in range(model["starts"][row], model["starts"][row + 1]):
            index = model["index"][place]
            limit.SetCoefficient(columns[index], limit.GetCoefficient(columns[index]) + model["value"][place])
    ended = solver.Solve()
    if ended not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
        return None
    return [column.solution_value() for column in columns]


def main() -> None:
    """Solve until the input ends."""
    for line in sys.stdin:
        print(json.dumps(solve(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
