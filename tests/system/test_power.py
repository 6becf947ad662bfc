"""Energy counters and the local time zone, from files as the kernel has them."""

from __future__ import annotations

import pytest

from orch.system.cache import FileCache
from orch.system.power import rapl_counters
from orch.system.zones import local_zone


def domain(root, name, kind, largest="262143328850"):
    (root / name).mkdir()
    (root / name / "name").write_text(f"{kind}\n")
    (root / name / "max_energy_range_uj").write_text(f"{largest}\n")
    return str(root / name / "energy_uj"), int(largest)


def test_packages_with_their_memory_each_once(tmp_path):
    package = domain(tmp_path, "intel-rapl:0", "package-0")
    domain(tmp_path, "intel-rapl:0:0", "core")
    memory = domain(tmp_path, "intel-rapl:0:1", "dram")
    other = domain(tmp_path, "intel-rapl:1", "package-1")
    assert set(rapl_counters(tmp_path)) == {package, memory, other}


def test_the_whole_platform_where_it_is_counted(tmp_path):
    domain(tmp_path, "intel-rapl:0", "package-0")
    whole = domain(tmp_path, "intel-rapl:1", "psys")
    assert rapl_counters(tmp_path) == (whole,)


def test_a_machine_without_counters(tmp_path):
    assert rapl_counters(tmp_path) == ()
    assert rapl_counters(tmp_path / "none") == ()


def test_the_zone_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.delenv("TZ", raising=False)
    zones = tmp_path / "zoneinfo" / "Europe"
    zones.mkdir(parents=True)
    (zones / "Prague").touch()
    link = tmp_path / "localtime"
    link.symlink_to(zones / "Prague")
    assert local_zone(link) == "Europe/Prague"
    assert local_zone(tmp_path / "none") == "UTC"
    monkeypatch.setenv("TZ", ":America/New_York")
    assert local_zone(link) == "America/New_York"


def test_what_is_kept_is_there_again_and_a_disk_that_refuses_is_told_once(tmp_path, caplog):
    cache = FileCache(tmp_path / "prices.json")
    assert cache.load() is None
    cache.save(b"one")
    cache.save(b"two")
    assert cache.load() == b"two"
    assert (tmp_path / "prices.json").stat().st_mode & 0o777 == 0o600
    lost = FileCache(tmp_path / "none" / "prices.json")
    for _ in range(3):
        lost.save(b"x")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("size", [4_000_001])
def test_a_file_too_large_is_not_ours(tmp_path, size):
    (tmp_path / "c").write_bytes(b"x" * size)
    assert FileCache(tmp_path / "c").load() is None
