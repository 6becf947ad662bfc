"""A strategy that is not orch's own, held to a time: one that never returns must not hold up the house."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.model.forecasts import Foresight
    from orch.model.problems import Problem
    from orch.strategies.base import Advice, Prospect, StrategySpec

WITHIN_S = 1.0


class _EndedError(BaseException):
    """Thrown into a thread that took too long. Not an Exception: a plug-in that catches those is ended too."""


class Bounded:
    """The same strategy; once it took longer than `within_s` real seconds it is not asked again."""

    def __init__(self, strategy: StrategySpec, within_s: float = WITHIN_S) -> None:
        self.name = strategy.name
        self.options = strategy.options
        self._strategy: Any = strategy
        self._within_s = within_s
        self._late = False

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """As the strategy. Raises TimeoutError when it takes too long."""
        advice: Advice = self._within(lambda: self._strategy.advise(options, prospect))
        return advice

    def _within(self, ask: Callable[[], Any]) -> Any:
        if self._late:
            raise TimeoutError(
                f"did not answer within {self._within_s:g} s and is not asked again until a restart"
            )
        outcome: list[Any] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(ask())
            except BaseException as error:  # noqa: BLE001 - told to whoever asked
                failure.append(error)

        thread = threading.Thread(target=run, name=f"strategy {self.name}", daemon=True)
        thread.start()
        thread.join(self._within_s)
        if thread.is_alive():
            self._late = True
            # CPython throws it at the thread's next bytecode (C API: PyThreadState_SetAsyncExc).
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_EndedError)
            )
            return self._within(ask)
        if failure:
            raise failure[0]
        return outcome[0]


class BoundedShaping(Bounded):
    """The same for a strategy that shapes problems."""

    def shape(self, options: Any, problem: Problem, foresight: Foresight | None) -> Problem:
        """As the strategy. Raises TimeoutError when it takes too long."""
        shaped: Problem = self._within(lambda: self._strategy.shape(options, problem, foresight))
        return shaped


def bounded(strategy: StrategySpec, within_s: float = WITHIN_S) -> StrategySpec:
    """The strategy itself where it is orch's own or combines others, else held to a time."""
    if type(strategy).__module__.startswith("orch.") or hasattr(strategy, "combined"):
        return strategy
    return BoundedShaping(strategy, within_s) if hasattr(strategy, "shape") else Bounded(strategy, within_s)
