"""The economics of a residential address: points for uptime, and nothing else.

Points are worth no money until somebody says so: the true USD income of this node is 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from orch.emulator.facts import MINUTE
from orch.emulator.storj import month_name, month_start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.emulator.draws import Draws
    from orch.emulator.outages import Outages
    from orch.model.resources import ResourceName

NEED_CPU = 0.25
NEED_MEMORY_GB = 0.5
EPOCHS_BEFORE = 3
FIRST_EPOCH = "2024-11"
"""The month that counts as epoch 1; one a month since."""
SCORES = (66, 69, 72, 75, 78, 81, 84)
QUARTERS = (4, 5, 6)
"""Multipliers in quarters: 1, 1.25, 1.5."""


class Epoch(msgspec.Struct, array_like=True):
    """One epoch (a UTC month) and the minutes the address was up in it."""

    month: str
    minutes: int


class GrassState(msgspec.Struct):
    """All that changes; the last epoch is the running one. `since` is the Unix minute of the last connection."""

    minute: int
    epochs: list[Epoch]
    since: int


class GrassEconomy:
    """One address with its score and multiplier."""

    def __init__(self, draws: Draws, outages: Outages) -> None:
        self._draws = draws
        self._outages = outages
        self.quarters = QUARTERS[int(draws.between(0, len(QUARTERS), "grass", "multiplier"))]
        self.user_id = draws.uuid("grass", "user")
        self.device_id = draws.uuid("grass", "device")

    def begin(self, minute: int) -> GrassState:
        """An address that has been up for some epochs."""
        now = month_name(minute)
        epochs = []
        for back in range(EPOCHS_BEFORE, -1, -1):
            name = month_name(month_start(now, -back))
            whole = min(minute, month_start(name, 1)) - month_start(name)
            epochs.append(Epoch(name, int(whole * self._draws.between(0.9, 0.99, "grass", "past", name))))
        return GrassState(minute=minute, epochs=epochs, since=minute - 700)

    def score(self, month: str) -> int:
        """The network score of the address in an epoch, in percent; constant within it."""
        return SCORES[int(self._draws.between(0, len(SCORES), "grass", "score", month))]

    def points(self, epoch: Epoch) -> Decimal:
        """50 points an hour at full score, times the multiplier: exact, for scores are multiples of three."""
        return Decimal(epoch.minutes * (self.score(epoch.month) // 3) * self.quarters) / 160

    def twin(self, second: int) -> str | None:
        """A second device that somebody runs behind the same address for some hours, about once a week."""
        week, into = divmod(second, 7 * 86_400)
        begin = self._draws.between(0, 6 * 86_400, "grass", "twin", week)
        return self._draws.uuid("grass", "twin", week) if 0 <= into - begin < 6 * 3600 else None

    def runs(self, limits: Mapping[ResourceName, float]) -> bool:
        """Whether the client can run with these limits."""
        return limits["cpu_cores"] >= NEED_CPU and limits["memory_gb"] >= NEED_MEMORY_GB

    def advance(
        self, state: GrassState, until: int, limits: Mapping[ResourceName, float], *, paused: bool
    ) -> None:
        """Work out the minutes up to `until` with limits that hold throughout."""
        while state.minute < until:
            stop = min(until, month_start(state.epochs[-1].month, 1))
            if stop == state.minute:
                state.epochs.append(Epoch(month_name(stop), 0))
                continue
            for begin, end, online in self._outages.online_spans("address", state.minute, stop):
                if online and not paused and self.runs(limits):
                    state.epochs[-1].minutes += end - begin
                else:
                    state.since = end
            state.minute = stop
        if state.minute == month_start(state.epochs[-1].month, 1):
            state.epochs.append(Epoch(month_name(state.minute), 0))


def epoch_number(month: str) -> int:
    """The number of an epoch."""
    return (int(month[:4]) - int(FIRST_EPOCH[:4])) * 12 + int(month[5:]) - int(FIRST_EPOCH[5:]) + 1


def epoch_name(month: str) -> str:
    """The name of an epoch, as the API writes it."""
    return f"Epoch {epoch_number(month)}"


def up_seconds(epoch: Epoch) -> int:
    """Seconds the address was up in an epoch."""
    return epoch.minutes * MINUTE
