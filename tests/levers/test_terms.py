"""What is said of every lever before it is trusted."""

import pytest

from orch.levers.command import LEVER as COMMAND
from orch.levers.command import CommandOptions
from orch.levers.docker import LEVER as DOCKER
from orch.levers.docker import DockerOptions
from orch.levers.storj_config import LEVER as STORJ
from orch.levers.storj_config import StorjConfigOptions
from orch.levers.terms import terms_of
from orch.levers.together import FittedLever
from orch.model.entrypoints import load_group

DAY = 86_400.0


def said(spec, options, protocol="storj"):
    return terms_of(FittedLever(spec=spec, options=options, mode="auto", protocol=protocol), 14 * DAY)


def test_a_lever_says_what_it_sets_costs_and_cannot_do():
    sentence = said(STORJ, StorjConfigOptions(path="/c", restart=("true",)))
    assert sentence.startswith("sets storage: a change costs about 2 min of income until there is own history")
    assert (
        "is judged by its money after 14 days, the node then rests for 24 h. It cannot: take space back"
        in sentence
    )


def test_what_costs_nothing_is_said_so_and_what_is_switched_costs_more():
    assert "costs next to nothing" in said(DOCKER, DockerOptions(container="a"))
    assert "about 10 min of income" in said(DOCKER, DockerOptions(container="a", switch=True))
    assert "rests" not in said(COMMAND, CommandOptions(apply=("a",), read=("b",), sets=("cpu_cores",)))


@pytest.mark.parametrize("kind", sorted(load_group("orch.levers")))
def test_every_lever_says_what_it_cannot_do(kind):
    lever = load_group("orch.levers")[kind]()
    assert lever.cannot
    assert all(part[0].islower() and not part.endswith(".") for part in lever.cannot)
