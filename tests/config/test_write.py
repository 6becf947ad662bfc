"""Writing a configuration: what is there stays, byte for byte."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.config.write import Section, Setting, parse, with_sections
from orch.errors import ConfigError

DISK = Section(
    path=("nodes", "disk"),
    above=("Storj",),
    settings=(
        Setting(name="protocol", value="storj"),
        Setting(name="url", value="http://127.0.0.1:14002", comment="the console"),
        Setting(name="min", value={"storage_gb": 500.0}),
        Setting(name="config_path", value="/x", off=True, comment="an example"),
    ),
)
ORCH = Section(path=("orch",), settings=(Setting(name="mode", value="suggest"),))


def test_a_new_file_has_its_heading_its_tables_and_its_comments():
    text = with_sections("", (ORCH, DISK), "orch.toml", ("first line", "second"))
    assert text.startswith("# first line\n# second\n\n[orch]\n")
    assert "# Storj\n[nodes.disk]\n" in text
    assert '# config_path = "/x"  # an example\n' in text
    assert "# the console" in text
    assert tomllib.loads(text) == {
        "orch": {"mode": "suggest"},
        "nodes": {"disk": {"protocol": "storj", "url": "http://127.0.0.1:14002", "min": {"storage_gb": 500.0}}},
    }


@pytest.mark.parametrize(
    "before",
    [
        "# mine\n[orch]\nmode = 'auto'   # odd   spacing\n\n\n",
        "[nodes.compute]\nprotocol = 'golem'\n[nodes.compute.min]\ncpu_cores = 1",
        "[nodes]\n[nodes.compute]\nprotocol = 'golem'\n\n[host]\ncpu_cores = 4\n",
        "[[nodes.compute.levers]]\nkind = 'docker'\n",
        "\r\n[orch]\r\nmode = 'auto'\r\n",
    ],
)
def test_hand_edits_stay_byte_for_byte(before):
    text = with_sections(before, (DISK,), "orch.toml", ("heading",))
    assert text.startswith(before)
    assert "heading" not in text
    was, now = tomllib.loads(before), tomllib.loads(text)
    assert now["nodes"].pop("disk")["protocol"] == "storj"
    assert now == {**was, "nodes": was.get("nodes", {})}


@pytest.mark.parametrize("before", ["nodes = {}\n", "[nodes.disk]\nprotocol = 'storj'\n", "nodes = 3\n"])
def test_what_cannot_be_added_to_is_refused_with_the_way_out(before):
    with pytest.raises(ConfigError, match=r"orch\.toml: \[nodes\.disk\] cannot be added"):
        with_sections(before, (DISK,), "orch.toml")


@pytest.mark.parametrize("said", ["1.0\n[web]\nbind = '0.0.0.0'", "1.0\r\nmode = 1", "a\x00b", "a\u2028[b]"])
def test_nothing_that_a_node_says_gets_out_of_its_comment(said):
    section = Section(path=("nodes", "disk"), above=(f"Found: {said}",), settings=DISK.settings[:1])
    assert tomllib.loads(with_sections("", (section,), "x")) == {"nodes": {"disk": {"protocol": "storj"}}}


def test_a_file_that_is_not_toml_is_said():
    with pytest.raises(ConfigError, match="x: not TOML"):
        parse("[orch", "x")


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_survives_as_a_value(value):
    section = Section(path=("nodes", "disk"), settings=(Setting(name="url", value=value, comment="c"),))
    assert tomllib.loads(with_sections("", (section,), "x"))["nodes"]["disk"]["url"] == value
