"""The systemd lever over a genuine message bus; the manager on it is a stand-in, for the real one is process 1."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orch.errors import LeverError
from orch.levers.systemd import LEVER, SystemdOptions
from orch.model.resources import Resources
from tests.fakes.hands import pull, this_host

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    """The address of a bus with the stand-in on it."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed (apt install dbus-daemon)")
    from systemd_standin import start_bus

    daemon, address = start_bus(tmp_path_factory.mktemp("bus"))
    command = [sys.executable, str(Path(__file__).with_name("systemd_standin.py")), address]
    manager = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert manager.stdout.readline() == "ready\n"
        yield address
    finally:
        for process in (manager, daemon):
            process.kill()
            process.wait(10)
            process.stdout.close()


def test_limits_are_set_read_back_and_taken_away(bus):
    options = SystemdOptions(unit="storagenode.service", socket=bus)
    before = pull(LEVER.read(options), this_host)
    assert before.allocation.cpu_cores == os.cpu_count()
    assert before.used == Resources(memory_gb=0.5)
    goal = Resources(cpu_cores=0.5, memory_gb=2.0)
    pull(LEVER.apply(options, goal), this_host)
    assert pull(LEVER.read(options), this_host).allocation == goal
    pull(LEVER.apply(options, before.allocation), this_host)
    assert pull(LEVER.read(options), this_host).allocation == before.allocation


def test_memory_in_use_is_never_cut(bus):
    options = SystemdOptions(unit="storagenode.service", socket=bus)
    with pytest.raises(LeverError, match=r"uses 0\.500 GB: a limit of 0\.4 GB would kill it"):
        pull(LEVER.apply(options, Resources(cpu_cores=0.5, memory_gb=0.4)), this_host)
    assert pull(LEVER.read(options), this_host).allocation.cpu_cores == os.cpu_count()


def test_what_is_not_there_is_named(bus):
    with pytest.raises(LeverError, match=r"systemd refused gone\.service: Unit gone\.service not found"):
        pull(LEVER.read(SystemdOptions(unit="gone.service", socket=bus)), this_host)
    with pytest.raises(LeverError, match="no system bus answers"):
        pull(LEVER.read(SystemdOptions(unit="gone.service", socket="unix:path=/nowhere")), this_host)


def test_options_that_cannot_be_meant():
    for unit in ("storagenode", "a b.service", "storagenode.mount"):
        with pytest.raises(ValueError, match="whole name of a unit"):
            SystemdOptions(unit=unit)


def test_what_would_be_done_is_said():
    said = LEVER.describe(SystemdOptions(unit="a.service"), Resources(cpu_cores=0.5))
    assert said == "systemctl set-property --runtime a.service CPUQuota=50%"
