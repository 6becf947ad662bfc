"""A provider's price in USD: when it has drifted too far, what is asked then, and how that reaches the agent."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.errors import LeverError
from orch.levers.golem_files import Presets
from orch.levers.golem_price import CPU, WALL, GlmPrice, Peg, finding_of, price_of, repricing
from orch.levers.golem_provider import LEVER, GolemProviderOptions
from orch.model.money import Price
from orch.model.wire import Secret
from tests.fakes.hands import PaperHost, bad, good, pull

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
HOUR = 3600.0
PEG = Peg(cpu_usd_per_hour=0.005, wall_usd_per_hour=0.001, band_pct=10.0, hold_s=21_600.0)
FAIR = GlmPrice(usd=0.2, age_s=5.0)


def presets(cpu=0.025, wall=0.005, active=("vm",), **other):
    """The file at so many GLM per hour."""
    coefficients = {CPU: cpu / HOUR, WALL: wall / HOUR, "golem.usage.gpu-sec": 1.0}
    preset = {"name": "vm", "pricing-model": "linear", "usage-coeffs": coefficients, "initial-price": 0.5} | other
    spare = {"name": "spare", "pricing-model": "linear", "usage-coeffs": {CPU: 9.0}}
    return {"ver": "V1", "active": list(active), "presets": [preset, spare], "future": "kept"}


def asked(document, price=FAIR, peg=PEG):
    return repricing(peg, msgspec.convert(document, Presets), price)


@pytest.mark.parametrize(
    ("usd", "says"),
    [
        (0.2, None),
        (0.2199, None),
        (0.1821, None),
        (0.23, "15 % too dear"),
        (0.17, "15 % too cheap"),
        (0.1, "50 % too cheap"),
        (0.4, "100 % too dear"),
    ],
)
def test_within_the_band_a_price_stands_and_beyond_it_follows_to_the_peg(usd, says):
    order = asked(presets(), GlmPrice(usd=usd, age_s=5.0))
    if says is None:
        assert order is None
        return
    assert says in order.sentence
    assert {key: becomes * usd * HOUR for _, key, _, becomes in order.changes} == pytest.approx(
        {CPU: 0.005, WALL: 0.001}
    )


@pytest.mark.parametrize(
    ("document", "price"),
    [
        (presets(cpu=9.0), GlmPrice(usd=0.2, age_s=601.0)),
        (presets(cpu=9.0), GlmPrice(usd=0.2, age_s=5.0, sure=False)),
        (presets(cpu=9.0), GlmPrice(usd=0.0, age_s=5.0)),
        (presets(cpu=9.0), GlmPrice(usd=float("nan"), age_s=5.0)),
        (presets(cpu=9.0, **{"pricing-model": "other"}), FAIR),
        (presets(cpu=9.0, **{"usage-coeffs": {"golem.usage.gpu-sec": 1.0}}), FAIR),
        (presets(active=("spare-not-there",)), FAIR),
    ],
    ids=["old", "doubtful", "nothing", "not a number", "another model", "another counter", "not for sale"],
)
def test_what_is_not_sure_or_not_pegged_changes_nothing(document, price):
    assert asked(document, price) is None


def test_one_price_off_its_peg_takes_the_other_along_and_what_is_off_the_market_is_kept_fit_for_sale():
    document = presets(cpu=0.05, wall=0.0052, active=()) | {"active-before-orch": ["vm"]}
    order = asked(document)
    assert [key for _, key, _, _ in order.changes] == [CPU, WALL]
    only_cpu = msgspec.structs.replace(PEG, wall_usd_per_hour=None)
    assert [key for _, key, _, _ in asked(document, peg=only_cpu).changes] == [CPU]
    assert asked(presets(wall=9.0), peg=only_cpu) is None


@given(st.floats(1e-4, 1e3), st.floats(1e-6, 10.0), st.floats(1e-6, 10.0))
def test_after_a_change_nothing_is_left_to_change(usd, cpu, wall):
    price, document = GlmPrice(usd=usd, age_s=0.0), presets(cpu, wall)
    order = asked(document, price)
    if order is None:
        assert cpu * usd == pytest.approx(0.005, rel=0.101)
        assert wall * usd == pytest.approx(0.001, rel=0.101)
        return
    for _, key, was, becomes in order.changes:
        assert document["presets"][0]["usage-coeffs"][key] == was
        document["presets"][0]["usage-coeffs"][key] = becomes
    assert asked(document, price) is None


def test_a_person_is_told_what_to_run():
    finding = finding_of(asked(presets(cpu=0.05)))
    assert finding.sentence.startswith("Preset vm: a core-hour asks 0.01 USD instead of 0.005 (100 % too dear)")
    assert finding.sentence.endswith("at 0.2 USD per GLM.")
    assert finding.remedy.startswith(
        "ya-provider preset update --name vm --no-interactive --price CPU=6.94444e-06"
    )


def accepted(agreement="agreed", token="GLM", age_s=60.0):
    when = NOW - timedelta(seconds=age_s)
    return Price(
        token=token, usd=Decimal("0.21"), source="a+b", observed_at=when, fetched_at=when, agreement=agreement
    )


@pytest.mark.parametrize(
    ("price", "wanted"),
    [
        (accepted(), GlmPrice(usd=0.21, age_s=60.0)),
        (accepted("pinned", age_s=1e6), GlmPrice(usd=0.21, age_s=0.0)),
        (accepted("single_source"), GlmPrice(usd=0.21, age_s=60.0, sure=False)),
        (accepted("held"), GlmPrice(usd=0.21, age_s=60.0, sure=False)),
        (accepted(token="DATA"), None),
    ],
    ids=["agreed", "pinned", "single", "held", "another token"],
)
def test_only_a_price_beyond_doubt_counts(price, wanted):
    assert price_of((price,), NOW) == wanted


# -- the lever -----------------------------------------------------------------------------------------------

FILE = "/provider/presets.json"
OPTIONS = GolemProviderOptions(
    path="/provider", app_key=Secret(value="hush"), usd_per_cpu_hour=0.005, usd_per_hour=0.001
)


class Agent:
    """Publishes what its file asks, unless it is deaf."""

    def __init__(self, *, deaf=False):
        self.host = PaperHost({FILE: json.dumps(presets(cpu=0.05)).encode()}, http=self.say)
        self.first = self.offer()
        self.deaf = deaf

    def offer(self):
        asks = json.loads(self.host.files[FILE])["presets"][0]["usage-coeffs"]
        properties = {
            "golem.com.usage.vector": [CPU, WALL],
            "golem.com.pricing.model.linear.coeffs": [asks[CPU], asks[WALL], 0.5],
        }
        return [{"properties": properties}]

    def say(self, request):
        assert request.url.endswith("/market-api/v1/offers")
        return good(self.first if self.deaf else self.offer())


def test_a_new_price_is_written_and_waited_for_and_nothing_else_of_the_file_changes():
    agent = Agent()
    order = pull(LEVER.look_at_price(OPTIONS, FAIR), agent.host)
    pull(LEVER.reprice(OPTIONS, order), agent.host)
    written = json.loads(agent.host.files[FILE])
    wanted = presets()
    assert written["presets"][0]["usage-coeffs"] == pytest.approx(wanted["presets"][0]["usage-coeffs"])
    written["presets"][0]["usage-coeffs"] = wanted["presets"][0]["usage-coeffs"]
    assert written == wanted
    assert pull(LEVER.look_at_price(OPTIONS, FAIR), agent.host) is None


def test_a_price_that_nobody_takes_up_is_told():
    agent = Agent(deaf=True)
    order = pull(LEVER.look_at_price(OPTIONS, FAIR), agent.host)
    with pytest.raises(LeverError, match="publishes no offer at the new price"):
        pull(LEVER.reprice(OPTIONS, order), agent.host)


def test_a_price_that_a_person_set_meanwhile_is_left_alone():
    agent = Agent()
    order = pull(LEVER.look_at_price(OPTIONS, FAIR), agent.host)
    agent.host.files[FILE] = theirs = json.dumps(presets(cpu=0.07)).encode()
    with pytest.raises(LeverError, match="changed by somebody else meanwhile"):
        pull(LEVER.reprice(OPTIONS, order), agent.host)
    assert agent.host.files[FILE] == theirs


def test_without_offers_the_file_is_enough_and_without_a_peg_nothing_is_looked_at():
    agent = Agent()
    agent.host.http = lambda _: good([])
    order = pull(LEVER.look_at_price(OPTIONS, FAIR), agent.host)
    pull(LEVER.reprice(OPTIONS, order), agent.host)
    assert pull(LEVER.look_at_price(OPTIONS, FAIR), agent.host) is None
    assert not [line for line in agent.host.done if line.startswith("pause")]
    free = GolemProviderOptions(path="/nowhere", app_key=None)
    assert LEVER.peg(free) is None
    assert pull(LEVER.look_at_price(free, FAIR), lambda _: bad("failed", "asked")) is None


@pytest.mark.parametrize(
    "wrong", [{"price_hold_s": 60.0}, {"price_band_pct": 0.1}, {"usd_per_hour": 0.0}], ids=str
)
def test_a_peg_that_would_thrash_is_no_configuration(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": "/provider", **wrong}, GolemProviderOptions)
