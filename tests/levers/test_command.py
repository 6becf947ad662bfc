"""The operator's own lever, with programs of the operator's own."""

import stat

import pytest
from msgspec.json import decode

from orch.errors import LeverError
from orch.levers.command import LEVER, CommandOptions
from orch.model.resources import Resources
from tests.fakes.hands import PaperHost, bad, good, pull, this_host

OPTIONS = CommandOptions(apply=("set-limits", "--now"), read=("show-limits",), sets=("storage_gb", "cpu_cores"))
GOAL = Resources(cpu_cores=2.0, storage_gb=4000.0)


def test_it_sets_what_the_operator_says():
    assert LEVER.sets("storj", OPTIONS) == ("cpu_cores", "storage_gb")
    cost = LEVER.cost("storj", CommandOptions(apply=("a",), read=("b",), sets=("cpu_cores",), downtime_s=90.0))
    assert cost.downtime_s == 90.0


def test_the_goal_is_given_as_json_and_the_limits_come_back():
    programs = {}

    def command(order):
        programs[order.argv] = order
        return good({"allocation": {"cpu_cores": 2, "storage_gb": 4000}, "used": {"storage_gb": 3100}})

    host = PaperHost(command=command)
    pull(LEVER.apply(OPTIONS, GOAL), host)
    order = programs["set-limits", "--now"]
    assert decode(order.body) == {"goal": {"cpu_cores": 2.0, "storage_gb": 4000.0}}
    found = pull(LEVER.read(OPTIONS), host)
    assert (found.allocation, found.used) == (GOAL, Resources(storage_gb=3100.0))


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        (b"", "did not print the limits in force as JSON"),
        (b"cpu 2", "did not print the limits in force as JSON"),
        ({"allocation": {"cpu_cores": "two"}}, "did not print the limits in force as JSON"),
        ({"allocation": {"cpu_cores": 2}}, "did not say storage_gb"),
        ({"allocation": {"cpu_cores": -1, "storage_gb": 1}}, "an amount that cannot be"),
        (b'{"allocation": {"cpu_cores": 1e999, "storage_gb": 1}}', "JSON|cannot be"),
    ],
    ids=["nothing", "prose", "another type", "too little", "negative", "infinite"],
)
def test_what_cannot_be_limits_is_refused(printed, sentence):
    with pytest.raises(LeverError, match=sentence):
        pull(LEVER.read(OPTIONS), PaperHost(command=lambda _: good(printed)))


def test_a_program_that_fails_is_quoted():
    host = PaperHost(command=lambda _: bad("failed", "set-limits ended with 1: no such pool"))
    with pytest.raises(LeverError, match="no such pool"):
        pull(LEVER.apply(OPTIONS, GOAL), host)


def test_with_real_programs(tmp_path):
    state = tmp_path / "limits.json"
    setter, teller = tmp_path / "set", tmp_path / "tell"
    setter.write_text(f'#!/bin/sh\nsed "s/goal/allocation/" > {state}\n')
    teller.write_text(f"#!/bin/sh\nexec cat {state}\n")
    for program in (setter, teller):
        program.chmod(stat.S_IRWXU)
    options = CommandOptions(apply=(str(setter),), read=(str(teller),), sets=("cpu_cores", "storage_gb"))
    with pytest.raises(LeverError, match="tell ended with 1"):
        pull(LEVER.read(options), this_host)
    pull(LEVER.apply(options, GOAL), this_host)
    assert pull(LEVER.read(options), this_host).allocation == GOAL


def test_what_would_be_done_is_said():
    assert (
        LEVER.describe(OPTIONS, Resources(cpu_cores=2.0)) == 'run set-limits --now with {"goal":{"cpu_cores":2.0}}'
    )
