"""Windows, budgets and patience in `[limits]`, and what becomes of them."""

import tomllib

import pytest

from orch.boot.plans import make_setting, optimizer_plan, reallocation_plan
from orch.config.load import from_tables
from orch.errors import ConfigError
from orch.model.resources import Resources
from orch.reallocation.windows import Window, Windows

TEXT = """
[orch]
mode = "approve"
[limits]
max_reallocations_per_day = 6
max_reallocations_per_node_per_day = 2
plan_expires_s = 600
zone = "Europe/Prague"
windows = [{ from = "01:30", to = "05:00", days = ["sat", "sun"] }, { from = "22:00", to = "02:00" }]
[nodes.a]
protocol = "streamr"
rpc_url = "https://polygon.example/rpc"
operator = "0x0000000000000000000000000000000000000001"
[[nodes.a.levers]]
kind = "cgroup"
unit = "streamr"
mode = "auto"
[[nodes.a.levers]]
kind = "tc"
link_mbps = 100
"""


def read(text, tmp_path):
    return from_tables(tomllib.loads(text), {"HOME": "/home/me"}, tmp_path)


def test_they_reach_the_engine(tmp_path):
    setting = make_setting(read(TEXT, tmp_path), host="h", measured=Resources())
    plan = reallocation_plan(setting)

    assert (plan.limits.max_moves_per_day, plan.limits.max_moves_per_node_per_day) == (6, 2)
    assert plan.plan_expires_s == 600
    assert plan.limits.windows == Windows(
        of=(
            Window(start_min=90, end_min=300, days=("sat", "sun")),
            Window(start_min=1320, end_min=120),
        ),
        zone="Europe/Prague",
    )
    assert [(each.name.kind, each.mode, each.stated) for each in plan.levers] == [
        ("cgroup", "approve", "auto"),
        ("tc", "approve", None),
    ]


def test_changes_of_a_configured_node_are_described(tmp_path):
    describe = optimizer_plan(make_setting(read(TEXT, tmp_path), host="h", measured=Resources()), 1.0).describe

    told = describe("a", Resources(cpu_cores=1.5))
    assert (told.lever, told.mode) == ("cgroup", "approve")
    assert "1.5 cores" in told.does[0]


def test_nothing_is_said_and_nothing_is_bounded(tmp_path):
    limits = read("", tmp_path).limits
    assert (limits.windows, limits.max_reallocations_per_day, limits.plan_expires_s) == ((), None, 1800.0)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('zone = "Europe/Prag"', 'limits.zone = "Europe/Prag": unknown time zone, did you mean'),
        ('windows = [{ from = "25:00", to = "05:00" }]', "limits.windows[0].from"),
        ('windows = [{ from = "01:00" }]', "limits.windows[0].to"),
        ('windows = [{ from = "01:00", to = "02:00", days = [] }]', "limits.windows[0].days: no day is named"),
        ('windows = [{ from = "01:00", to = "02:00", days = ["sunday"] }]', "limits.windows[0].days"),
        ("max_reallocations_per_day = 0", "limits.max_reallocations_per_day"),
        ("plan_expires_s = 0", "limits.plan_expires_s"),
    ],
)
def test_faults_name_their_place(tmp_path, line, fault):
    with pytest.raises(ConfigError) as refused:
        read(f"[limits]\n{line}", tmp_path)
    assert fault in str(refused.value)
