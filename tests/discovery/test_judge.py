"""From what was seen to what is written and what is said to be missing."""

from __future__ import annotations

import json

import pytest

from orch.discovery.judge import propose, storage_override, twin_of
from orch.discovery.knock import Opened
from orch.discovery.proposal import Given, check_given
from orch.errors import UsageError
from orch.system.containers import ContainerSeen
from orch.system.surroundings import FileSeen, ProcessSeen, Surroundings

OPERATOR = "0x" + "1f" * 20
RPC = "https://rpc.example"
STORJ = Opened(
    network="storj", url="http://127.0.0.1:14002", why="port 14002", version="1.162.3", allocated_gb=6000.0
)
GOLEM = Opened(network="golem", url="http://127.0.0.1:7465", why="port 7465", version="0.17.6")
STREAMR = Opened(network="streamr", url="http://127.0.0.1:7171", why="port 7171")
NOTHING = Surroundings()


def keys(node):
    return {key.name: key.value for key in node.keys}


def by_protocol(proposal):
    return {node.protocol: node for node in proposal.nodes}


def said(proposal, protocol):
    return " ".join(f"{each.sentence} -> {each.remedy}" for each in proposal.missing if each.protocol == protocol)


def storj_container(**changes):
    fields = {"id": "c1", "name": "sn", "image": "storjlabs/storagenode:latest", "running": True}
    return ContainerSeen(**{**fields, **changes})


def test_on_a_bare_machine_every_network_has_a_remedy_and_nothing_is_proposed():
    found = propose(NOTHING, (), Given())
    assert found.nodes == ()
    assert [each.protocol for each in found.missing] == ["storj", "golem", "streamr", "grass"]
    assert all("--" in each.remedy for each in found.missing)


def test_docker_that_could_not_be_asked_is_said():
    told = Surroundings(docker_trouble="Docker's socket /run/docker.sock may not be read by this user")
    found = propose(told, (STORJ,), Given())
    assert "no containers were looked at: Docker's socket" in said(found, "docker")
    assert said(propose(NOTHING, (STORJ,), Given()), "docker") == ""


def test_what_answers_is_proposed_with_its_address():
    nodes = by_protocol(propose(NOTHING, (STORJ, GOLEM), Given()))
    assert keys(nodes["storj"]) == {"url": "http://127.0.0.1:14002"}
    assert dict(nodes["storj"].minimum) == {"storage_gb": 500.0}
    assert keys(nodes["golem"])["app_key"] == {"env": "YAGNA_APPKEY"}


def test_a_storage_node_below_the_minimum_size_is_not_held_to_it():
    small = Opened(network="storj", url="http://127.0.0.1:14002", why="port", allocated_gb=20.0)
    (node,) = propose(NOTHING, (small,), Given()).nodes
    assert node.minimum == ()


def test_several_storage_nodes_have_names_of_their_own():
    second = Opened(network="storj", url="http://127.0.0.1:14003", why="port 14003")
    assert [node.name for node in propose(NOTHING, (STORJ, second), Given()).nodes] == ["disk", "disk-2"]


def test_secrets_are_named_never_written():
    given = Given(app_key_file="app.key", grass_token_file="g.token")
    nodes = by_protocol(propose(NOTHING, (GOLEM,), given))
    assert keys(nodes["golem"])["app_key"] == {"file": "app.key"}
    assert keys(nodes["grass"])["token"] == {"file": "g.token"}


@pytest.mark.parametrize(("exists", "missing"), [(frozenset(), True), (frozenset({"YAGNA_APPKEY"}), False)])
def test_an_application_key_that_is_not_set_is_said(exists, missing):
    told = said(propose(NOTHING, (GOLEM,), Given(exists=exists)), "golem")
    assert ("yagna app-key create" in told) is missing


@pytest.mark.parametrize(
    ("given", "blocking"),
    [
        (Given(), {"Operator contract", "JSON-RPC"}),
        (Given(operator=OPERATOR), {"JSON-RPC"}),
        (Given(rpc_url=RPC), {"Operator contract"}),
        (Given(operator=OPERATOR, rpc_url=RPC), set()),
    ],
)
def test_a_streamr_node_is_written_when_the_chain_can_be_read(given, blocking):
    found = propose(NOTHING, (STREAMR,), given)
    told = [each.sentence for each in found.missing if each.blocks]
    assert all(any(word in sentence for sentence in told) for word in blocking)
    assert len(told) == len(blocking)
    assert bool(by_protocol(found)) is not bool(blocking)


def test_the_operator_and_what_is_off_are_read_from_the_nodes_own_file():
    body = {"plugins": {"operator": {"operatorContractAddress": OPERATOR}, "autostaker": {}}}
    seen = Surroundings(files=(FileSeen(path="/h/.streamr/config/default.json", text=json.dumps(body)),))
    found = propose(seen, (), Given(rpc_url=RPC))
    assert keys(by_protocol(found)["streamr"]) == {"rpc_url": RPC, "operator": OPERATOR}
    told = said(found, "streamr")
    assert '"info": {}' in told
    assert "autostaker" in told


def test_the_operator_of_a_process_wins_over_the_one_in_a_file():
    name = "STREAMR__BROKER__PLUGINS__OPERATOR__OPERATOR_CONTRACT_ADDRESS"
    mine = ProcessSeen(program="streamr-node", pid=1, environment=((name, OPERATOR),))
    body = {"plugins": {"operator": {"operatorContractAddress": "0x" + "2e" * 20}}}
    seen = Surroundings(processes=(mine,), files=(FileSeen(path="/h/default.json", text=json.dumps(body)),))
    assert keys(by_protocol(propose(seen, (), Given(rpc_url=RPC)))["streamr"])["operator"] == OPERATOR


def test_an_info_page_that_wants_a_key_is_said():
    locked = Opened(network="streamr", url="http://127.0.0.1:7171", why="port 7171", locked=True)
    told = said(propose(NOTHING, (locked,), Given(operator=OPERATOR, rpc_url=RPC)), "streamr")
    assert "info_key" in told


@pytest.mark.parametrize(
    ("seen", "given"),
    [
        (NOTHING, Given(grass_url="http://127.0.0.1:1")),
        (NOTHING, Given(exists=frozenset({"GRASS_TOKEN"}))),
        (Surroundings(processes=(ProcessSeen(program="grass", pid=9),)), Given()),
        (Surroundings(containers=(storj_container(image="mrcolorrain/grass", name="g"),)), Given()),
    ],
)
def test_a_grass_node_is_taken_from_options_processes_or_containers(seen, given):
    assert "grass" in by_protocol(propose(seen, (), given))


def test_a_program_that_runs_and_does_not_answer_is_told_apart_from_none():
    seen = Surroundings(processes=(ProcessSeen(program="storagenode", pid=5),))
    found = propose(seen, (), Given())
    assert "process storagenode (5) is here, but" in said(found, "storj")
    assert "14002" in said(found, "storj")


def test_an_address_that_was_given_is_written_even_when_nobody_answers():
    found = propose(NOTHING, (), Given(storj_urls=("http://10.0.0.5:14002",), golem_url="http://10.0.0.5:7465"))
    assert set(by_protocol(found)) == {"storj", "golem"}
    assert "no storage node answers at http://10.0.0.5:14002" in said(found, "storj")


def test_a_config_yaml_of_another_program_is_not_taken_for_a_storage_nodes():
    mine = FileSeen(path="/h/config.yaml", text="theme: dark\n")
    (node,) = propose(Surroundings(files=(mine,)), (STORJ,), Given()).nodes
    assert "config_path" not in keys(node)
    real = FileSeen(path="/etc/storagenode/config.yaml", text="storage.allocated-disk-space: 6.00 TB\n")
    (node,) = propose(Surroundings(files=(real,)), (STORJ,), Given()).nodes
    assert keys(node)["config_path"] == "/etc/storagenode/config.yaml"
    assert not {"storage_path", "log_path"} & keys(node).keys()


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('storage.path: /srv/storj\nlog.output: "/var/log/sn.log"\n', {"/srv/storj", "/var/log/sn.log"}),
        ("# storage.path: /commented\nlog.output: stderr\nstorage.path: config/storage\n", set()),
    ],
)
def test_the_nodes_disk_and_log_are_taken_from_its_own_file(text, places):
    real = FileSeen(path="/etc/storagenode/config.yaml", text=f"console.address: 127.0.0.1:14002\n{text}")
    (node,) = propose(Surroundings(files=(real,)), (STORJ,), Given()).nodes
    assert {keys(node)[name] for name in ("storage_path", "log_path") if name in keys(node)} == places
    contained = Surroundings(files=(real,), containers=(storj_container(),))
    assert not {"storage_path", "log_path"} & keys(propose(contained, (STORJ,), Given()).nodes[0]).keys()


@pytest.mark.parametrize(
    ("container", "told"),
    [
        (storj_container(environment=(("STORAGE", "6TB"),)), "STORAGE=6TB"),
        (storj_container(command=("--storage.allocated-disk-space=6TB",)), "argument"),
        (
            storj_container(environment=(("STORJ_STORAGE_ALLOCATED_DISK_SPACE", "2TB"),)),
            "ALLOCATED_DISK_SPACE=2TB",
        ),
        (storj_container(environment=(("STORAGE", ""),)), None),
        (storj_container(), None),
        (storj_container(image="nginx", name="web", environment=(("STORAGE", "6TB"),)), None),
    ],
)
def test_a_size_that_docker_fixes_is_a_finding(container, told):
    found = list(storage_override((container,)))
    assert bool(found) is (told is not None)
    assert all(told in each.sentence and 'STORAGE=""' in each.remedy for each in found)


@pytest.mark.parametrize(
    ("table", "twin"),
    [
        ({"protocol": "storj", "url": "http://localhost:14002/"}, "mine"),
        ({"protocol": "storj"}, "mine"),
        ({"protocol": "storj", "url": "http://127.0.0.1:14003"}, None),
        ({"protocol": "golem", "url": "http://127.0.0.1:14002"}, None),
    ],
)
def test_a_node_that_is_configured_already_is_known_by_its_address(table, twin):
    (node,) = propose(NOTHING, (STORJ,), Given()).nodes
    assert twin_of(node, {"mine": table}) == twin


@pytest.mark.parametrize(
    "given",
    [
        Given(operator="0x12"),
        Given(rpc_url="rpc.example"),
        Given(grass_url="ftp://x"),
        Given(storj_urls=("http://a", "b:1")),
    ],
)
def test_what_cannot_be_meant_is_refused(given):
    with pytest.raises(UsageError, match="--"):
        check_given(given)
    check_given(Given(operator=OPERATOR, rpc_url=RPC, storj_urls=("http://a:1",)))
