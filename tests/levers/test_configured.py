"""Every installed lever, as a configuration file names it."""

import tomllib

from orch.config.load import from_tables
from orch.model.entrypoints import load_group

TABLES = """
[nodes.disk]
protocol = "storj"
[[nodes.disk.levers]]
kind = "storj_config"
path = "config.yaml"
restart = ["systemctl", "restart", "storagenode"]
[[nodes.disk.levers]]
kind = "cgroup"
unit = "storagenode"
[[nodes.disk.levers]]
kind = "tc"
link_mbps = 1000
[[nodes.disk.levers]]
kind = "docker"
container = "node"
[[nodes.disk.levers]]
kind = "systemd"
unit = "storagenode.service"
[[nodes.disk.levers]]
kind = "command"
apply = ["./set", "--now"]
read = ["show"]
sets = ["cpu_cores"]
[nodes.compute]
protocol = "golem"
app_key = { env = "KEY" }
[[nodes.compute.levers]]
kind = "golem_provider"
path = "provider"
"""


def test_each_is_understood_and_its_files_lie_beside_the_configuration(tmp_path):
    config = from_tables(tomllib.loads(TABLES), {"KEY": "hush"}, tmp_path)
    levers = {lever.kind: lever.options for node in config.nodes for lever in node.levers}
    assert levers.keys() == load_group("orch.levers").keys() - {"emulated"}
    assert levers["storj_config"].path == str(tmp_path / "config.yaml")
    assert levers["golem_provider"].path == str(tmp_path / "provider")
    assert levers["command"].apply == (str(tmp_path / "set"), "--now")
    assert levers["command"].read == ("show",)
    assert levers["golem_provider"].app_key.value == "hush"
    assert "hush" not in repr(config)
