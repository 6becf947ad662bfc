"""A linear or mixed-integer model, passed to HiGHS in one piece.

API: highspy `Highs.passModel`, `setOptionValue`, `getSolution`, `getInfo`. HiGHS minimises; a `Model` maximises.
"""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from orch.errors import OrchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OPTIONS: dict[str, Any] = {
    "threads": 1,
    "presolve": "off",  # dearer than solving, for models as small as one host's
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_feasibility_tolerance": 1e-9,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": 1e-9,
    "mip_heuristic_run_feasibility_jump": False,  # 8 ms whatever the size of the model
}


class Outcome(NamedTuple):
    """What HiGHS found: values by column, prices by row (gain per unit of the row's limit), gain and bound."""

    status: Literal["optimal", "feasible", "infeasible", "out_of_time"]
    values: list[float]
    prices: list[float]
    gain: float
    bound: float


class Model:
    """Columns with bounds and gains, rows with limits. Numbers should be scaled to about 1."""

    def __init__(self) -> None:
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.gain: list[float] = []
        self.integer: list[int] = []
        self.row_lower: list[float] = []
        self.row_upper: list[float] = []
        self.starts: list[int] = [0]
        self.index: list[int] = []
        self.value: list[float] = []
        self._solved: Any = None

    def column(self, lower: float, upper: float, *, gain: float = 0.0, integer: bool = False) -> int:
        """Add a column; returns its number."""
        self.lower.append(lower)
        self.upper.append(upper)
        self.gain.append(gain)
        if integer:
            self.integer.append(len(self.lower) - 1)
        return len(self.lower) - 1

    def row(self, lower: float, upper: float, terms: Sequence[tuple[int, float]]) -> int:
        """Add a row `lower <= sum of terms <= upper`; returns its number."""
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        self.index += [column for column, _ in terms]
        self.value += [value for _, value in terms]
        self.starts.append(len(self.index))
        return len(self.row_lower) - 1

    def run(self, *, seconds: float, seed: int, fixed: dict[int, float] | None = None) -> Outcome:
        """Solve within real seconds. `fixed` columns stay at a value, and then nothing is integer.

        Raises:
            OrchError: HiGHS refused the model or ended for a reason other than time.
        """
        import highspy

        whole = bool(self.integer) and fixed is None
        if fixed is not None and self._solved is not None:
            return self._again(highspy, fixed, seconds)
        highs = self._passed(highspy, seed, fixed, whole=whole)
        _limit(highs, seconds, whole=whole)
        highs.run()
        found = outcome_of(highspy, highs, whole=whole)
        if whole:
            self._solved = highs
        else:
            _give_back(highs)
        return found

    @contextmanager
    def session(self, *, seconds: float, seed: int) -> Iterator[Session]:
        """The model without its integrality, passed once and to be solved within many bounds.

        Raises:
            OrchError: HiGHS refused the model.
        """
        import highspy

        highs = self._passed(highspy, seed, None, whole=False)
        yield Session(self, highs, seconds)
        _give_back(highs)

    def _passed(self, highspy: Any, seed: int, fixed: dict[int, float] | None, *, whole: bool) -> Any:
        highs, _idle.highs = _idle.highs or _made(highspy), None
        highs.setOptionValue("random_seed", seed % (2**31 - 1))
        if highs.passModel(self._lp(highspy, fixed, whole=whole)) == highspy.HighsStatus.kError:
            raise OrchError("HiGHS refused the model")
        return highs

    def _again(self, highspy: Any, fixed: dict[int, float], seconds: float) -> Outcome:
        """The mixed-integer model just solved as a linear one, with columns fixed: nothing is passed twice."""
        import numpy as np

        highs, self._solved = self._solved, None
        whole = np.array(self.integer, dtype=np.int32)
        kinds = np.full(len(whole), highspy.HighsVarType.kContinuous.value, dtype=np.uint8)
        highs.changeColsIntegrality(len(whole), whole, kinds)
        columns = np.array(list(fixed), dtype=np.int32)
        values = np.array(list(fixed.values()), dtype=float)
        highs.changeColsBounds(len(columns), columns, values, values)
        _limit(highs, seconds, whole=False)
        highs.run()
        found = outcome_of(highspy, highs, whole=False)
        _give_back(highs)
        return found

    def _lp(self, highspy: Any, fixed: dict[int, float] | None, *, whole: bool) -> Any:
        # Plain lists: for so few numbers they are passed in a quarter of the time that arrays take.
        lp, lower, upper = highspy.HighsLp(), self.lower, self.upper
        if fixed:
            lower, upper = lower.copy(), upper.copy()
            for column, value in fixed.items():
                lower[column] = upper[column] = value
        lp.num_col_, lp.num_row_ = len(self.lower), len(self.row_lower)
        lp.col_cost_ = [-gain for gain in self.gain]
        lp.col_lower_, lp.col_upper_ = lower, upper
        lp.row_lower_, lp.row_upper_ = self.row_lower, self.row_upper
        matrix = lp.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kRowwise
        matrix.start_, matrix.index_, matrix.value_ = self.starts, self.index, self.value
        if whole:
            kinds = [highspy.HighsVarType.kContinuous] * len(self.lower)
            for column in self.integer:
                kinds[column] = highspy.HighsVarType.kInteger
            lp.integrality_ = kinds
        return lp


class _Idle(threading.local):
    """This thread's HiGHS when nobody uses it: to make one takes as long as to solve what it is made for."""

    highs: Any = None


_idle = _Idle()


def _give_back(highs: Any) -> None:
    """For the next model: without this one's, it solves that as a new one would."""
    highs.clearModel()
    _idle.highs = highs


def _made(highspy: Any) -> Any:
    highs = quiet(highspy)
    for name, value in OPTIONS.items():
        highs.setOptionValue(name, value)
    return highs


def quiet(highspy: Any) -> Any:
    """A HiGHS that prints nothing, from its first breath.

    While it gets its callbacks, HiGHS 1.16 prints its banner: before anyone could have told it to be
    silent. Nobody here calls back.
    """

    class Quiet(highspy.Highs):  # type: ignore[misc]  # its type is not known
        def enableCallbacks(self) -> None:  # noqa: N802 - highspy's name
            pass

    highs = Quiet()
    highs.setOptionValue("output_flag", False)
    return highs


def _limit(highs: Any, seconds: float, *, whole: bool) -> None:
    """Real seconds from now on: its clock goes on from linear run to linear run, and starts anew for others."""
    gone = 0.0 if whole else highs.getRunTime()
    highs.setOptionValue("time_limit", gone + max(seconds, 1e-3))


class Session:
    """A linear program that is solved again and again, each time from where the last solution was.

    `last` is what the last run came to.
    """

    def __init__(self, model: Model, highs: Any, seconds: float) -> None:
        self._model = model
        self._highs = highs
        self._seconds = seconds
        self._bounds: dict[int, tuple[float, float]] = {}
        self.last: Outcome | None = None

    def run(self, bounds: dict[int, tuple[float, float]]) -> Outcome:
        """Solve with these columns within other bounds, and all others within their own again.

        Raises:
            OrchError: HiGHS ended for a reason other than time.
        """
        import highspy

        for column in self._bounds.keys() - bounds.keys():
            self._highs.changeColBounds(column, self._model.lower[column], self._model.upper[column])
        for column, (low, high) in bounds.items():
            if self._bounds.get(column) != (low, high):
                self._highs.changeColBounds(column, low, high)
        self._bounds = dict(bounds)
        _limit(self._highs, self._seconds, whole=False)
        self._highs.run()
        self.last = outcome_of(highspy, self._highs, whole=False)
        return self.last


def outcome_of(highspy: Any, highs: Any, *, whole: bool) -> Outcome:
    """What a run of HiGHS came to. Raises OrchError where it ended for a reason other than time."""
    ended = highs.getModelStatus()
    status: Literal["optimal", "feasible"] = "optimal"
    if ended != highspy.HighsModelStatus.kOptimal:
        if ended in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return Outcome("infeasible", [], [], math.nan, math.nan)
        if ended not in (highspy.HighsModelStatus.kTimeLimit, highspy.HighsModelStatus.kSolutionLimit):
            raise OrchError(f"HiGHS ended with {highs.modelStatusToString(ended)}")
        if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return Outcome("out_of_time", [], [], math.nan, math.nan)
        status = "feasible"
    solution, gain = highs.getSolution(), -float(highs.getObjectiveValue())
    bound = gain if status == "optimal" else math.inf
    if whole:
        bound = -float(highs.getInfo().mip_dual_bound)
    return Outcome(
        status, list(solution.col_value), [-price for price in solution.row_dual], gain, max(gain, bound)
    )
