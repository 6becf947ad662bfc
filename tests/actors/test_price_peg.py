"""A pegged provider: its price follows that of GLM, no sooner than it may; each change is written down before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from actors.adapter import Adapter
from actors.base import adapter_name
from actors.reallocation import Reallocation
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from orch.boot.plans import make_setting, node_plan, pricing_plan, reallocation_plan
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.errors import JournalError
from orch.messages import PricesAccepted
from orch.model.money import Price
from orch.model.moves import LeverName
from orch.model.resources import Resources
from orch.system.journal import MemoryJournal
from tests.fakes.worlds import world_of

START = datetime(2026, 11, 2, tzinfo=UTC)
HOLD_S = 3600.0
PEG = {"usd_per_cpu_hour": 0.004, "usd_per_hour": 0.0008, "price_hold_s": HOLD_S}


class House:
    """An adapter and the reallocation engine, and prices when a test says so."""

    def __init__(self, tmp_path, mode, journal=None, start=START, world=None):
        self.world, self.journal = world or world_of(4, START), journal or MemoryJournal()
        self.world.outages.now = lambda node, minute: None
        tables = {"orch": {"mode": mode}, **demo_nodes(emulated_urls())}
        tables["nodes"]["compute"]["levers"][0] |= PEG
        config = from_tables(tables, demo_environment(), tmp_path)
        setting = make_setting(config, host="stage", measured=Resources())
        (node,) = (each for each in setting.nodes if each.config.name == "compute")
        assert pricing_plan(setting).also_tell == (adapter_name("compute"),)
        self.stage = Stage(1, start)
        transport = VirtualTransport(self.stage, lambda request, now, _: answer_request(self.world, request, now))
        house = self.stage.house(transport, journal=self.journal)
        self.adapter = Adapter(adapter_name("compute"), house, node_plan(setting, node))
        self.stage.add(self.adapter)
        self.stage.add(Reallocation("reallocation", house, reallocation_plan(setting)))

    def glm(self, usd, **later):
        """GLM costs so much from a later time on; half a minute goes by."""
        self.stage.run_until(self.stage.now() + timedelta(**later))
        now = self.stage.now()
        price = Price(token="GLM", usd=Decimal(usd), source="a+b", observed_at=now, fetched_at=now)
        self.stage.tell(adapter_name("compute"), PricesAccepted(prices=(price,)))
        self.stage.run_for(30)

    def asked_usd(self, usd):
        """What a core-hour is offered for at that price of GLM."""
        offer = self.world.state.provider.selling
        return offer.cpu_atto * 1e-18 * usd

    def lines(self):
        """The journal's lines about prices."""
        return [line for line in self.journal.read() if line.order is not None]


def test_the_price_follows_its_peg_and_rests_for_its_hold_over_a_restart(tmp_path):
    house = House(tmp_path, "auto")
    house.glm("0.20")
    assert house.asked_usd(0.20) == pytest.approx(0.004)
    house.glm("0.21", minutes=10)
    assert len(house.lines()) == 1, "within the band"
    house.glm("0.30", minutes=10)
    assert len(house.lines()) == 1, "within the hold"
    house.glm("0.30", minutes=45)
    assert house.asked_usd(0.30) == pytest.approx(0.004)
    later = house.stage.now() + timedelta(minutes=1)
    again = House(tmp_path, "auto", journal=house.journal, start=later, world=house.world)
    again.glm("0.40")
    assert len(house.lines()) == 2, "within the hold of before the restart"
    first, second = house.lines()
    assert second.written_at - first.written_at >= timedelta(seconds=HOLD_S)
    assert {line.order.what for line in house.lines()} == {"reprice"}
    assert first.order.lever == LeverName(node="compute", kind="golem_provider")
    assert "a core-hour asks 0.005 USD instead of 0.004 (25 % too dear)" in first.order.sentence


def test_where_the_lever_may_not_act_it_advises(tmp_path):
    house = House(tmp_path, "suggest")
    house.glm("0.30")
    assert house.lines() == []
    assert house.asked_usd(0.30) == pytest.approx(0.0075)
    reading = house.adapter._reading(house.stage.now())
    (finding,) = (each for each in reading.findings if each.code == "price_off_peg")
    assert "88 % too dear" in finding.sentence
    assert finding.remedy.startswith("ya-provider preset update --name vm")


class Full(MemoryJournal):
    """A disk without room."""

    def append(self, record):
        raise JournalError(f"no room for line {record.sequence}")


def test_what_cannot_be_written_down_is_not_done(tmp_path):
    house = House(tmp_path, "auto", journal=Full())
    house.glm("0.30")
    assert house.asked_usd(0.30) == pytest.approx(0.0075)


def test_the_files_are_whole_json_after_a_change(tmp_path):
    house = House(tmp_path, "auto")
    house.glm("0.30")
    document = msgspec.json.decode(house.world.state.provider.files["presets.json"])
    assert document["active"] == ["vm"]
    assert document["presets"][0]["initial-price"] == 0.0
