"""The command line as a process: what it loads, what it says, how it exits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

HEAVY = (
    "duckdb",
    "numpy",
    "litestar",
    "highspy",
    "pykka",
    "rich",
    "requests",
    "uvicorn",
    "psutil",
    "tomlkit",
    "textual",
)


def run(*args, **options):
    return subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_standard_output_is_for_answers_alone():
    code = """
import os, subprocess, sys
from orch.__main__ import keep_stdout
keep_stdout()
os.write(1, b"a banner of a library\\n")
print("{}")
sys.stdout.flush()
subprocess.run([sys.executable, "-c", "print('a program that was started')"])
"""
    found = run("-c", code)
    assert found.stdout == "{}\n"
    assert found.stderr == "a banner of a library\na program that was started\n"
    unread = subprocess.run(f"{sys.executable} -m orch --version >&-", shell=True, timeout=60, check=False)
    assert unread.returncode == 0


def test_help_loads_nothing_heavy():
    code = f"""
import sys
from orch.cli import main
for args in (["--help"], ["run", "--help"], ["check", "--help"], ["init", "--help"], ["export", "--help"]):
    try:
        main(args, prog_name="orch")
    except SystemExit as end:
        assert end.code == 0, args
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    found = run("-c", code)
    assert found.stderr == "[]\n"
    for command in (
        "run",
        "demo",
        "emulate",
        "init",
        "check",
        "status",
        "plan",
        "explain",
        "history",
        "export",
        "rollback",
    ):
        assert f"\n  {command} " in found.stdout


def test_every_command_takes_the_same_places(orch):
    from orch.cli.group import COMMANDS

    for name in COMMANDS:
        shown = orch(name, "--help").stdout
        assert all(option in shown for option in ("--config F", "--data-dir D", "--help")), name


def test_version(orch):
    from orch import __version__

    assert orch("--version").stdout == f"orch, version {__version__}\n"


def test_every_fault_of_a_configuration_is_a_line_and_nothing_starts(orch, home):
    (home / "orch.toml").write_text('[orch]\nmood = "auto"\n[web]\nport = "x"\n[cadence]\npoll_s = -1\n')
    for command in (("run",), (), ("check",), ("status",)):
        found = orch(*command)
        assert (found.exit_code, found.stdout) == (2, "")
        lines = found.stderr.splitlines()
        assert len(lines) == 3
        assert all(line.startswith(f"Error: {home / 'orch.toml'}: ") for line in lines)
        assert "orch.mood" in found.stderr


@pytest.mark.parametrize("named", [("--config", "gone.toml"), ()])
def test_a_configuration_that_was_named_must_exist(orch, home, monkeypatch, named):
    monkeypatch.setenv("ORCH_CONFIG", "gone.toml")
    found = orch("status", *named)
    assert found.exit_code == 2
    assert "gone.toml" in found.stderr


def test_the_data_directory_of_the_configuration_is_read_without_its_secrets(orch, home, stopped):
    text = (
        f'[orch]\ndata_dir = "{stopped}"\n[nodes.compute]\nprotocol = "golem"\napp_key = {{ env = "NOT_SET" }}\n'
    )
    (home / "orch.toml").write_text(text)
    assert json.loads(orch("status", "--json").stdout)["schema"] == 1


@pytest.mark.parametrize(
    "args", [("nonsense",), ("run", "--for", "soon"), ("run", "--mode", "bold"), ("--port", "-1")]
)
def test_wrong_usage_is_exit_2(orch, args):
    found = orch(*args)
    assert found.exit_code == 2
    assert "Traceback" not in found.stderr


def test_a_fault_of_ours_is_one_sentence_unless_debugging(orch, stopped, monkeypatch):
    def broken(_):
        raise KeyError("x")

    monkeypatch.setattr("orch.cli.places.data_dir_of", broken)
    found = orch("status")
    assert found.exit_code == 1
    assert found.stderr == (
        "Error: KeyError: 'x' (this is a fault of orch; run the command again with --debug to see where)\n"
    )
    assert isinstance(orch("status", "--debug").exception, KeyError)


@pytest.mark.parametrize(
    "command", [["export", "ledger"], ["status"], ["history", "--json"]], ids=lambda each: each[0]
)
def test_a_closed_pipe_is_no_complaint(stopped, command):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        found = subprocess.run(
            [sys.executable, "-m", "orch", *command, "--data-dir", str(stopped)],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (found.returncode, found.stderr) == (0, "")


def test_emulate_prints_one_document_and_serves_until_stopped(tmp_path):
    from urllib.request import urlopen

    command = [sys.executable, "-m", "orch", "emulate", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        try:
            body = json.JSONDecoder().decode(_document(process.stdout))
            assert body["seed"] == 7
            with urlopen(f"{body['urls']['storj']}/api/sno/", timeout=10) as answer:
                assert answer.headers["X-Orch-Emulated"]
        finally:
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_an_interrupt_ends_emulate_as_quietly(orch, monkeypatch):
    @contextmanager
    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)
        yield {"seed": 7}

    monkeypatch.setattr("orch.boot.serve_emulator", interrupted)
    found = orch("emulate")
    assert (found.exit_code, json.loads(found.stdout), found.stderr) == (0, {"seed": 7}, "")


def _document(stream):
    lines = []
    while not lines or lines[-1] != b"}\n":
        lines.append(stream.readline())
        assert lines[-1]
    return b"".join(lines).decode()
