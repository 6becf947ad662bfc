"""A network nobody has heard of is added with one file and an entry point, and goes through the whole life."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from orch.errors import AbsurdError, ShapeError
from orch.model.wire import NoReply, Reply, Secret
from orch.protocols import blueprint, registry
from orch.protocols.base import Context
from orch.protocols.schedule import Schedule, due, good

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
BODY = (
    b'{"startedAt":"2026-11-01T00:00:00.123456789Z","totalEarned":12.000000000000000001,'
    b'"coresUsed":1.5,"coresAllowed":4}'
)


@pytest.fixture
def fifth(tmp_path, monkeypatch):
    """The blueprint copied into a package of its own, renamed, and installed."""
    source = Path(blueprint.__file__).read_text(encoding="utf-8")
    (tmp_path / "tidal_network.py").write_text(source.replace('name = "blueprint"', 'name = "tidal"'))
    info = tmp_path / "tidal_network-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tidal-network\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orch.protocols]\ntidal = tidal_network:PROTOCOL\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "tidal"
    sys.modules.pop("tidal_network", None)


def reply(body=BODY, **headers):
    sent = (
        ("Content-Type", "application/json"),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    )
    return Reply(status=200, headers=sent, body=body, received_at=NOW, elapsed_s=0.01)


def test_it_is_found_beside_the_others(fifth):
    assert "tidal" in registry.names()
    assert "storj" in registry.names()
    assert "blueprint" not in registry.names()


def test_it_goes_from_options_to_a_reading(fifth):
    spec = registry.load(fifth)
    options = msgspec.convert({"url": "http://sea:9/", "api_key": Secret(value="s")}, spec.options)
    memory = spec.begin(options, Context(node="harbour", host="here"))
    assert spec.reading(memory, NOW).health == "unknown"

    schedule, (asked,) = due(Schedule(), spec.endpoints(memory, NOW), NOW, random.Random(1))
    assert asked.request.url == "http://sea:9/status"
    memory = spec.absorb(memory, asked.key, reply(X_Orch_Emulated="1"), NOW)
    schedule = good(schedule, asked.key, NOW)
    assert due(schedule, spec.endpoints(memory, NOW), NOW + timedelta(seconds=30))[1] == ()

    read = spec.reading(memory, NOW)
    assert (read.node, read.protocol, read.health, read.emulated) == ("harbour", "tidal", "online", True)
    (accrual,) = read.accruals
    assert accrual.amounts.accrued == Decimal("12.000000000000000001")
    assert (read.allocation.cpu_cores, read.used.cpu_cores, read.used.storage_gb) == (4.0, 1.5, None)

    failure = NoReply(reason="refused", sentence="nobody listens", retryable=True, failed_at=NOW, elapsed_s=0.0)
    lost = spec.reading(spec.failed(memory, asked.key, failure, NOW), NOW)
    assert (lost.health, lost.health_reason, lost.accruals) == ("offline", "nobody listens", read.accruals)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{}", ShapeError),
        (b"", ShapeError),
        (BODY.replace(b"1.5", b"-1.5"), AbsurdError),
        (BODY.replace(b"12.0", b"-12.0"), AbsurdError),
        (BODY.replace(b"2026-11-01", b"0001-01-01"), ShapeError),
    ],
)
def test_a_wrong_answer_is_refused_and_changes_nothing(fifth, body, error):
    spec = registry.load(fifth)
    memory = spec.absorb(spec.begin(spec.options(), Context(node="n", host="h")), "status", reply(), NOW)
    before = msgspec.json.encode(memory)
    with pytest.raises(error, match=r"^status"):
        spec.absorb(memory, "status", reply(body), NOW)
    assert msgspec.json.encode(memory) == before


def test_its_advice_reaches_the_reading(fifth):
    spec = registry.load(fifth)
    body = BODY.replace(b'"coresAllowed":4', b'"coresAllowed":0')
    memory = spec.absorb(spec.begin(spec.options(), Context(node="n", host="h")), "status", reply(body), NOW)
    (finding,) = spec.reading(memory, NOW).findings
    assert finding.code == "blueprint_no_cores"
