"""The Docker lever on a genuine engine, over containers that want all they can get."""

from __future__ import annotations

import os

import pytest
from dockerd import busy_container
from workers import cores_of

from orch.errors import LeverError
from orch.levers.docker import LEVER, DockerOptions
from orch.model.resources import Resources
from tests.fakes.hands import pull, this_host

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    "limits",
    [{}, {"nano_cpus": 1_000_000_000}, {"cpu_quota": 80_000, "cpu_period": 100_000}],
    ids=["unlimited", "made with --cpus", "made with a quota"],
)
def test_a_busy_container_gets_what_it_is_given_and_is_freed(docker_engine, limits):
    client, socket = docker_engine
    with busy_container(client, **limits) as container:
        options = DockerOptions(container=container.name, socket=socket)
        before = pull(LEVER.read(options), this_host).allocation
        assert before.cpu_cores == {"nano_cpus": 1.0, "cpu_quota": 0.8}.get(next(iter(limits), ""), os.cpu_count())
        pid = container.attrs["State"]["Pid"]
        for cores in (0.25, 0.5):
            pull(LEVER.apply(options, Resources(cpu_cores=cores)), this_host)
            assert pull(LEVER.read(options), this_host).allocation.cpu_cores == cores
            assert cores_of(pid) == pytest.approx(cores, rel=0.1)
        pull(LEVER.apply(options, Resources(cpu_cores=before.cpu_cores)), this_host)
        assert pull(LEVER.read(options), this_host).allocation == before
        assert cores_of(pid) > 0.55


def test_memory_is_limited_and_given_back(docker_engine):
    client, socket = docker_engine
    with busy_container(client) as container:
        options = DockerOptions(container=container.name, socket=socket)
        before = pull(LEVER.read(options), this_host).allocation
        pull(LEVER.apply(options, Resources(memory_gb=0.5)), this_host)
        assert pull(LEVER.read(options), this_host).allocation.memory_gb == 0.5
        pull(LEVER.apply(options, Resources(memory_gb=before.memory_gb)), this_host)
        assert pull(LEVER.read(options), this_host).allocation == before


def test_memory_in_use_is_never_cut(docker_engine):
    client, socket = docker_engine
    with busy_container(client, held_bytes=60_000_000) as container:
        options = DockerOptions(container=container.name, socket=socket)
        for _ in range(200):
            found = pull(LEVER.read(options), this_host)
            if found.used.memory_gb > 0.05:
                break
        with pytest.raises(LeverError, match=r"uses 0\.\d+ GB: a limit of 0\.04 GB would kill it"):
            pull(LEVER.apply(options, Resources(cpu_cores=0.5, memory_gb=0.04)), this_host)
        assert pull(LEVER.read(options), this_host).allocation == found.allocation


def test_a_container_is_stopped_and_started_and_keeps_its_limits(docker_engine):
    client, socket = docker_engine
    with busy_container(client, nano_cpus=500_000_000) as container:
        options = DockerOptions(container=container.name, socket=socket, switch=True, stop_timeout_s=1)
        before = pull(LEVER.read(options), this_host).allocation
        assert before.cpu_cores == 0.5
        pull(LEVER.apply(options, Resources(cpu_cores=0.0, memory_gb=0.0)), this_host)
        assert pull(LEVER.read(options), this_host).allocation == Resources(cpu_cores=0.0, memory_gb=0.0)
        container.reload()
        assert container.status == "exited"
        pull(LEVER.apply(options, Resources(cpu_cores=0.0)), this_host)
        pull(LEVER.apply(options, Resources(cpu_cores=0.25, memory_gb=0.5)), this_host)
        container.reload()
        assert container.status == "running"
        assert pull(LEVER.read(options), this_host).allocation == Resources(cpu_cores=0.25, memory_gb=0.5)
        assert cores_of(container.attrs["State"]["Pid"]) == pytest.approx(0.25, rel=0.1)
        pull(LEVER.apply(options, before), this_host)
        assert pull(LEVER.read(options), this_host).allocation == before


def test_a_container_made_anew_under_its_name_is_the_one_that_is_limited(docker_engine):
    client, socket = docker_engine
    options = DockerOptions(container="orch-twin", socket=socket)
    with busy_container(client, name="orch-twin"):
        pull(LEVER.apply(options, Resources(cpu_cores=0.5)), this_host)
    with busy_container(client, name="orch-twin"):
        assert pull(LEVER.read(options), this_host).allocation.cpu_cores == os.cpu_count()
        pull(LEVER.apply(options, Resources(cpu_cores=0.25)), this_host)
        assert pull(LEVER.read(options), this_host).allocation.cpu_cores == 0.25


def test_what_is_not_there_is_named(docker_engine):
    client, socket = docker_engine
    with pytest.raises(LeverError, match="Docker has no container nobody"):
        pull(LEVER.read(DockerOptions(container="nobody", socket=socket)), this_host)
    with pytest.raises(LeverError, match=r"no Docker engine listens at /nowhere\.sock"):
        pull(LEVER.read(DockerOptions(container="nobody", socket="unix:///nowhere.sock")), this_host)
    with busy_container(client, name="orch-still") as container:
        container.stop(timeout=0)
        with pytest.raises(LeverError, match="does not run"):
            pull(
                LEVER.apply(DockerOptions(container="orch-still", socket=socket), Resources(cpu_cores=1)),
                this_host,
            )
