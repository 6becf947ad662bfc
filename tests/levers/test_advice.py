"""What a person is told to run: by the levers there are, and by hand where there are none."""

import pytest

from orch.levers.advice import advise, by_hand
from orch.levers.cgroup import LEVER as CGROUP
from orch.levers.docker import LEVER as DOCKER
from orch.levers.together import FittedLever
from orch.model.resources import Resources


def fitted(spec, mode, **options):
    return FittedLever(spec=spec, options=spec.options(**options), mode=mode, protocol="storj")


@pytest.mark.parametrize(
    ("protocol", "options", "wanted", "lines"),
    [
        (
            "golem",
            {"provider_dir": "/data/ya"},
            {"cpu_cores": 6.0, "memory_gb": 8.589934592},
            ["DATA_DIR=/data/ya ya-provider profile update --name default --cpu-threads 6 --mem-gib 8.0000"],
        ),
        (
            "golem",
            {},
            {"storage_gb": 107.3741824},
            ["ya-provider profile update --name default --storage-gib 100.0000"],
        ),
        (
            "storj",
            {"config_path": "/storj/config.yaml"},
            {"storage_gb": 5700.0},
            ["set `storage.allocated-disk-space: 5700 GB` in /storj/config.yaml, then", '-e STORAGE="5700GB"'],
        ),
        ("storj", {}, {"storage_gb": 550.5}, ["storage.allocated-disk-space: 550.5 GB"]),
        (
            "streamr",
            {},
            {"cpu_cores": 0.5, "memory_gb": 1.5},
            [
                "docker update --cpus 0.5 --memory 1500000000b --memory-swap 1500000000b",
                "systemctl set-property <its unit> CPUQuota=50% MemoryHigh=1500000000 MemoryMax=1500000000",
            ],
        ),
        ("storj", {}, {"bandwidth_mbps": 20.0}, ["tc qdisc replace dev <its interface> root tbf rate 20mbit"]),
        ("grass", {}, {"storage_gb": 5.0}, ["at most 5 GB"]),
        ("golem", {}, {"bandwidth_mbps": 20.0}, ["rate 20mbit"]),
    ],
)
def test_by_hand_there_is_a_command_for_every_amount(protocol, options, wanted, lines):
    said = "\n".join(by_hand(protocol, options, wanted))
    for line in lines:
        assert line in said


def test_levers_speak_for_what_they_set_and_the_least_trusted_of_them_counts():
    levers = (fitted(CGROUP, "auto", unit="storagenode"), fitted(DOCKER, "approve", container="node"))

    alone = advise(levers, "storj", {}, Resources(cpu_cores=2.0))
    assert (alone.lever, alone.mode) == ("cgroup", "auto")
    assert alone.does == ("limit the control group of storagenode to 2 cores of processor time",)


def test_as_soon_as_a_person_has_to_do_part_of_it_no_lever_is_named():
    levers = (fitted(CGROUP, "auto", unit="storagenode"),)

    told = advise(levers, "storj", {}, Resources(cpu_cores=2.0, storage_gb=600.0))

    assert (told.lever, told.mode) == (None, None)
    assert "control group" in told.does[0]
    assert "600 GB" in told.does[1]
    assert advise((), "storj", {}, Resources()).does == ()
