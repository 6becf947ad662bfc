from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()
    yield found
    found.close()
