"""What the README says is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click

from orch.cli import main
from orch.cli.init import command as init
from orch.config.load import from_tables
from orch.config.write import with_sections
from orch.discovery.draft import HEADING, HostFacts, draft
from orch.discovery.judge import propose
from orch.discovery.knock import Opened
from orch.discovery.proposal import Given
from orch.model.entrypoints import load_group
from orch.model.resources import Resources
from orch.system.surroundings import FileSeen, ProcessSeen, Surroundings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_two_commands_come_first_each_on_a_line_of_its_own():
    first, second = (block.strip() for block in blocks("sh")[:2])
    assert first == "pip install . && python -m orch"
    assert second == "pip install '.[test]' && python -m pytest"


def test_its_configuration_is_one(tmp_path):
    table, *_ = blocks("toml")
    config = from_tables(tomllib.loads(table), {"YAGNA_APPKEY": "key", "GRASS_TOKEN": "token"}, tmp_path)
    assert [node.protocol for node in config.nodes] == ["storj", "golem", "streamr", "grass"]
    assert config.mode == "suggest"


def test_its_costs_and_prices_are_understood(tmp_path):
    _, table, *_ = blocks("toml")
    config = from_tables(tomllib.loads(table), {}, tmp_path)
    assert (config.costs.tariff.currency, config.costs.watts.source) == ("EUR", "rapl")
    assert config.prices.display == "EUR"
    assert [each.code for each in config.findings] == ["no_nodes"]


def test_its_rules_and_channels_are_understood(tmp_path):
    (table,) = (block for block in blocks("toml") if "[notify]" in block)
    (tmp_path / "phone.url").write_text("json://127.0.0.1/x")
    (tmp_path / "phone.url").chmod(0o600)
    alerting = from_tables(tomllib.loads(table), {"NTFY_URL": "ntfy://x/y"}, tmp_path).alerting
    assert [(each.name, each.min_severity) for each in alerting.terms.channels] == [
        ("ntfy-1", "info"),
        ("phone", "page"),
    ]
    assert [each.name for each in alerting.rules] == ["disk_nearly_full"]
    assert alerting.timing["node_lost"].for_s == 300.0


def test_its_levers_are_those_installed_and_its_lever_is_one(tmp_path):
    nodes, _, lever, *_ = blocks("toml")
    tables = tomllib.loads(nodes)
    tables["nodes"]["disk"] |= tomllib.loads(lever)["nodes"]["disk"]
    disk = from_tables(tables, {}, tmp_path).nodes[0]
    (made,) = disk.levers
    assert (made.kind, made.mode, made.options.url) == ("storj_config", "suggest", disk.options.url)
    section = README.partition("## Levers")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", section, re.MULTILINE))
    assert told == set(load_group("orch.levers")) - {"emulated"}


def test_its_limits_are_understood(tmp_path):
    (table,) = (each for each in blocks("toml") if each.startswith("[limits]"))
    limits = from_tables(tomllib.loads(table), {}, tmp_path).limits
    assert (limits.zone, limits.windows[0].days) == ("Europe/Prague", ("sat", "sun"))


def test_its_configuration_is_what_init_writes():
    seen = Surroundings(
        processes=tuple(
            ProcessSeen(program=program, pid=pid)
            for program, pid in (("storagenode", 812), ("ya-provider", 934), ("grass", 1207))
        ),
        files=(FileSeen(path="/home/you/.local/share/ya-provider/hardware.json", text="{}"),),
    )
    opened = (
        Opened(
            network="storj",
            url="http://127.0.0.1:14002",
            why="port 14002",
            version="1.162.3",
            allocated_gb=6000.0,
        ),
        Opened(network="golem", url="http://127.0.0.1:7465", why="port 7465", version="0.17.6"),
    )
    given = Given(operator=f"0x{'0' * 40}", rpc_url="https://polygon.example/rpc")
    facts = HostFacts(measured=Resources(cpu_cores=16.0, memory_gb=64.0, storage_gb=8000.0))
    made = draft(propose(seen, opened, given), {}, facts)
    assert blocks("toml")[:1] == [with_sections("", made.sections, "orch.toml", HEADING)]


def test_every_option_it_names_of_init_exists():
    known = {option for each in init.params for option in each.opts}
    named = set(re.findall(r"`(--[a-z-]+)`", README.partition("## With your own")[2].partition("Then:")[0]))
    assert {"--operator", "--rpc-url", "--grass-url"} <= named <= known


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


def test_its_own_rule_is_one(tmp_path):
    rule, _ = blocks("python")
    (tmp_path / "my_rule.py").write_text(rule)
    config = from_tables({"optimizer": {"strategy": "./my_rule.py"}}, {}, tmp_path)
    assert config.optimizer.strategy == "my_rule"
