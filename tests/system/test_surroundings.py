"""What is seen of this host: only what was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orch.system.surroundings import LookFor, ProcessSeen, docker_socket_of, look, program_of, read_files


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        (("/usr/bin/storagenode", "run"), "storagenode"),
        (("/usr/bin/node", "/opt/streamr-node.js", "c.json"), "streamr-node.js"),
        (("node", "--max-old-space-size=512", "/x/streamr-node"), "streamr-node"),
        (("python3",), "python3"),
        ((), ""),
    ],
)
def test_a_program_is_known_by_its_own_name_not_its_interpreters(arguments, program):
    assert program_of(arguments) == program


def test_a_flag_is_found_in_both_ways_of_writing_it():
    seen = ProcessSeen(program="storagenode", pid=1, arguments=("run", "--a=1", "--b", "2", "--c"))
    assert [seen.flag(name) for name in ("a", "b", "c", "d")] == ["1", "2", None, None]


def test_a_process_is_seen_with_its_port_and_the_variables_that_were_asked_for(tmp_path):
    script = tmp_path / "storagenode"
    script.write_text(
        "import socket, sys\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "sys.stdin.read()\n"
    )
    wanted = LookFor(programs=frozenset({"storagenode"}), images=(), variables=frozenset({"DATA_DIR"}), files=())
    environment = {**os.environ, "DATA_DIR": "/d", "SOME_SECRET": "hush"}
    command = [sys.executable, str(script), "--console.address", ":1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        port = int(process.stdout.readline())
        seen = look(wanted, tmp_path / "no.sock")
        process.stdin.close()
    (found,) = [each for each in seen.processes if each.pid == process.pid]
    assert (found.program, found.ports, found.flag("console.address")) == ("storagenode", (port,), ":1")
    assert found.environment == (("DATA_DIR", "/d"),)
    assert "hush" not in repr(seen)


def test_files_that_are_there_are_read_and_others_are_not_made_up(tmp_path):
    (tmp_path / "a").write_text("text")
    (tmp_path / "b").mkdir()
    found = list(read_files(tuple(str(tmp_path / name) for name in "abc")))
    assert [(Path(each.path).name, each.text) for each in found] == [("a", "text")]


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({}, "/var/run/docker.sock"),
        ({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}, "/run/user/1000/docker.sock"),
        ({"DOCKER_HOST": "tcp://10.0.0.1:2375"}, "/var/run/docker.sock"),
    ],
)
def test_docker_is_looked_for_where_it_says(environ, path):
    assert str(docker_socket_of(environ)) == path
