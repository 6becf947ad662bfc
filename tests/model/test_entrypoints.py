"""Plug-ins are found by name, imported late, and two of one name are refused."""

from __future__ import annotations

import sys

import pytest

from orch.errors import ConfigError
from orch.model.entrypoints import load_group


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, entries: str) -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entries)

    return install


def test_objects_are_found_by_name_and_imported_only_when_asked_for(package, tmp_path, monkeypatch):
    (tmp_path / "made_up_plug.py").write_text("THING = {'a': 1}\n")
    package("plug", "[orch.made_up]\nb = made_up_plug:THING\na = nowhere_at_all:X\n")
    loaders = load_group("orch.made_up")
    assert list(loaders) == ["a", "b"]
    assert "made_up_plug" not in sys.modules
    assert loaders["b"]() == {"a": 1}
    monkeypatch.delitem(sys.modules, "made_up_plug")
    with pytest.raises(ConfigError, match=r"'a' of plug \(nowhere_at_all:X\) cannot be loaded"):
        loaders["a"]()


def test_an_empty_group_is_empty():
    assert load_group("orch.no_such_group") == {}


def test_two_objects_of_one_name_are_refused(package):
    package("one", "[orch.made_up]\nx = one:X\n")
    package("two", "[orch.made_up]\nx = two:X\n")
    with pytest.raises(ConfigError, match=r"'x' is offered twice, by one \(one:X\) and by two \(two:X\)"):
        load_group("orch.made_up")


def test_the_same_object_offered_twice_is_one(package):
    package("one", "[orch.made_up]\nx = json:dumps\n")
    package("two", "[orch.made_up]\nx = json:dumps\n")
    assert list(load_group("orch.made_up")) == ["x"]
