"""What holds for every test."""

from __future__ import annotations

import re
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.fakes.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRACE_S = 2.0
QUICK_RUN = "not real and not slow"
WHOLLY_MARKED = re.compile(r"^pytestmark = \[?pytest\.mark\.(real|slow)\b", re.MULTILINE)

# Where a test does not say otherwise: enough for each run, and no clock decides over a property.
# `--hypothesis-profile=thorough` looks longer.
settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Modules of which the default run takes nothing are not read: rewriting their asserts takes a second."""
    if config.getoption("markexpr") != QUICK_RUN or collection_path.suffix != ".py":
        return None
    return True if WHOLLY_MARKED.search(collection_path.read_text()) else None


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A web hook that takes what is sent to people."""
    found = Sink()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """No actor and no thread that would keep the process alive outlives the test that started it."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in left:
        # An actor has answered its stop a moment before its thread has ended.
        thread.join(GRACE_S)
    pykka = sys.modules.get("pykka")
    actors = pykka.ActorRegistry.get_all() if pykka else []
    assert not actors, f"actors still running: {actors}"
    threads = [thread.name for thread in left if thread.is_alive()]
    assert not threads, f"threads still running: {threads}"
