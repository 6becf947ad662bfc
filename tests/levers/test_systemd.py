"""The lever of units on a paper manager: soft limits before hard ones, for this boot or for good."""

import json

import pytest

from orch.errors import LeverError
from orch.levers.systemd import INFINITY, LEVER, SystemdOptions
from orch.model.resources import Resources
from tests.fakes.hands import PaperHost, good, pull

UNIT = "storagenode.service"


class Manager:
    """One unit whose use may be `pressed` down to an amount by its soft limit."""

    def __init__(self, *, used=500_000_000, pressed=None):
        self.values = {
            "ActiveState": "active",
            "CPUQuotaPerSecUSec": INFINITY,
            "MemoryHigh": INFINITY,
            "MemoryMax": INFINITY,
            "MemoryCurrent": used,
        }
        self.pressed, self.set, self.runtime = pressed, [], set()
        self.host = PaperHost(tool=self.answer)

    def answer(self, request):
        order = json.loads(request.body)
        if request.action == "get":
            return good({name: self.values[name] for name in order["names"]})
        self.runtime.add(order["runtime"])
        self.set += order["properties"].items()
        self.values |= order["properties"]
        if "MemoryHigh" in order["properties"] and self.pressed is not None:
            self.values["MemoryCurrent"] = self.pressed
        return good({})


@pytest.mark.parametrize("persistent", [False, True])
def test_the_soft_limit_comes_before_the_hard_one(persistent):
    manager = Manager()
    options = SystemdOptions(unit=UNIT, persistent=persistent)
    goal = Resources(cpu_cores=0.5, memory_gb=2.0)
    pull(LEVER.apply(options, goal), manager.host)
    assert manager.set == [
        ("MemoryHigh", 2_000_000_000),
        ("MemoryMax", 2_000_000_000),
        ("CPUQuotaPerSecUSec", 500_000),
    ]
    assert manager.runtime == {not persistent}
    assert pull(LEVER.read(options), manager.host).allocation == goal
    said = LEVER.describe(options, goal)
    assert said.startswith("systemctl set-property " + ("" if persistent else "--runtime ") + UNIT)


def test_what_the_soft_limit_frees_does_not_count():
    manager = Manager(used=3_000_000_000, pressed=900_000_000)
    pull(LEVER.apply(SystemdOptions(unit=UNIT), Resources(memory_gb=1.0)), manager.host)
    assert manager.values["MemoryMax"] == 1_000_000_000


def test_what_it_does_not_free_keeps_the_hard_one_away():
    manager = Manager(used=3_000_000_000, pressed=2_000_000_000)
    with pytest.raises(LeverError, match=r"uses 2\.000 GB: a limit of 1 GB would kill it"):
        pull(LEVER.apply(SystemdOptions(unit=UNIT), Resources(cpu_cores=0.5, memory_gb=1.0)), manager.host)
    assert manager.set == [("MemoryHigh", 1_000_000_000), ("MemoryHigh", INFINITY)]


def test_the_whole_machine_takes_the_limits_away():
    manager = Manager()
    manager.values |= {"MemoryHigh": 10**9, "MemoryMax": 10**9, "CPUQuotaPerSecUSec": 500_000}
    pull(LEVER.apply(SystemdOptions(unit=UNIT), Resources(cpu_cores=4.0, memory_gb=16.0)), manager.host)
    assert {manager.values[name] for name in ("MemoryHigh", "MemoryMax", "CPUQuotaPerSecUSec")} == {INFINITY}
