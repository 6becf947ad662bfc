"""From nothing to an engine: the emulator on the networks' own ports, `init`, `check`, `run`, `status`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from decimal import Decimal

import pytest

from orch.emulator.shell import DEFAULT_PORTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
LINE = re.compile(r"([A-Z_]+)=(\S+)\n")


def taken():
    """The emulator's ports that something listens on."""
    found = []
    for port in DEFAULT_PORTS.values():
        with socket.socket() as knock:
            knock.settimeout(0.5)
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


@pytest.fixture
def orch(tmp_path):
    """Call a command as an operator would, in an empty home; gives the finished process."""
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "VIRTUAL_ENV")}

    def call(*args, **environ):
        return subprocess.run(
            [sys.executable, "-m", "orch", *args],
            cwd=tmp_path,
            env={**clean, "HOME": str(tmp_path), "COLUMNS": "80", **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


@pytest.fixture
def emulator(tmp_path):
    """The emulated nodes on their default ports; gives the lines it prints for the environment."""
    if ports := taken():
        pytest.skip(f"something listens on port {ports[0]} already")
    command = [sys.executable, "-m", "orch", "emulate", "--ports", "default"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
        environment = {}
        for text in process.stdout:
            if (match := LINE.fullmatch(text)) is not None:
                environment[match[1]] = match[2]
                if match[1] == "COINGECKO_URL":
                    break
        yield environment
        process.send_signal(signal.SIGTERM)


def test_beside_the_emulator_on_default_ports(orch, emulator, tmp_path):
    again = orch("emulate", "--ports", "default")
    assert again.returncode == 1
    assert re.fullmatch(r"Error: Port 14002 for the emulated storj cannot be opened \(.*\): .*\n", again.stderr)

    secrets = {name: emulator[name] for name in ("YAGNA_APPKEY", "GRASS_TOKEN")}
    options = (
        *("--operator", emulator["STREAMR_OPERATOR"]),
        *("--rpc-url", emulator["STREAMR_RPC_URL"]),
        *("--grass-url", emulator["GRASS_URL"]),
    )
    found = orch("init", "--json", *options)
    assert found.returncode == 0, found.stderr
    body = json.loads(found.stdout)
    assert [node["protocol"] for node in body["nodes"] if node["emulated"]] == ["storj", "golem", "streamr"]
    path = tmp_path / "orch.toml"
    assert not any(secret in path.read_text() for secret in secrets.values())
    with path.open("a") as file:
        file.write("\n[web]\nport = 0\n")

    unset = orch("check", "--json")
    assert (unset.returncode, unset.stderr) == (1, "")
    failed = {line["asked"] for line in json.loads(unset.stdout)["lines"] if line["result"] == "failed"}
    assert "secret_missing" in failed

    checked = orch("check", **secrets)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Set badly today" in checked.stdout
    assert "USD a month" in checked.stdout
    assert max(map(len, checked.stdout.splitlines())) <= 80

    ran = orch("run", "--for", "15s", **secrets)
    assert ran.returncode == 0, ran.stderr
    board = json.loads(orch("status", "--json").stdout)
    assert (board["engine"]["kind"], board["engine"]["mode"]) == ("emulated", "suggest")
    assert {node["health"] for node in board["nodes"]} == {"online"}
    assert all(node["observer"]["requests"] > 0 for node in board["nodes"])
    after = json.loads(orch("check", "--json", **secrets).stdout)
    assert after["set_badly"]
    assert after["set_badly_by"].startswith("this one look")
    assert "orch asks: disk " in " ".join(orch("status").stdout.split())
    trail = json.loads(orch("status", "--trace", "relay", "--json").stdout)
    gas = [each for each in trail["streams"] if each["kind"] == "gas"]
    assert gas
    assert {each["unit"] for each in gas} == {"POL"}
    assert all(Decimal(each["amount"]) < 0 and Decimal(each["usd"]) < 0 for each in gas)


def test_with_the_lines_in_the_environment_no_option_is_needed(orch, emulator):
    body = json.loads(orch("init", "--dry-run", "--json", **emulator).stdout)
    assert [node["protocol"] for node in body["nodes"]] == ["storj", "golem", "streamr", "grass"]
    assert {each["protocol"] for each in body["missing"]} <= {"streamr"}
