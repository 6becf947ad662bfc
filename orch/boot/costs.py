"""From `[costs]` to what is asked and reckoned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.config.schema import Tariff
from orch.earnings.costs_now import CostTerms
from orch.earnings.meter import Counter, TableTerms, WattsTerms
from orch.earnings.power_tables import TableShape
from orch.earnings.tariffs import Band, TariffTerms
from orch.system.power import rapl_counters
from orch.system.zones import local_zone

if TYPE_CHECKING:
    from orch.config.schema import CostsTable, PriceBand, TariffBand


def cost_terms(costs: CostsTable) -> CostTerms:
    """What running costs, or how that will be known."""
    return CostTerms(
        tariff=_tariff(costs),
        watts_idle=costs.watts_idle,
        watts_per_core=costs.watts_per_core,
        model_doubt=costs.watts_doubt_pct / 100.0,
        meter_doubt=costs.watts.doubt_pct / 100.0 if costs.watts is not None else 0.0,
        measured=costs.watts is not None,
        usd_per_gb_up=costs.usd_per_gb_up,
        usd_per_gb_down=costs.usd_per_gb_down,
    )


def table_terms(costs: CostsTable) -> TableTerms | None:
    """Where prices by the hour are; None when no table is needed."""
    tariff = costs.tariff
    if tariff is None or tariff.flat is not None:
        return None
    shape = TableShape(
        zone=tariff.zone or local_zone(),
        per_mwh=tariff.unit == "MWh",
        time=tariff.time,
        price=tariff.price,
    )
    return TableTerms(shape=shape, url=tariff.url, file=tariff.file, refresh_s=tariff.refresh_s)


def watts_terms(costs: CostsTable) -> WattsTerms | None:
    """How watts are measured; None when they are only modelled."""
    watts = costs.watts
    if watts is None:
        return None
    counters = rapl_counters() if watts.source == "rapl" else ()
    return WattsTerms(
        kind=watts.source,
        counters=tuple(Counter(path=path, range_uj=largest) for path, largest in counters),
        file=watts.path,
        command=watts.command,
        scale=watts.scale,
        period_s=watts.period_s,
        doubt=watts.doubt_pct / 100.0,
    )


def _tariff(costs: CostsTable) -> TariffTerms | None:
    if isinstance(costs.usd_per_kwh, Tariff):
        own = costs.usd_per_kwh
        bands = tuple(_band(each, each.usd_per_kwh) for each in own.bands)
        return TariffTerms(zone=own.zone or local_zone(), flat=own.default, bands=bands)
    if costs.usd_per_kwh is not None:
        return TariffTerms(flat=costs.usd_per_kwh)
    tariff = costs.tariff
    if tariff is None:
        return None
    unit = 1000.0 if tariff.unit == "MWh" else 1.0

    def paid(price: float) -> float:
        return price / unit * tariff.factor + tariff.add

    return TariffTerms(
        currency=tariff.currency,
        zone=tariff.zone or local_zone(),
        flat=None if tariff.flat is None else paid(tariff.flat),
        bands=tuple(_band(each, paid(each.price)) for each in tariff.bands),
        factor=tariff.factor,
        add=tariff.add,
    )


def _band(band: TariffBand | PriceBand, per_kwh: float) -> Band:
    return Band(start_min=_minute(band.start), end_min=_minute(band.end), per_kwh=per_kwh, days=band.days)


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
