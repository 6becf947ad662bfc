"""The configuration of the emulated nodes."""

import tomllib

from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import emulated_urls

OWN = {"disk": ["storj_config"], "compute": ["golem_provider"]}


def test_every_secret_it_names_is_in_the_environment():
    nodes = demo_nodes(emulated_urls())["nodes"]
    named = {nodes["compute"]["app_key"]["env"], nodes["address"]["token"]["env"]}
    assert named == set(demo_environment())
    assert all(demo_environment().values())


def test_it_points_at_the_world_it_is_for(world):
    tables = demo_nodes(emulated_urls())
    assert tables["nodes"]["relay"]["operator"] == world.streamr.operator
    assert tables["nodes"]["compute"]["provider_dir"] == "/emulated/ya-provider"
    sources = ("coingecko", "defillama", "binance", "coinbase", "bybit")
    assert tables["prices"] == {f"{source}_url": "http://prices.emulated" for source in sources}
    for name, node in tables["nodes"].items():
        *own, rest = node["levers"]
        assert (rest["kind"], rest["url"], rest["node"]) == ("emulated", "http://control.emulated", name)
        assert [lever["kind"] for lever in own] == OWN.get(name, [])
        assert all(lever["mode"] == "auto" for lever in node["levers"])


def test_without_a_place_for_files_the_control_service_sets_everything():
    nodes = demo_nodes({service: f"http://127.0.0.1:1/{service}" for service in emulated_urls()})["nodes"]
    assert nodes["compute"]["provider_dir"] == "http://127.0.0.1:1/control/provider"
    for name, node in nodes.items():
        lever = {"kind": "emulated", "url": "http://127.0.0.1:1/control", "node": name, "mode": "auto"}
        assert node["levers"] == [lever]


def test_it_holds_nothing_that_toml_could_not():
    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(each) for key, each in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return isinstance(value, str | int | float)

    assert plain(demo_nodes(emulated_urls()))
    assert tomllib.loads("min = { storage_gb = 500.0 }")["min"] == {"storage_gb": 500.0}
