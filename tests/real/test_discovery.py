"""What `init` sees of genuine peers: a daemon by its answer, a node by its process, a container by Docker."""

from __future__ import annotations

from pathlib import Path

import pytest
from dockerd import busy_container

from orch.discovery.judge import propose
from orch.discovery.knock import knock
from orch.discovery.proposal import Given
from orch.discovery.search import search
from orch.discovery.traces import IMAGES, VARIABLES, Candidate
from orch.system.containers import read_containers

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_a_genuine_yagna_is_known_by_its_version_without_a_key(genuine_yagna):
    (found,) = knock([Candidate(network="golem", url=genuine_yagna.base_url, why="given")])
    assert (found.version, found.emulated) == ("0.17.6", False)


def test_a_genuine_storagenode_is_found_by_its_process(genuine_storagenode, tmp_path):
    seen, opened = search({}, str(tmp_path), str(tmp_path), Given())
    assert genuine_storagenode.base_url in {each.url for each in opened if each.network == "storj"}
    nodes = [
        each
        for each in propose(seen, opened, Given()).nodes
        if ("url", genuine_storagenode.base_url)
        in {(key.name, key.value) for key in each.keys if key.name == "url"}
    ]
    (node,) = nodes
    assert node.emulated is False
    assert node.allocated_gb is not None
    assert any(each.path.startswith(str(genuine_storagenode.work)) for each in seen.files)


def test_a_container_is_read_from_a_genuine_engine_and_its_secrets_are_not(docker_engine):
    client, socket = docker_engine
    environment = {"STORAGE": "6TB", "WALLET": "0xsecret"}
    with busy_container(client, name="orch-storagenode", environment=environment):
        path = Path(socket.removeprefix("unix://"))
        found, trouble = read_containers(path, tuple(word for word, _ in IMAGES), VARIABLES)
    assert trouble is None
    (container,) = [each for each in found if each.name == "orch-storagenode"]
    assert container.running
    assert container.environment == (("STORAGE", "6TB"),)
    assert "0xsecret" not in repr(found)
