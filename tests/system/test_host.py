import os
from types import SimpleNamespace
from unittest.mock import patch

import psutil
import pytest

from orch.system.host import ProcessUsage, PsutilHost, measure_capacity


def machine(root, groups, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, content in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.fixture(autouse=True)
def eight_cores():
    with patch("os.sched_getaffinity", return_value=set(range(8))):
        yield


@pytest.mark.parametrize(
    ("groups", "files", "cores", "memory"),
    [
        ("0::/\n", {}, 8.0, None),
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000\n", "a/b/memory.max": "max\n"}, 1.5, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n"}, 0.5, None),
        ("0::/a\n", {"a/memory.max": "100000000\n", "memory.max": "max"}, 8.0, 0.1),
        ("0::/host/path\n", {"cpu.max": "200000 100000\n"}, 2.0, None),
        ("0::/../../x\n", {"cpu.max": "200000 100000\n"}, 2.0, None),
        ("3:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, 8.0, None),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "250000", "cpu/x/cpu.cfs_period_us": "100000"}, 2.5, None),
        ("2:memory:/x\n", {"memory/x/memory.limit_in_bytes": "200000000"}, 8.0, 0.2),
        ("2:memory:/x\n", {"memory/x/memory.limit_in_bytes": "9223372036854771712"}, 8.0, None),
        ("nonsense\n:::\n", {"cpu.max": "what ever"}, 8.0, None),
    ],
)
def test_capacity_respects_the_cgroups(tmp_path, groups, files, cores, memory):
    found = measure_capacity(tmp_path, root=machine(tmp_path, groups, files))
    assert found.cpu_cores == cores
    assert found.memory_gb == pytest.approx(memory or psutil.virtual_memory().total / 1e9)
    assert found.bandwidth_mbps is None


def test_capacity_without_cgroups(tmp_path):
    found = measure_capacity(tmp_path / "not/made/yet", root=tmp_path)
    assert found.cpu_cores == 8.0
    assert found.storage_gb == pytest.approx(psutil.disk_usage(str(tmp_path)).total / 1e9)


class Figures:
    """psutil's figures, set by hand."""

    def __init__(self, monkeypatch):
        self.seconds = 0.0
        self.busy = 50.0
        self.nics = {"lo": 1000, "eth-test": 500}
        monkeypatch.setattr(psutil, "cpu_times", self.cpu_times)
        monkeypatch.setattr(psutil, "net_io_counters", self.net)

    def cpu_times(self):
        times = {"user": self.busy, "system": 1.0, "idle": self.seconds * 8, "iowait": 3.0}
        return psutil._ntuples.scputimes(**dict.fromkeys(psutil._ntuples.scputimes._fields, 0.0) | times)

    def net(self, pernic):
        return {name: SimpleNamespace(bytes_sent=count, bytes_recv=count) for name, count in self.nics.items()}

    def monotonic(self):
        return self.seconds


@pytest.fixture
def figures(monkeypatch):
    return Figures(monkeypatch)


def test_use_is_a_mean_since_the_last_look(figures, tmp_path):
    host = PsutilHost(tmp_path, figures.monotonic)
    assert host.used().cpu_cores is None
    figures.seconds, figures.busy, figures.nics = 10.0, 65.0, {"lo": 9_999_999, "eth-test": 500 + 625_000}
    used = host.used()
    assert used.cpu_cores == pytest.approx(1.5)
    assert used.bandwidth_mbps == pytest.approx(1.0)
    assert 0 < used.memory_gb < psutil.virtual_memory().total / 1e9
    assert used.storage_gb == pytest.approx(psutil.disk_usage(str(tmp_path)).used / 1e9, rel=0.01)
    figures.seconds = 10.01
    assert host.used().cpu_cores == pytest.approx(1.5), "two looks at once say nothing new"
    figures.seconds, figures.nics = 20.0, {"eth-test": 5, "eth-new": 999_999_999}
    used = host.used()
    assert (used.cpu_cores, used.bandwidth_mbps) == (0.0, 0.0)


def test_the_real_machine(tmp_path):
    used = PsutilHost(tmp_path).used()
    assert used.memory_gb > 0
    assert used.storage_gb > 0


class Process:
    """A process as psutil shows it."""

    def __init__(self, pid, ppid=1, name="x", cpu=0.0, rss=1_000_000):
        self.pid, self.cpu, self.rss = pid, cpu, rss
        self.info = {"ppid": ppid, "name": name}
        self.gone = False

    def is_running(self):
        return not self.gone

    def oneshot(self):
        if self.gone:
            raise psutil.NoSuchProcess(self.pid)
        return patch.object(self, "x", None, create=True)

    def cpu_times(self):
        return SimpleNamespace(user=self.cpu, system=0.0)

    def memory_info(self):
        return SimpleNamespace(rss=self.rss)


def test_processes_of_a_name_with_their_children(monkeypatch):
    table = [
        Process(1, 0, "init", cpu=1e6),
        Process(10, 1, "node", cpu=100.0),
        Process(11, 10, "helper", cpu=5.0),
        Process(12, 11, "node", cpu=1.0),
        Process(20, 1, "other", cpu=7.0),
    ]
    monkeypatch.setattr(psutil, "process_iter", lambda _: iter(table))
    now = [0.0]
    usage = ProcessUsage("node", lambda: now[0])
    first = usage.used()
    assert (first.cpu_cores, first.memory_gb) == (None, pytest.approx(0.003))
    now[0] = 10.0
    table[1].cpu += 20.0
    table[2].cpu += 5.0
    table[4].cpu += 50.0
    assert usage.used().cpu_cores == pytest.approx(2.5)
    table[2].gone = True
    table[:] = [each for each in table if not each.gone] + [Process(13, 10, "helper", cpu=400.0)]
    now[0] = 20.0
    used = usage.used()
    assert (used.cpu_cores, used.memory_gb) == (0.0, pytest.approx(0.003))
    for each in table:
        each.gone = each.info["name"] in ("node", "helper")
    table[:] = [each for each in table if not each.gone]
    assert usage.used().memory_gb is None


def test_a_process_by_number_and_by_file(tmp_path):
    file = tmp_path / "node.pid"
    assert ProcessUsage(file).used().memory_gb is None
    file.write_text(f"{os.getpid()}\n")
    for target in (file, os.getpid()):
        assert 0.005 < ProcessUsage(target).used().memory_gb < 4
    file.write_text("what")
    assert ProcessUsage(file).used().memory_gb is None
    assert ProcessUsage("no such process name").used().memory_gb is None
