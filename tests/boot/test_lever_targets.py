"""What two engines would both set is known by one name, however it is configured."""

from __future__ import annotations

import pytest

from orch.boot.plans import lever_targets, make_setting
from orch.config.load import from_tables
from orch.errors import DataDirError
from orch.model.resources import Resources
from orch.system.paths import lock_target


def targets(tmp_path, name, **lever):
    tables = {"nodes": {name: {"protocol": "storj", "url": "http://127.0.0.1:9", "levers": [lever]}}}
    return lever_targets(make_setting(from_tables(tables, {}, tmp_path), host="h", measured=Resources()))


def test_a_storage_nodes_file_is_one_target_by_any_name(tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "node")
    restart = ["systemctl", "restart", "storagenode"]
    first = targets(tmp_path, "disk", kind="storj_config", path="node/config.yaml", restart=restart)
    second = targets(
        tmp_path, "other", kind="storj_config", path=str(tmp_path / "link/config.yaml"), restart=["x"], mode="auto"
    )
    assert first == second
    with lock_target(first[0], tmp_path), pytest.raises(DataDirError, match="is in use by process"):
        lock_target(second[0], tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kind": "cgroup", "cgroup": "a"}, {"kind": "cgroup", "cgroup": "b"}),
        ({"kind": "docker", "container": "a"}, {"kind": "systemd", "unit": "a.service"}),
        ({"kind": "tc", "interface": "e0", "link_mbps": 1}, {"kind": "tc", "interface": "e1", "link_mbps": 1}),
    ],
    ids=["groups", "kinds", "interfaces"],
)
def test_different_things_are_different_targets(tmp_path, one, other):
    assert targets(tmp_path, "n", **one) != targets(tmp_path, "n", **other)


def test_how_a_target_is_pulled_makes_no_difference(tmp_path):
    slow = targets(tmp_path, "n", kind="tc", interface="eth0", link_mbps=100)
    assert slow == targets(tmp_path, "m", kind="tc", interface="eth0", link_mbps=500, mode="approve")
