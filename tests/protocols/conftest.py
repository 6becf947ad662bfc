"""Answers of nodes by situation, from `tests/answers/<protocol>/<situation>.json`.

Each file holds `origin` (recorded or written), `source`, `endpoint`, `status`, `headers`, and `body` (JSON) or
`body_text` (bytes as text, for what is not JSON or where digits matter).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orch.model.wire import NoReply, Reply

ANSWERS = Path(__file__).parent.parent / "answers"
REASONS = {401: "unauthorised", 403: "unauthorised", 429: "rate_limited"}


class Answers:
    """Answers as a transport would hand them over: `Reply`, or `NoReply` for a status of 400 and more."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol

    def __call__(self, situation: str, at: datetime | None = None) -> tuple[str, Reply | NoReply]:
        """The endpoint's key and its answer, received at a time."""
        at = at or datetime(2026, 11, 15, 12, tzinfo=UTC)
        held = json.loads((ANSWERS / self._protocol / f"{situation}.json").read_text(encoding="utf-8"))
        body = (held["body_text"] if "body_text" in held else json.dumps(held["body"])).encode()
        headers = tuple(held["headers"].items())
        status = held["status"]
        if status >= 400:
            retry_after = held["headers"].get("Retry-After")
            return held["endpoint"], NoReply(
                reason=REASONS.get(status, "http_status"),
                sentence=f"status {status}",
                retryable=status not in (401, 403),
                failed_at=at,
                elapsed_s=0.01,
                status=status,
                body=body[:2000],
                headers=headers,
                retry_after_s=float(retry_after) if retry_after else None,
            )
        return held["endpoint"], Reply(status=status, headers=headers, body=body, received_at=at, elapsed_s=0.01)


@pytest.fixture(scope="session")
def answers():
    """`answers("storj")("healthy_sno")` is the endpoint's key and its answer."""
    return Answers
