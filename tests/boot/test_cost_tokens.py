"""A token that only costs are counted in: priced, shown, and never a reason to keep a node where it is."""

from __future__ import annotations

import pytest

from orch.boot.plans import coordinator_plan, cost_tokens, make_setting, optimizer_plan, price_terms
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import emulated_urls
from orch.model.resources import Resources

BIG = Resources(cpu_cores=16, memory_gb=64, bandwidth_mbps=500, storage_gb=8000)


@pytest.fixture
def setting(tmp_path):
    tables = {"orch": {"data_dir": str(tmp_path)}, **demo_nodes(emulated_urls())}
    return make_setting(from_tables(tables, demo_environment(), tmp_path), host="here", measured=BIG)


def test_gas_has_a_price_and_no_plan_waits_for_it(setting):
    assert cost_tokens(setting) == ("POL",)
    assert "POL" in price_terms(setting).tokens
    assert "POL" in coordinator_plan(setting).tokens
    waits = {token for terms in optimizer_plan(setting, 1.0).settings.terms for token in terms.tokens}
    assert waits == {"GLM", "DATA"}
