from __future__ import annotations

from orch.levers.cgroup import LEVER as CGROUP
from orch.levers.cgroup import CgroupOptions
from orch.levers.emulated import LEVER as EMULATED
from orch.levers.emulated import EmulatedOptions
from orch.levers.together import FittedLever, pauses, together_cost


def fitted(spec, options, protocol="storj"):
    return FittedLever(spec=spec, options=options, mode="auto", protocol=protocol)


def test_a_change_pauses_a_node_as_the_lever_says_that_sets_it():
    emulated = fitted(EMULATED, EmulatedOptions(url="http://control", node="disk"))
    assert pauses((emulated,)) == {
        "cpu_cores": 0.0,
        "memory_gb": 0.0,
        "bandwidth_mbps": 0.0,
        "storage_gb": 120.0,
    }
    golem = fitted(EMULATED, EmulatedOptions(url="http://control", node="compute"), "golem")
    assert set(pauses((golem,)).values()) == {60.0}
    assert together_cost((emulated, golem)).downtime_s == 120.0


def test_the_first_lever_that_sets_a_resource_counts():
    golem = fitted(EMULATED, EmulatedOptions(url="http://control", node="compute"), "golem")
    group = fitted(CGROUP, CgroupOptions(cgroup="orch.slice/compute"), "golem")
    assert pauses((group, golem))["cpu_cores"] == 0.0
    assert pauses((golem, group))["cpu_cores"] == 60.0
    assert pauses((group, golem))["storage_gb"] == 60.0
