"""The lever of containers on a paper engine: what is asked of it, in which order."""

import json

import pytest

from orch.errors import LeverError
from orch.levers.docker import LEVER, NOTHING, DockerOptions
from orch.model.resources import Resources
from tests.fakes.hands import PaperHost, bad, good, pull

OPTIONS = DockerOptions(container="grass")
SWITCHED = DockerOptions(container="grass", switch=True, stop_timeout_s=20)


class Engine:
    """One container, with what it is limited to."""

    def __init__(self, *, running=True, used=500_000_000, **limits):
        self.running, self.used, self.limits = running, used, limits
        self.asked = []
        self.host = PaperHost(tool=self.answer)

    def answer(self, request):
        order = json.loads(request.body)
        assert (request.tool, order["container"]) == ("docker", "grass")
        match request.action:
            case "inspect":
                return good({"Id": "1", "State": {"Running": self.running}, "HostConfig": self.limits})
            case "stats":
                return good({"memory_stats": {"usage": self.used, "stats": {"inactive_file": 100_000_000}}})
            case "update":
                self.limits |= order["update"]
            case "start" | "stop":
                self.running = request.action == "start"
        self.asked.append(request)
        return good({})

    def actions(self):
        return [request.action for request in self.asked]


def test_a_container_that_shall_have_no_core_is_stopped_and_reads_as_nothing():
    engine = Engine(NanoCpus=500_000_000)
    pull(LEVER.apply(SWITCHED, Resources(cpu_cores=0.0)), engine.host)
    assert engine.actions() == ["stop"]
    assert json.loads(engine.asked[0].body)["stop_timeout_s"] == 20
    assert engine.asked[0].deadline_s > 20
    assert pull(LEVER.read(SWITCHED), engine.host).allocation == NOTHING


def test_it_is_limited_before_it_is_started():
    engine = Engine(running=False, NanoCpus=4_000_000_000)
    pull(LEVER.apply(SWITCHED, Resources(cpu_cores=0.5, memory_gb=1.0)), engine.host)
    assert engine.actions() == ["update", "start"]
    assert pull(LEVER.read(SWITCHED), engine.host).allocation == Resources(cpu_cores=0.5, memory_gb=1.0)


def test_without_the_switch_a_stopped_container_is_left_alone():
    engine = Engine(running=False)
    for goal in (Resources(cpu_cores=0.5), Resources(cpu_cores=0.0)):
        with pytest.raises(LeverError, match="the container grass does not run"):
            pull(LEVER.apply(OPTIONS, goal), engine.host)
    assert engine.asked == []


def test_an_engine_that_does_not_stop_it_is_quoted():
    engine = Engine()
    engine.host.tool = lambda request: (
        bad("timeout", "Docker did not answer within 50 s") if request.action == "stop" else engine.answer(request)
    )
    with pytest.raises(LeverError, match="did not answer within 50 s"):
        pull(LEVER.apply(SWITCHED, Resources(cpu_cores=0.0)), engine.host)


def test_cached_files_are_not_in_use():
    engine = Engine()
    assert pull(LEVER.read(OPTIONS), engine.host).used == Resources(memory_gb=0.4)
    with pytest.raises(LeverError, match=r"uses 0\.400 GB: a limit of 0\.41 GB would kill it"):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=1.0, memory_gb=0.41)), engine.host)
    assert engine.asked == []


@pytest.mark.parametrize(
    ("options", "goal", "sentence"),
    [
        (OPTIONS, Resources(cpu_cores=0.5, memory_gb=1.0), "docker update --cpus 0.5 --memory 1000000000b grass"),
        (SWITCHED, Resources(cpu_cores=0.0), "docker stop -t 20 grass"),
        (
            SWITCHED,
            Resources(cpu_cores=0.5),
            "docker update --cpus 0.5 grass, and docker start grass if it is off",
        ),
    ],
)
def test_what_would_be_done_is_said(options, goal, sentence):
    assert LEVER.describe(options, goal) == sentence


def test_a_switch_costs_what_its_network_takes_to_trust_it_again():
    plain, switched = LEVER.cost("grass", OPTIONS), LEVER.cost("grass", SWITCHED)
    assert (plain.downtime_s, plain.dwell_s) == (0.0, 0.0)
    assert (switched.downtime_s, switched.dwell_s, switched.deadline_s) == (600.0, 6 * 3600.0, 80.0)
