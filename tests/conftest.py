"""What holds for every test."""

from __future__ import annotations

import atexit
import functools
import gc
import re
import sys
import threading
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from orch.model import entrypoints
from tests.fakes.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRACE_S = 2.0
QUICK_RUN = "not real and not slow"
WHOLLY_MARKED = re.compile(r"^pytestmark = \[?pytest\.mark\.(real|slow)\b", re.MULTILINE)

# Where a test does not say otherwise: enough for each run, the same in each, and no clock decides over a property.
# `--hypothesis-profile=thorough` looks longer, and somewhere else each time.
settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Modules of which the default run takes nothing are not read: rewriting their asserts takes a second."""
    if config.getoption("markexpr") != QUICK_RUN or collection_path.suffix != ".py":
        return None
    return True if WHOLLY_MARKED.search(collection_path.read_text()) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: looking for garbage in it takes a quarter of collecting.

    Nor do the tests leave much in circles, so that garbage is looked for less often than every 700 objects.
    At the very end of the process all is put away as it would be without that.
    """
    atexit.register(gc.unfreeze)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _each_package_is_read_once() -> Iterator[None]:
    """Every load of a configuration reads what all installed packages offer: here once for each `sys.path`."""
    offered = functools.cache(lambda group, _path: entry_points(group=group))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entrypoints, "entry_points", lambda group: offered(group, tuple(sys.path)))
        yield


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
