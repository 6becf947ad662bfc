"""The control group lever on the kernel of this machine, over a process that wants all it can get."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from workers import busy_process, cores_of

from orch.errors import LeverError
from orch.levers.cgroup import LEVER, CgroupOptions
from orch.model.resources import Resources
from tests.fakes.hands import pull, this_host

pytestmark = pytest.mark.real

ROOT = Path("/sys/fs/cgroup")


def folders(name):
    """Where a group of this name lies: one place in version 2, one per controller in version 1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT / name]
    return [ROOT / "cpu" / name, ROOT / "memory" / name]


@pytest.fixture
def group():
    """A group of our own with nobody in it."""
    if os.geteuid() != 0:
        pytest.skip("control groups are made by root")
    name = f"orch-test-{os.getpid()}"
    places = folders(name)
    if not all(place.parent.is_dir() for place in places):
        pytest.skip("no cpu and memory control groups are mounted here")
    try:
        for place in places:
            place.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error.strerror}")
    yield name, places
    for place in places:
        place.rmdir()


@pytest.fixture
def worker(group):
    """A busy process in that group."""
    name, places = group

    def enter(pid):
        for place in places:
            (place / "cgroup.procs").write_text(str(pid))

    # A limit is measured only where nothing else limits: it comes first to whatever this machine does besides.
    for file, weight in (("cpu.shares", "200000"), ("cpu.weight", "10000")):
        if (places[0] / file).exists():
            (places[0] / file).write_text(weight)
    with busy_process(enter) as process:
        yield CgroupOptions(cgroup=name), process.pid


def test_a_busy_process_gets_what_it_is_given_and_is_freed(worker):
    options, pid = worker
    whole = pull(LEVER.read(options), this_host).allocation
    assert whole.cpu_cores == os.cpu_count()
    for cores in (0.25, 0.5, 0.1):
        pull(LEVER.apply(options, Resources(cpu_cores=cores)), this_host)
        assert pull(LEVER.read(options), this_host).allocation.cpu_cores == cores
        assert cores_of(pid) == pytest.approx(cores, rel=0.1)
    pull(LEVER.apply(options, Resources(cpu_cores=whole.cpu_cores)), this_host)
    assert pull(LEVER.read(options), this_host).allocation.cpu_cores == whole.cpu_cores
    assert cores_of(pid) > 0.55


def test_memory_is_limited_above_what_is_used_and_never_below(worker):
    options, pid = worker
    before = pull(LEVER.read(options), this_host)
    goal = Resources(memory_gb=1.5)
    pull(LEVER.apply(options, goal), this_host)
    assert pull(LEVER.read(options), this_host).allocation.memory_gb == 1.5
    with pytest.raises(LeverError, match="would kill it"):
        pull(LEVER.apply(options, Resources(cpu_cores=0.2, memory_gb=0.05)), this_host)
    after = pull(LEVER.read(options), this_host).allocation
    assert after == Resources(cpu_cores=before.allocation.cpu_cores, memory_gb=1.5)
    pull(LEVER.apply(options, Resources(memory_gb=before.allocation.memory_gb)), this_host)
    assert pull(LEVER.read(options), this_host).allocation == before.allocation
    assert Path(f"/proc/{pid}").exists()


def test_the_process_is_found_by_its_pidfile(worker, tmp_path):
    options, pid = worker
    pull(LEVER.apply(options, Resources(cpu_cores=0.5)), this_host)
    pidfile = tmp_path / "node.pid"
    pidfile.write_text(f"{pid}\n")
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    by_number = CgroupOptions(pidfile=str(pidfile), program=name)
    assert pull(LEVER.read(by_number), this_host).allocation.cpu_cores == 0.5
    with pytest.raises(LeverError, match="nothing was touched"):
        pull(LEVER.read(CgroupOptions(pidfile=str(pidfile), program="storagenode")), this_host)


def test_a_group_that_is_gone_is_named():
    with pytest.raises(LeverError, match="does not exist"):
        pull(LEVER.read(CgroupOptions(cgroup="orch-test-never-made")), this_host)
