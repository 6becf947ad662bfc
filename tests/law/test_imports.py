"""The import law of setup.cfg holds, and no room escapes it."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def law() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def named(text: str) -> set[str]:
    return {name.strip() for name in text.replace("|", "\n").split("\n") if name.strip()}


def test_every_contract_is_kept():
    command = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_stands_in_the_layers():
    layers = named(law()["importlinter:contract:rooms"]["layers"])
    rooms = {
        f"orch.{path.stem}"
        for path in (ROOT / "orch").iterdir()
        if (path.is_dir() and (path / "__init__.py").exists()) or path.suffix == ".py"
    } - {"orch.__init__"}
    assert rooms <= layers, f"rooms outside the law: {sorted(rooms - layers)}"


def test_every_actor_and_every_network_stands_in_its_contract():
    runtime = {"__init__", "address", "base", "mailbox", "stage", "stage_transport", "supervisor", "timers"}
    runtime |= {"virtual_time"}
    actors = {f"actors.{path.stem}" for path in (ROOT / "actors").glob("*.py") if path.stem not in runtime}
    assert actors == named(law()["importlinter:contract:actors"]["modules"])
    protocols = named(law()["importlinter:contract:protocols"]["modules"])
    assert {f"orch.protocols.{name}" for name in ("storj", "golem", "streamr", "grass")} == protocols


def test_only_actors_import_pykka():
    guilty = [
        path
        for path in (ROOT / "orch").rglob("*.py")
        if "import pykka" in path.read_text() or "from pykka" in path.read_text()
    ]
    assert guilty == []
