"""What a forecaster is: one object of this shape, one entry point in `orch.forecasters`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Forecaster(Protocol):
    """Continues a series. Bounds are none of its business: they come from how wrong it has been (`intervals`)."""

    @property
    def name(self) -> str:
        """What forecasts call their maker."""

    def points(self, usd: NDArray[np.float64], first_hour: int, hours: int) -> Sequence[float]:
        """What is expected in each of the next hours.

        Args:
            usd: Income by hour so far, shape (n,), USD; NaN where it is not known.
            first_hour: Of the first of them, hours since the epoch (UTC), for times of day and week.
            hours: How many are wanted.

        Returns:
            So many finite numbers, USD per hour.
        """


@runtime_checkable
class Rolls(Protocol):
    """A forecaster that can say at once what it would have said at many earlier times."""

    def rolled(
        self, usd: NDArray[np.float64], first_hour: int, origins: Sequence[int], hours: int
    ) -> tuple[NDArray[np.float64], str]:
        """The points that `usd[:origin]` gives for each origin, (origins, hours), and who made the last ones."""
