"""A world that outlives the program."""

import shutil
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from orch.emulator import keeper
from orch.emulator.keeper import load_or_create, save
from orch.emulator.world import World
from orch.errors import DataDirError

START = datetime(2026, 11, 22, 14, 3, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory):
    place = tmp_path_factory.mktemp("kept")
    load_or_create(place, 9, START)
    return place


@pytest.fixture
def kept(kept_once, tmp_path):
    """Where a new world was kept a moment ago."""
    return shutil.copytree(kept_once, tmp_path / "kept")


def test_a_new_world_is_kept_at_once_and_found_again(tmp_path):
    first = load_or_create(tmp_path / "world", 9, START)
    again = load_or_create(tmp_path / "world", None, START + timedelta(seconds=30))
    assert again.seed == 9
    assert again.state == first.state


def test_levers_are_kept_before_they_are_acknowledged(kept):
    world = load_or_create(kept, 9, START)
    world.advance(START + timedelta(hours=2))
    world.put_levers("disk", {"storage_gb": 5000.0}, START + timedelta(hours=2, seconds=7))
    world.put_file("presets.json", b"{}", START + timedelta(hours=2, seconds=9))
    again = load_or_create(kept, 9, START)
    assert again.state == world.state
    assert again.lever_log == world.lever_log
    assert again.time == world.time > START


@pytest.mark.slow
def test_weeks_later_it_is_as_if_it_had_never_stopped(tmp_path):
    kept = load_or_create(tmp_path, 9, START)
    kept.put_levers("compute", {"cpu_cores": 10.0, "memory_gb": 20.0}, START + timedelta(minutes=3))
    resumed = load_or_create(tmp_path, 9, START + timedelta(days=45))
    other = World(9, START)
    other.put_levers("compute", {"cpu_cores": 10.0, "memory_gb": 20.0}, START + timedelta(minutes=3))
    other.advance(START + timedelta(days=45))
    assert resumed.state == other.state
    assert resumed.truth() == other.truth()


def test_a_save_replaces_the_file_whole(kept):
    world = load_or_create(kept, 9, START)
    save(kept, world)
    assert [each.name for each in kept.iterdir()] == [keeper.FILE]


def test_another_seed_is_refused(kept):
    with pytest.raises(DataDirError, match="seed 9, not 8"):
        load_or_create(kept, 8, START)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"version": 1, "state": {"seed": 1'])
def test_a_broken_file_is_said_not_overwritten(tmp_path, body):
    (tmp_path / keeper.FILE).write_bytes(body)
    with pytest.raises(DataDirError, match="not a kept world"):
        load_or_create(tmp_path, 9, START)
    assert (tmp_path / keeper.FILE).read_bytes() == body


def test_another_version_is_refused(kept):
    books = msgspec.json.decode((kept / keeper.FILE).read_bytes())
    (kept / keeper.FILE).write_bytes(msgspec.json.encode(books | {"version": 99}))
    with pytest.raises(DataDirError, match="99"):
        load_or_create(kept, 9, START)


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataDirError):
        load_or_create(tmp_path / "taken", 9, START)
