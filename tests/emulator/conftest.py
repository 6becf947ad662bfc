"""Worlds in process, and a client that asks them."""

from datetime import UTC, datetime

import msgspec
import pytest

from orch.emulator.answers import answer
from orch.emulator.answers_grass import TOKEN
from orch.emulator.asks import Ask
from tests.fakes.worlds import copy_of, world_of

START = datetime(2026, 11, 22, 14, 3, 20, tzinfo=UTC)
US1 = "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S"
EU1 = "12L9ZFwhzVpuEKMUNUqkaTLGzwY9G24tbiigLiXpmZWKwmcNDDs"
KEY = (("Authorization", "Bearer emulated-app-key"),)


def make_world(seed=3, start=START):
    return world_of(seed, start)


class Client:
    """Asks a world in process, at its own time or another."""

    def __init__(self, world):
        self.world = world

    def ask(self, service, path, query="", now=None, **rest):
        if service == "golem":
            rest.setdefault("headers", KEY)
        if service == "grass":
            rest.setdefault("headers", (("Authorization", TOKEN),))
        return answer(self.world, Ask(service=service, path=path, query=query, **rest), now or self.world.time)

    def json(self, service, path, query="", now=None, status=200, **rest):
        response = self.ask(service, path, query, now, **rest)
        assert response.status == status, (response.status, response.body[:300])
        assert dict(response.headers)["Content-Type"] == "application/json"
        return msgspec.json.decode(response.body)

    def put(self, path, document, now=None, status=202):
        body = document if isinstance(document, bytes) else msgspec.json.encode(document)
        return self.json("control", path, now=now, status=status, method="PUT", body=body)

    def rpc(self, method, *params, now=None):
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        body = self.json("streamr_rpc", "/", now=now, method="POST", body=msgspec.json.encode(question))
        return body.get("result", body.get("error"))


@pytest.fixture(scope="session")
def worlds():
    return make_world


@pytest.fixture(scope="session")
def copied():
    return copy_of


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def client(world):
    return Client(world)


@pytest.fixture(scope="session")
def clients():
    return Client
