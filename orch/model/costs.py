"""What running costs, as it stands now."""

from __future__ import annotations

from datetime import datetime

from orch.model.base import Value


class RunningCosts(Value):
    """Electricity, its use, and metered traffic.

    Watts are modelled: `watts_idle` for the host, `watts_per_core` for each busy core; where `watts` of the whole
    host are measured, nodes share what is above idle by the cores they keep busy of `busy_cores`. `watts_doubt` is
    by what share of itself either may be off (90 %), `price_doubt` the same of the price of electricity. Traffic
    that is not metered costs nothing. `note` says why electricity is not known, or doubtful.
    """

    usd_per_kwh: float | None = None
    watts_idle: float = 0.0
    watts_per_core: float = 0.0
    watts_doubt: float = 0.2
    price_doubt: float = 0.0
    watts: float | None = None
    busy_cores: float | None = None
    usd_per_gb_up: float = 0.0
    usd_per_gb_down: float = 0.0
    note: str = ""


class PowerPrice(Value):
    """A table's price of a kWh from one time to another, in the table's currency. It may be negative."""

    start: datetime
    end: datetime
    per_kwh: float


class Watts(Value):
    """Power of the whole host, when, and the least that was ever measured: what it takes for doing nothing."""

    watts: float
    least: float
    measured_at: datetime
