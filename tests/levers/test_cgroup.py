"""The lever of control groups on a paper kernel of either version."""

import pytest

from orch.errors import LeverError
from orch.levers.cgroup import LEVER, CgroupOptions
from orch.model.resources import Resources
from tests.fakes.hands import PaperHost, bad, good, pull

ROOT = "/sys/fs/cgroup"
PLACE = "nodes/disk"
OPTIONS = CgroupOptions(cgroup=PLACE)


def first_version(quota="-1", period="100000", limit="9223372036854771712", used="500000000", place=PLACE):
    return {
        f"{ROOT}/cpu/{place}/cgroup.procs": b"7\n",
        f"{ROOT}/cpu/{place}/cpu.cfs_quota_us": f"{quota}\n".encode(),
        f"{ROOT}/cpu/{place}/cpu.cfs_period_us": f"{period}\n".encode(),
        f"{ROOT}/memory/{place}/memory.limit_in_bytes": f"{limit}\n".encode(),
        f"{ROOT}/memory/{place}/memory.soft_limit_in_bytes": f"{limit}\n".encode(),
        f"{ROOT}/memory/{place}/memory.usage_in_bytes": f"{used}\n".encode(),
    }


def second_version(cpu="max 100000", limit="max", used="500000000", place=PLACE):
    return {
        f"{ROOT}/cgroup.controllers": b"cpu memory\n",
        f"{ROOT}/{place}/cgroup.procs": b"7\n",
        f"{ROOT}/{place}/cpu.max": f"{cpu}\n".encode(),
        f"{ROOT}/{place}/memory.max": f"{limit}\n".encode(),
        f"{ROOT}/{place}/memory.high": f"{limit}\n".encode(),
        f"{ROOT}/{place}/memory.current": f"{used}\n".encode(),
    }


def read(files, options=OPTIONS):
    return pull(LEVER.read(options), PaperHost(files))


@pytest.mark.parametrize("files", [first_version(), second_version()], ids=["v1", "v2"])
def test_without_a_limit_a_group_has_the_whole_machine(files):
    assert read(files).allocation == Resources(cpu_cores=4.0, memory_gb=16.0)


@pytest.mark.parametrize(
    "files",
    [
        first_version(quota="25000", limit="2000003072"),
        first_version(quota="12500", period="50000", limit="2000003072"),
        second_version(cpu="25000 100000", limit="2000003072"),
    ],
    ids=["v1", "v1 with another period", "v2"],
)
def test_limits_are_read_from_the_kernel(files):
    found = read(files)
    assert found.allocation == Resources(cpu_cores=0.25, memory_gb=2.0)
    assert found.used == Resources(memory_gb=0.5)


@pytest.mark.parametrize(
    ("files", "done"),
    [
        (
            first_version(),
            [
                "memory.soft_limit_in_bytes = 2000000000",
                "memory.limit_in_bytes = 2000000000",
                "cpu.cfs_quota_us = 150000",
            ],
        ),
        (
            first_version(quota="5000", period="50000"),
            [
                "memory.soft_limit_in_bytes = 2000000000",
                "memory.limit_in_bytes = 2000000000",
                "cpu.cfs_quota_us = -1",
                "cpu.cfs_period_us = 100000",
                "cpu.cfs_quota_us = 150000",
            ],
        ),
        (
            second_version(),
            ["memory.high = 2000000000", "memory.max = 2000000000", "cpu.max = 150000 100000"],
        ),
    ],
    ids=["v1", "v1 with another period", "v2"],
)
def test_soft_limits_come_before_hard_ones_and_are_read_back(files, done):
    host = PaperHost(files)
    goal = Resources(cpu_cores=1.5, memory_gb=2.0)
    pull(LEVER.apply(OPTIONS, goal), host)
    assert host.done == done
    assert pull(LEVER.read(OPTIONS), host).allocation == goal


@pytest.mark.parametrize(
    "files",
    [first_version(quota="25000", limit="2000000000"), second_version("25000 100000", "2000000000")],
    ids=["v1", "v2"],
)
def test_the_whole_machine_takes_the_limit_away(files):
    host = PaperHost(files)
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=4.0, memory_gb=16.0)), host)
    assert {line.split(" = ")[1] for line in host.done} <= {"-1", "max", "max 100000"}
    assert pull(LEVER.read(OPTIONS), host).allocation == Resources(cpu_cores=4.0, memory_gb=16.0)


@pytest.mark.parametrize("files", [first_version(), second_version()], ids=["v1", "v2"])
def test_memory_in_use_is_never_cut_and_nothing_is_changed_by_halves(files):
    host = PaperHost(files)
    with pytest.raises(LeverError, match=r"uses 0.500 GB: a limit of 0.51 GB would kill it"):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=1.0, memory_gb=0.51)), host)
    assert host.done == []


@pytest.mark.parametrize("version", [first_version, second_version], ids=["v1", "v2"])
def test_cached_files_do_not_count_as_used(version):
    key = "total_inactive_file" if version is first_version else "inactive_file"
    folder = "memory/" if version is first_version else ""
    files = {**version(), f"{ROOT}/{folder}{PLACE}/memory.stat": f"anon 1\n{key} 400000000\n".encode()}
    assert read(files).used == Resources(memory_gb=0.1)
    host = PaperHost(files)
    pull(LEVER.apply(OPTIONS, Resources(memory_gb=0.2)), host)
    assert pull(LEVER.read(OPTIONS), host).allocation.memory_gb == 0.2


def test_what_the_soft_limit_does_not_free_keeps_the_hard_one_away():
    """The group grows while it is pressed: the soft limit is put back, and the hard one is not touched."""
    high, current = f"{ROOT}/{PLACE}/memory.high", f"{ROOT}/{PLACE}/memory.current"

    def grow(order):
        host.files[current] = (
            b"1900000000\n" if order.path == high and b"max" not in order.body else b"500000000\n"
        )

    host = PaperHost(second_version(), on_write=grow)
    with pytest.raises(LeverError, match=r"uses 1\.900 GB: a limit of 1\.5 GB would kill it"):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=1.0, memory_gb=1.5)), host)
    assert host.done == ["memory.high = 1500000000", "memory.high = max"]


def test_a_unit_is_found_below_the_system_slice_and_missed_when_gone():
    options = CgroupOptions(unit="storagenode")
    files = second_version(cpu="50000 100000", place="system.slice/storagenode.service")
    assert read(files, options).allocation.cpu_cores == 0.5
    with pytest.raises(LeverError, match=r"storagenode.service has no control group"):
        read(second_version(), options)


def process(name="storagenode", places="0::/nodes/disk"):
    return {
        "/run/node.pid": b"4711\n",
        "/proc/4711/comm": f"{name}\n".encode(),
        "/proc/4711/cgroup": f"{places}\n".encode(),
    }


def test_a_process_is_found_by_its_number_and_known_by_its_name():
    options = CgroupOptions(pidfile="/run/node.pid", program="storagenode")
    assert read({**second_version(cpu="50000 100000"), **process()}, options).allocation.cpu_cores == 0.5
    both = "4:memory:/nodes/disk\n1:cpu,cpuacct:/nodes/disk\n0::/"
    assert read({**first_version(quota="50000"), **process(places=both)}, options).allocation.cpu_cores == 0.5
    with pytest.raises(LeverError, match="is nginx, not storagenode: nothing was touched"):
        read({**second_version(), **process(name="nginx")}, options)
    with pytest.raises(LeverError, match="does not run any more"):
        read({**second_version(), "/run/node.pid": b"4711"}, options)
    with pytest.raises(LeverError, match="does not hold a process number"):
        read({**second_version(), "/run/node.pid": b"-1"}, options)
    with pytest.raises(LeverError, match="root group"):
        read({**second_version(), **process(places="0::/")}, options)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({}, "needs one of cgroup, unit and pidfile"),
        ({"cgroup": "../../etc"}, "below the root"),
        ({"cgroup": "/"}, "below the root"),
        ({"pidfile": "/run/a.pid"}, "needs program"),
    ],
    ids=str,
)
def test_options_that_cannot_be_meant(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        CgroupOptions(**wrong)


def test_a_kernel_that_refuses_is_quoted():
    host = PaperHost(
        second_version(), on_write=lambda order: bad("failed", f"{order.path} cannot be written (EINVAL)")
    )
    with pytest.raises(LeverError, match=r"cpu.max cannot be written \(EINVAL\)"):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=1.0)), host)


def test_what_would_be_done_is_said():
    said = LEVER.describe(OPTIONS, Resources(cpu_cores=1.5, memory_gb=2.0))
    assert said == "limit the control group of nodes/disk to 1.5 cores of processor time and 2 GB of memory"


@pytest.mark.parametrize(
    ("files", "soft"),
    [(first_version(), "memory.soft_limit_in_bytes"), (second_version(), "memory.high")],
    ids=["v1", "v2"],
)
def test_a_soft_limit_that_says_yes_and_stays_is_noticed_before_the_hard_one(files, soft):
    host = PaperHost(files, on_write=lambda order: good() if order.path.endswith(soft) else None)
    with pytest.raises(LeverError, match=rf"{soft} did not take 2000000000"):
        pull(LEVER.apply(OPTIONS, Resources(memory_gb=2.0)), host)
    assert host.files == PaperHost(files).files
