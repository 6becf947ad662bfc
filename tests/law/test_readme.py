"""What the README says is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click

from orch.cli import main
from orch.config.load import from_tables

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_two_commands_come_first_each_on_a_line_of_its_own():
    first, second = (block.strip() for block in blocks("sh")[:2])
    assert first == "pip install . && python -m orch"
    assert second == "pip install '.[test]' && python -m pytest"


def test_its_configuration_is_one(tmp_path):
    (tmp_path / "grass.token").write_text("token")
    (table,) = blocks("toml")
    config = from_tables(tomllib.loads(table), {"YAGNA_APPKEY": "key"}, tmp_path)
    assert [node.protocol for node in config.nodes] == ["storj", "golem", "streamr", "grass"]


def test_every_command_it_names_exists():
    named = set(re.findall(r"^python -m orch (\w+)", README, flags=re.MULTILINE))
    known = set(main.list_commands(click.Context(main)))
    assert named
    assert named <= known


def test_every_room_is_on_its_map():
    rooms = {f"orch/{path.name}" for path in (ROOT / "orch").iterdir() if (path / "__init__.py").exists()}
    rooms = {room for room in rooms if any(path.name != "__init__.py" for path in (ROOT / room).glob("*.py"))}
    mapped = set(re.findall(r"`(orch/\w+)", README))
    assert rooms <= mapped, f"not on the map: {sorted(rooms - mapped)}"
