from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.config.find import find
from orch.config.resolve import effective_mode, resolve
from orch.config.schema import (
    Amounts,
    Config,
    HostTable,
    NodeConfig,
    Percent,
    ReserveTable,
)
from orch.errors import ConfigError
from orch.model.fleet import MODES, Limits
from orch.model.resources import Resources

MEASURED = Resources(cpu_cores=8.0, memory_gb=16.0, storage_gb=1000.0)

HOST = {
    "cpu_cores": "auto",
    "memory_gb": 10,
    "storage_gb": "auto",
    "reserve": {"cpu_cores": 1, "memory_gb": 2, "storage_gb": 100},
}


def test_shares_become_units(make):
    config = make(
        {
            "host": HOST,
            "limits": {"min_per_node": "10%", "max_per_node": {"cpu_cores": "50%", "memory_gb": 4}},
            "nodes": {
                "disk": {"protocol": "storj", "min": {"storage_gb": 500}, "max": {"storage_gb": 6000}},
                "compute": {"protocol": "golem", "min": {"cpu_cores": 0}, "max": {"cpu_cores": "100%"}},
            },
        }
    )
    units = resolve(config, MEASURED)
    assert units.capacity == Resources(cpu_cores=8.0, memory_gb=10.0, storage_gb=1000.0)
    assert units.reserve == Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=0.0, storage_gb=100.0)
    assert units.available == Resources(cpu_cores=7.0, memory_gb=8.0, storage_gb=900.0)
    assert units.nodes["disk"] == Limits(
        minimum=Resources(cpu_cores=pytest.approx(0.7), memory_gb=pytest.approx(0.8), storage_gb=500.0),
        maximum=Resources(cpu_cores=3.5, memory_gb=4.0, storage_gb=900.0),
    )
    assert units.nodes["compute"] == Limits(
        minimum=Resources(cpu_cores=0.0, memory_gb=pytest.approx(0.8), storage_gb=90.0),
        maximum=Resources(cpu_cores=7.0, memory_gb=4.0),
    )


def test_unknown_capacity_stays_unknown(make):
    config = make(
        {
            "nodes": {
                "disk": {
                    "protocol": "storj",
                    "min": {"bandwidth_mbps": 5, "cpu_cores": "10%"},
                    "max": {"bandwidth_mbps": 50},
                }
            }
        }
    )
    limits = resolve(config, Resources()).nodes["disk"]
    assert limits == Limits(minimum=Resources(bandwidth_mbps=5.0), maximum=Resources(bandwidth_mbps=50.0))


def test_what_only_measuring_shows(make):
    config = make(
        {
            "host": {"reserve": {"memory_gb": 20}},
            "nodes": {
                "a": {"protocol": "storj", "min": {"cpu_cores": 5}},
                "b": {"protocol": "golem", "min": {"cpu_cores": "50%", "storage_gb": 2000}},
            },
        }
    )
    with pytest.raises(ConfigError) as refused:
        resolve(config, MEASURED)
    assert refused.value.faults == (
        (
            "configuration: nodes.a.min.cpu_cores + nodes.b.min.cpu_cores = 9: more than the 8 that capacity less "
            "reserve leaves"
        ),
        "configuration: host.reserve.memory_gb = 20: more than the host's 16",
        "configuration: nodes.b.min.storage_gb = 2000: more than the 1000 that capacity less reserve leaves",
    )


@given(
    st.floats(0.1, 1000),
    st.floats(0, 1),
    st.lists(st.tuples(st.integers(0, 25), st.integers(25, 100)), min_size=1, max_size=4),
)
def test_limits_lie_within_what_there_is(capacity, reserved, shares):
    config = Config(
        source="x",
        base_dir=None,
        data_dir=None,
        host=HostTable(cpu_cores=capacity, reserve=ReserveTable(cpu_cores=capacity * reserved)),
        nodes=tuple(
            NodeConfig(
                name=str(number),
                protocol="storj",
                options=None,
                minimum=Amounts(cpu_cores=Percent(percent=low)),
                maximum=Amounts(cpu_cores=Percent(percent=high)),
            )
            for number, (low, high) in enumerate(shares)
        ),
    )
    units = resolve(config, Resources())
    available = units.available.cpu_cores
    assert available == pytest.approx(capacity * (1 - reserved), abs=1e-9)
    for limits in units.nodes.values():
        assert 0 <= limits.minimum.cpu_cores <= limits.maximum.cpu_cores <= available
    assert sum(limits.minimum.cpu_cores for limits in units.nodes.values()) <= available + 1e-6


@given(st.lists(st.sampled_from([*MODES, None]), min_size=1))
def test_the_lowest_mode_counts(modes):
    found = effective_mode(*modes)
    given_modes = [mode for mode in modes if mode is not None]
    assert found in (given_modes or ["observe"])
    assert all(MODES.index(found) <= MODES.index(mode) for mode in given_modes)


def test_where_the_configuration_is(tmp_path):
    cwd, home = tmp_path / "cwd", tmp_path / "home"
    (home / ".config/orch").mkdir(parents=True)
    cwd.mkdir()
    assert find(None, {}, cwd, home) is None
    (home / ".config/orch/orch.toml").touch()
    assert find(None, {}, cwd, home) == home / ".config/orch/orch.toml"
    (cwd / "orch.toml").touch()
    assert find(None, {"ORCH_CONFIG": ""}, cwd, home) == cwd / "orch.toml"
    assert find(None, {"ORCH_CONFIG": "none.toml"}, cwd, home) == cwd / "none.toml"
    assert find(None, {"ORCH_CONFIG": "~/x.toml"}, cwd, home) == home / "x.toml"
    assert find(Path("y.toml"), {"ORCH_CONFIG": "none.toml"}, cwd, home) == cwd / "y.toml"
    assert find(Path("/z.toml"), {}, cwd, home) == Path("/z.toml")
