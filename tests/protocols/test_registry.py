"""Protocols by name."""

from __future__ import annotations

import pytest

from orch.errors import ConfigError
from orch.protocols import registry


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Install a package that offers one entry point among the protocols."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(entry: str) -> None:
        info = tmp_path / "plug-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[orch.protocols]\n{entry}\n")

    return install


def test_the_four_are_there_in_order():
    names = registry.names()
    assert {"golem", "grass", "storj", "streamr"} <= set(names)
    assert list(names) == sorted(names)


@pytest.mark.parametrize("name", ["storj", "grass"])
def test_a_protocol_is_loaded_by_name(name):
    assert registry.load(name).name == name


@pytest.mark.parametrize(("name", "words"), [("stroj", "did you mean 'storj'"), ("x", "known: golem")])
def test_an_unknown_name_gets_the_nearest_or_all(name, words):
    with pytest.raises(ConfigError, match=words):
        registry.load(name)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("made_up = json:dumps", "is not a protocol, it lacks name"),
        ("made_up = orch.protocols.blueprint:PROTOCOL", "calls itself 'blueprint'"),
        ("made_up = no_such_module:X", "cannot be loaded"),
    ],
)
def test_what_is_no_protocol_is_refused(offer, entry, words):
    offer(entry)
    with pytest.raises(ConfigError, match=words):
        registry.load("made_up")


def test_two_protocols_of_one_name_are_refused(offer):
    offer("storj = json:dumps")
    with pytest.raises(ConfigError, match="'storj' is offered twice"):
        registry.names()
