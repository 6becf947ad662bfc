"""Docker's socket, played by a small server: what is read of it, and what is never kept."""

from __future__ import annotations

import json
import socket

import pytest

from orch.system.containers import Mount, Published, read_containers
from tests.fakes.listening import Attendant

LISTED = [
    {"Id": "a" * 64, "Image": "storjlabs/storagenode:latest", "State": "running", "Names": ["/sn"]},
    {"Id": "b" * 64, "Image": "nginx", "State": "running", "Names": ["/web"]},
    {"Id": "c" * 64, "Image": "debian", "State": "exited", "Names": ["/my-grass"]},
]
TOLD = {
    "Config": {"Env": ["STORAGE=6TB", "WALLET=0xsecret", "EMPTY="], "Cmd": ["--operator.email=me"]},
    "NetworkSettings": {
        "Ports": {
            "14002/tcp": [{"HostIp": "127.0.0.1", "HostPort": "14002"}],
            "28967/tcp": None,
            "7778/tcp": [{"HostIp": "", "HostPort": ""}],
        }
    },
    "Mounts": [{"Source": "/srv/sn", "Destination": "/app/config"}],
}


class Docker(Attendant):
    """Answers one connection after another with what it was told."""

    def __init__(self, path, answers):
        self.asked = []
        self._answers = answers
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        super().__init__(listener)

    def attend(self, connection):
        with connection:
            target = connection.recv(65_536).split()[1].decode()
            self.asked.append(target)
            status, body = self._answers(target)
            head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)


@pytest.fixture
def docker(tmp_path):
    path = tmp_path / "docker.sock"
    made = []

    def start(answers):
        made.append(Docker(path, answers))
        return path, made[0]

    yield start
    for each in made:
        each.close()


def honest(target):
    return 200, json.dumps(LISTED if target.startswith("/containers/json") else TOLD).encode()


def test_a_container_is_read_and_only_what_was_asked_for_is_kept(docker):
    path, server = docker(honest)
    found, trouble = read_containers(path, ("storagenode", "grass"), {"STORAGE"})
    assert trouble is None
    node, grass = found
    assert (node.name, node.running, grass.name, grass.running) == ("sn", True, "my-grass", False)
    assert node.published == (Published(inside=14002, address="127.0.0.1", port=14002),)
    assert node.mounts == (Mount(source="/srv/sn", destination="/app/config"),)
    assert node.environment == (("STORAGE", "6TB"),)
    assert "0xsecret" not in repr(found)
    assert all("b" * 64 not in target for target in server.asked)


@pytest.mark.parametrize(
    "answer", [(500, b"{}"), (200, b"<html>"), (200, b'{"message": "no"}'), (200, b'[{"Id": 3}]'), (200, b"\xff")]
)
def test_a_docker_that_answers_nonsense_is_a_sentence(docker, answer):
    path, _ = docker(lambda _: answer)
    found, trouble = read_containers(path, ("storagenode",), ())
    assert found == ()
    assert str(path) in trouble


def test_without_docker_there_is_nothing_to_say(tmp_path):
    assert read_containers(tmp_path / "none.sock", ("storagenode",), ()) == ((), None)


def test_a_socket_that_nobody_serves_is_a_sentence(tmp_path):
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert read_containers(path, ("storagenode",), ())[1] is not None
