"""One backend for each file of tests, and a client of it that knows no token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from litestar.testing import TestClient

from orch.web.app import create_app
from tests.fakes.web import HERE, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.web.backend import Backend


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with serving(tmp_path_factory.mktemp("web")) as backend:
        yield backend


@pytest.fixture(scope="module")
def shared_client(backend: Backend) -> Iterator[TestClient]:
    with TestClient(create_app(backend), base_url=HERE) as client:
        yield client
