"""Running costs at a time: the tariff's price in USD, the watts as measured or modelled, and how sure both are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.earnings.tariffs import TariffTerms, power_now
from orch.model.base import Value
from orch.model.costs import RunningCosts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from orch.model.costs import PowerPrice, Watts
    from orch.model.money import PriceNow

STALE_DOUBT = 0.5
"""Yesterday's price of an hour says little about today's."""

STALE_RATE_DOUBT = 0.02
MEASURED_FOR_S = 300.0


class CostTerms(Value):
    """What configuration says of costs.

    `model_doubt` and `meter_doubt` are shares by which modelled and measured watts may be off (90 %). `measured`:
    watts are measured, and modelled only while they are not.
    """

    tariff: TariffTerms | None = None
    watts_idle: float | None = None
    watts_per_core: float | None = None
    model_doubt: float = 0.2
    meter_doubt: float = 0.1
    measured: bool = False
    usd_per_gb_up: float = 0.0
    usd_per_gb_down: float = 0.0


def costs_now(
    terms: CostTerms,
    table: tuple[PowerPrice, ...],
    watts: Watts | None,
    currencies: Mapping[str, PriceNow],
    busy_cores: float | None,
    now: datetime,
) -> RunningCosts:
    """What running costs now; with the reason in `note` where it cannot be said.

    Args:
        terms: The configuration's.
        table: Prices of electricity by the hour, for a tariff that needs them.
        watts: The newest measurement, if any.
        currencies: USD prices of the currencies that electricity may be paid in.
        busy_cores: Cores that the whole host keeps busy.
        now: The clock's now.
    """
    fixed = RunningCosts(usd_per_gb_up=terms.usd_per_gb_up, usd_per_gb_down=terms.usd_per_gb_down)
    usd_per_kwh, price_doubt, note = _usd_per_kwh(terms, table, currencies, now)
    if usd_per_kwh is None:
        return replace(fixed, note=note)
    measured = watts is not None and (now - watts.measured_at).total_seconds() <= MEASURED_FOR_S
    if watts is not None and measured:
        idle = watts.least if terms.watts_idle is None else terms.watts_idle
        return replace(
            fixed,
            usd_per_kwh=usd_per_kwh,
            price_doubt=price_doubt,
            watts_idle=idle,
            watts=watts.watts,
            busy_cores=busy_cores,
            watts_doubt=terms.meter_doubt,
            note=note,
        )
    if (terms.watts_per_core is None or terms.watts_idle is None) and usd_per_kwh != 0.0:
        why = "watts are not measured now, and not modelled" if terms.measured else "watts are not known"
        return replace(fixed, note=why)
    return replace(
        fixed,
        usd_per_kwh=usd_per_kwh,
        price_doubt=price_doubt,
        watts_idle=terms.watts_idle or 0.0,
        watts_per_core=terms.watts_per_core or 0.0,
        watts_doubt=terms.model_doubt,
        note=note,
    )


def _usd_per_kwh(
    terms: CostTerms, table: tuple[PowerPrice, ...], currencies: Mapping[str, PriceNow], now: datetime
) -> tuple[float | None, float, str]:
    """(USD per kWh, the share by which it may be off, why it is doubtful or not known)."""
    tariff = terms.tariff
    if tariff is None:
        return None, 0.0, "what electricity costs is not known"
    power = power_now(tariff, table, now)
    if power.per_kwh is None:
        return None, 0.0, "the table of electricity prices says nothing of this hour"
    note, doubt = "", 0.0
    if power.state == "stale":
        note, doubt = "the table of electricity prices has ended: the hour of a day before stands in", STALE_DOUBT
    if tariff.currency == "USD":
        return power.per_kwh, doubt, note
    rate = currencies.get(tariff.currency)
    if rate is None or rate.price is None:
        return None, 0.0, f"what one {tariff.currency} is in USD is not known"
    if rate.state == "stale":
        doubt += STALE_RATE_DOUBT
    return power.per_kwh * float(rate.price.usd), doubt, note
