"""What runs orch for good, and what a shell is told: printed, parsed, verified."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orch.cli import main
from orch.cli.group import COMMANDS
from orch.cli.service import NEEDS, printed, unit
from orch.model.entrypoints import load_group

PLACES = {"user": "orch", "config": Path("/etc/orch/orch.toml"), "data_dir": Path("/var/lib/orch")}


def parsed(text):
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(text)
    return parser


def made(*kinds, python="/opt/orch/bin/python"):
    return unit(dict.fromkeys(kinds), python=Path(python), **PLACES)


def test_every_lever_says_what_it_needs():
    assert set(NEEDS) == set(load_group("orch.levers")) - {"emulated"}
    text = made()
    assert all(re.search(rf"^# {kind}[:]", text, re.MULTILINE) for kind in NEEDS)
    assert "$" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_without_levers_nothing_is_allowed():
    service = parsed(made())["Service"]
    assert (service["CapabilityBoundingSet"], service["AmbientCapabilities"]) == ("", "")
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("orch", "yes", "strict")
    assert (service["ProtectControlGroups"], service["StateDirectory"]) == ("yes", "orch")
    assert not {"SupplementaryGroups", "ReadWritePaths"} & set(service)


def test_each_lever_is_given_its_own_right_and_no_other():
    assert parsed(made("tc"))["Service"]["AmbientCapabilities"] == "CAP_NET_ADMIN"
    assert parsed(made("docker"))["Service"]["SupplementaryGroups"] == "docker"
    cgroup = parsed(made("cgroup"))["Service"]
    assert (cgroup["CapabilityBoundingSet"], cgroup["ProtectControlGroups"]) == ("CAP_DAC_OVERRIDE", "no")


def test_a_lever_that_replaces_files_may_write_in_their_folder_only(orch, home):
    (home / "config.yaml").write_text("")
    (home / "orch.toml").write_text(
        "[nodes.disk]\nprotocol = 'storj'\nurl = 'http://127.0.0.1:14002'\n[[nodes.disk.levers]]\n"
        f"kind = 'storj_config'\npath = '{home}/config.yaml'\nrestart = ['true']\n"
    )
    found = orch("service", "--user", "income")
    assert found.exit_code == 0, found.stderr
    service = parsed(found.stdout)["Service"]
    assert (service["User"], service["ReadWritePaths"]) == ("income", f"-{home}")
    assert "Levers in the configuration: storj_config." in found.stdout


@pytest.mark.parametrize("args", [("--container", "--compose"), ("--user", "x\nExecStart=/bin/sh")])
def test_what_makes_no_sense_is_refused(orch, args):
    assert orch("service", *args).exit_code == 2


def test_the_container_runs_as_nobody_special_and_the_compose_file_gives_nothing_away(orch):
    container, compose = orch("service", "--container").stdout, orch("service", "--compose").stdout
    assert container == printed("Containerfile")
    assert re.search(r"^USER orch$", container, re.MULTILINE)
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (service,) = yaml.safe_load(compose)["services"].values()
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert service["read_only"]
    assert not {"ports", "privileged", "cap_add", "group_add"} & set(service)
    assert service["volumes"] == ["orch-data:/var/lib/orch", "./orch.toml:/etc/orch/orch.toml:ro"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.real
@pytest.mark.parametrize("kinds", [(), tuple(NEEDS)])
def test_systemd_takes_the_unit_without_a_word(tmp_path, kinds):
    file = tmp_path / "orch.service"
    file.write_text(made(*kinds, python="/bin/true"))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    exposure = float(re.search(r"Overall exposure level for orch\.service: ([\d.]+)", rated.stdout)[1])
    assert exposure < (2.5 if not kinds else 4.0)


# -- completion --------------------------------------------------------------------------------------------


def completed(monkeypatch, line):
    from click.shell_completion import get_completion_class

    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    return get_completion_class("bash")(main, {}, "orch", "_ORCH_COMPLETE").complete().splitlines()


def test_commands_options_and_choices_are_completed(monkeypatch):
    assert completed(monkeypatch, "orch ") == [f"plain,{name}" for name in COMMANDS]
    assert completed(monkeypatch, "orch his") == ["plain,history"]
    assert completed(monkeypatch, "orch export --fo") == ["plain,--format"]
    assert completed(monkeypatch, "orch demo --mode au") == ["plain,auto"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_printed(orch, shell):
    script = orch("completion", shell).stdout
    assert f"_ORCH_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program is not None:
        environment = {**os.environ, "HOME": "/nonexistent"}
        checked = subprocess.run([program, "-n"], input=script, text=True, check=False, env=environment)
        assert checked.returncode == 0
