"""How many questions orch asks its nodes per hour, beside an exporter that reads everything every five seconds.

Both know the cheap figures (processor, memory, network and disk of the node's process) as freshly: orch reads them
from its own host at every tick of 5 s and asks the network's interface for the rest, each question at its own
pace. The exporter asks each question that orch asks again and again, every 5 s.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from orch.model.wire import HttpRequest, NoReply, Reply, Request

START = datetime(2026, 11, 2, tzinfo=UTC)
TICK_S = 5
SEED = 5
PROTOCOLS = {
    "storj.emulated": "storj",
    "golem.emulated": "golem",
    "streamr-rpc.emulated": "streamr",
    "streamr-info.emulated": "streamr",
    "grass.emulated": "grass",
}
REPEATED = 2
"""A question asked at least so often in the time is one that an exporter would ask at every scrape."""


class RequestLog:
    """What was asked of the emulated networks, and how much they answered."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()

    def note(self, request: Request, answer: Reply | NoReply) -> None:
        """Count one question, if it was for a network."""
        url = getattr(request, "url", "")
        protocol = PROTOCOLS.get(urlsplit(url).hostname or "")
        if protocol is not None:
            key = protocol, _question(request)  # type: ignore[arg-type]
            self.asked[key] += 1
            self.bytes[key] += len(answer.body)


def _question(request: HttpRequest) -> str:
    """What is asked, whatever page, block or time it is asked about."""
    path = urlsplit(request.url).path
    if request.method != "POST" or not request.body:
        return f"{request.method} {path}"
    body = msgspec.json.decode(request.body)
    calls = body if isinstance(body, list) else [body]
    methods = sorted({str(call.get("method")) for call in calls if isinstance(call, dict)})
    return f"{request.method} {path} {' '.join(methods)}"


def count_requests(hours: float = 6.0, settling_h: float = 1.0) -> list[dict[str, Any]]:
    """Questions and bytes per hour by protocol and in all, of orch and of the exporter.

    They are counted where the emulated networks answer, at the default cadence, after the first contact.
    """
    from orch.boot.staged import staged_house
    from orch.config.load import from_tables
    from orch.emulator.demo import demo_environment, demo_nodes
    from orch.emulator.inprocess import answer_request, emulated_urls
    from orch.emulator.world import World

    world, log = World(SEED, START), RequestLog()

    def answer(request: Request, now: datetime, _: str) -> tuple[Reply | NoReply, float]:
        found = answer_request(world, request, now)
        log.note(request, found[0])
        return found

    with TemporaryDirectory(prefix="orch-truth-") as name:
        tables = {
            "orch": {"mode": "observe", "data_dir": name},
            "cadence": {"poll_s": TICK_S},
            **demo_nodes(emulated_urls()),
        }
        house = staged_house(
            from_tables(tables, demo_environment(), Path(name)),
            Path(name),
            answer,
            start=world.start,
            seed=SEED,
            commit_every_s=3600,
            board_every_s=3600,
        )
        house.stage.run_until(world.start + timedelta(hours=settling_h))
        log.asked.clear()
        log.bytes.clear()
        house.stage.run_for(hours * 3600)
        house.close()
    rows = [_row(protocol, log, hours) for protocol in dict.fromkeys(PROTOCOLS.values())]
    return [*rows, _sum(rows)]


def _row(protocol: str, log: RequestLog, hours: float) -> dict[str, Any]:
    asked = {key: count for key, count in log.asked.items() if key[0] == protocol}
    again = [key for key, count in asked.items() if count >= REPEATED]
    scrapes = 3600 / TICK_S
    sizes = sum(log.bytes[key] / asked[key] for key in again)
    return _with_ratio(
        {
            "protocol": protocol,
            "questions": len(again),
            "orch_per_h": sum(asked.values()) / hours,
            "exporter_per_h": len(again) * scrapes,
            "orch_mb_per_h": sum(log.bytes[key] for key in asked) / hours / 1e6,
            "exporter_mb_per_h": sizes * scrapes / 1e6,
        }
    )


def _sum(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in rows[0] if name not in {"protocol", "times_fewer"}]
    return _with_ratio({"protocol": "all", **{name: sum(row[name] for row in rows) for name in names}})


def _with_ratio(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"times_fewer": row["exporter_per_h"] / row["orch_per_h"] if row["orch_per_h"] else None}
