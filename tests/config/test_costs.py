"""`[costs]`: every form of a tariff, and what cannot go together."""

from __future__ import annotations

import pytest

from orch.boot.costs import cost_terms, table_terms, watts_terms
from orch.earnings.tariffs import Band

WATTS = "watts_idle = 25\nwatts_per_core = 8\n"


def costs(read, text):
    return read(f"[costs]\n{WATTS}{text}").costs


def test_nothing_said_is_nothing_known(read):
    terms = cost_terms(read("").costs)
    assert (terms.tariff, terms.watts_idle, terms.measured) == (None, None, False)
    assert (table_terms(read("").costs), watts_terms(read("").costs)) == (None, None)


def test_time_of_use_in_usd(read):
    text = """usd_per_kwh = { default = 0.3, zone = "Europe/Prague", bands = [
        { from = "22:00", to = "06:00", usd_per_kwh = 0.2, days = ["sat"] }] }"""
    tariff = cost_terms(costs(read, text)).tariff
    assert (tariff.currency, tariff.zone, tariff.flat) == ("USD", "Europe/Prague", 0.3)
    assert tariff.bands == (Band(start_min=1320, end_min=360, per_kwh=0.2, days=("sat",)),)


def test_a_flat_tariff_in_another_currency_and_unit(read):
    text = """[costs.tariff]
    currency = "EUR"
    unit = "MWh"
    zone = "UTC"
    flat = 100
    bands = [{ from = "00:00", to = "06:00", price = -50 }]
    factor = 1.2
    add = 0.1"""
    terms = cost_terms(costs(read, text))
    assert terms.tariff.currency == "EUR"
    assert terms.tariff.flat == pytest.approx(0.22)
    assert terms.tariff.bands[0].per_kwh == pytest.approx(0.04)
    assert table_terms(costs(read, text)) is None


def test_a_table_from_a_file_or_a_url(read, tmp_path):
    found = table_terms(costs(read, '[costs.tariff]\nfile = "day.csv"\nunit = "MWh"\nzone = "Europe/Prague"'))
    assert (found.file, found.url) == (str(tmp_path / "day.csv"), None)
    assert (found.shape.zone, found.shape.per_mwh) == ("Europe/Prague", True)
    url = "https://prices.example/{date:%Y/%m-%d}.json"
    found = table_terms(costs(read, f'[costs.tariff]\nurl = "{url}"\nprice = "NOK"\ntime = "from to"'))
    assert (found.url, found.shape.price, found.shape.time) == (url, "NOK", "from to")


def test_watts_measured(read):
    found = watts_terms(costs(read, '[costs.watts]\nsource = "command"\ncommand = ["meter", "-w"]\ndoubt_pct = 3'))
    assert (found.kind, found.command, found.doubt) == ("command", ("meter", "-w"), 0.03)
    assert watts_terms(costs(read, '[costs.watts]\nsource = "rapl"')).kind == "rapl"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("usd_per_kw = 1", ['costs.usd_per_kw = 1: unknown key, did you mean "usd_per_kwh"?']),
        (
            "usd_per_kwh = 1\n[costs.tariff]\nflat = 1",
            ["costs.tariff: there is costs.usd_per_kwh already: electricity has one price"],
        ),
        ("[costs.tariff]\nfactor = 2", ["costs.tariff: has no price: give one of flat, file, url"]),
        (
            '[costs.tariff]\nflat = 1\nurl = "http://x/y"',
            ["costs.tariff: has flat and url: give one of flat, file, url"],
        ),
        (
            '[costs.tariff]\nflat = 1\nzone = "Europe/Prag"',
            ['costs.tariff.zone = "Europe/Prag": unknown time zone, did you mean "Europe/Prague"?'],
        ),
        (
            '[costs.tariff]\nflat = 1\ncurrency = "EURO"',
            [
                'costs.tariff.currency = "EURO": must be the three letters of a currency, did you mean "EUR"?',
            ],
        ),
        (
            '[costs.tariff]\nurl = "http://x/{day}"',
            ['costs.tariff.url = "http://x/{day}": only {date} and {date:%Y-%m-%d} can stand in braces'],
        ),
        (
            '[costs.tariff]\nurl = "http://x/{date.max}"',
            ['costs.tariff.url = "http://x/{date.max}": only {date} and {date:%Y-%m-%d} can stand in braces'],
        ),
        ('[costs.watts]\nsource = "file"', ["costs.watts.path: missing: which file says the watts?"]),
        ('[costs.watts]\nsource = "command"', ["costs.watts.command: missing: which program says the watts?"]),
        (
            '[costs.watts]\nsource = "rpal"',
            ['costs.watts.source = "rpal": must be one of rapl, file, command; did you mean "rapl"?'],
        ),
        ("usd_per_gb_up = -1", ["costs.usd_per_gb_up = -1: must be a number >= 0"]),
        ("watts_doubt_pct = 101", ["costs.watts_doubt_pct = 101: must be a number <= 100"]),
    ],
)
def test_what_cannot_be(faults, text, expected):
    assert faults(f"[costs]\n{text}") == expected


def test_a_tariff_in_money_whose_rate_nobody_knows_is_a_warning(read):
    text = '[prices]\nsources = ["bybit"]\n[costs]\nusd_per_gb_up = 0\n[costs.tariff]\nflat = 1\ncurrency = "CZK"'
    assert any("no rate of CZK" in each for each in read(text).warnings)
