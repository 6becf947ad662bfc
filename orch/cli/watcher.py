"""What happened between two boards, as lines for a log. Pure."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, NamedTuple

from orch.cli.problems import problems_of
from orch.cli.words import harmless, interval, moved_in_words, usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.alerts import Alert
    from orch.model.board import Dashboard
    from orch.model.moves import Reallocation, SagaState

FIGURES = re.compile(r"[-+$]?\d[\d.,:]*(?:e-?\d+)?")
ALARMING = frozenset({"rolling_back", "rolled_back", "stuck"})
ENDED: tuple[SagaState, ...] = ("settled", "rolled_back", "refused", "stuck")


class Event(NamedTuple):
    """One line for a log, with its level."""

    level: int
    sentence: str


class Watcher:
    """Takes boards one after the other, and tells what is new in each."""

    def __init__(self) -> None:
        self.board: Dashboard | None = None
        self.ended: dict[SagaState, int] = dict.fromkeys(ENDED, 0)
        self._states: dict[str, SagaState] = {}
        self._firing: dict[str, Alert] = {}
        self._reason: object = None

    def take(self, board: Dashboard) -> tuple[Event, ...]:
        """The events since the board before; the moves on the first one are the past."""
        first, self.board = self.board is None, board
        board = harmless(board)
        moves = self._moves(board.recent_changes, first=first)
        return (*moves, *self._decision(board), *self._alerts(board.alerts))

    def state_in_words(self) -> str:
        """Everything in one line."""
        board = self.board
        if board is None:
            return "nothing is known yet"
        rate = board.total.usd_per_hour
        income = "income not known yet" if rate is None else f"{usd_per_hour(rate.mean)} USD/h ({interval(rate)})"
        online = sum(1 for node in board.nodes if node.health == "online")
        left_out = f", leaves out {', '.join(board.total.leaves_out)}" if board.total.leaves_out else ""
        problems = len(problems_of(board))
        return (
            f"{income}{left_out}; {online} of {len(board.nodes)} nodes online; "
            f"{self.ended['settled']} moves settled; {problems} problem{'' if problems == 1 else 's'}"
        )

    def _moves(self, moves: tuple[Reallocation, ...], *, first: bool) -> Iterator[Event]:
        for move in reversed(moves):
            before = self._states.get(move.id)
            if before == move.state:
                continue
            self._states[move.id] = move.state
            if first and move.ended_at is not None:
                continue
            if move.state in self.ended:
                self.ended[move.state] += 1
            level = logging.WARNING if move.state in ALARMING else logging.INFO
            state = move.state.replace("_", " ")
            why = f": {move.sentence}" if move.sentence and (before is None or move.state in ALARMING) else ""
            yield Event(level, f"reallocation {move.id} {state}: {moved_in_words(move)}{why}")

    def _decision(self, board: Dashboard) -> Iterator[Event]:
        """The newest decision, when it moves or its reason is a new one; its figures do not count."""
        found = board.opportunity
        if found is None and not board.blockers:
            return
        sentence = found.sentence if found is not None else board.blockers[0].sentence
        reason = (board.can_reallocate, tuple(each.code for each in board.blockers), FIGURES.sub("#", sentence))
        if reason == self._reason:
            return
        self._reason = reason
        yield Event(logging.INFO, f"decision: {sentence}")

    def _alerts(self, alerts: tuple[Alert, ...]) -> Iterator[Event]:
        now = {alert.id: alert for alert in alerts if alert.state == "firing"}
        for name, alert in now.items():
            if name not in self._firing:
                level = logging.INFO if alert.severity == "info" else logging.WARNING
                yield Event(level, f"alert {alert.rule} raised: {alert.sentence}; {alert.remedy}")
        for name, alert in self._firing.items():
            if name not in now:
                yield Event(logging.INFO, f"alert {alert.rule} resolved: {alert.sentence}")
        self._firing = now
