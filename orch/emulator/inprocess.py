"""The emulated services reached without a socket: for the stage, for replay and for tests."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orch.emulator.answers import answer
from orch.emulator.asks import SERVICES, Ask, Response, Service
from orch.emulator.handwork import do_in_process
from orch.model.wire import HttpRequest, NoReply, Reply

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World
    from orch.model.readings import Reason
    from orch.model.wire import Request

SHOWN_BODY = 2048
LATENCY_S: dict[Service, tuple[float, float]] = {
    "storj": (0.01, 0.12),
    "golem": (0.002, 0.02),
    "streamr_rpc": (0.05, 0.25),
    "streamr_info": (0.002, 0.01),
    "grass": (0.1, 0.4),
    "prices": (0.08, 0.3),
    "control": (0.001, 0.005),
}

_HOSTS: dict[str, Service] = {f"{service.replace('_', '-')}.emulated": service for service in SERVICES}


def emulated_urls() -> dict[Service, str]:
    """The base URL of every service in process: `http://streamr-rpc.emulated` and so on."""
    return {service: f"http://{host}" for host, service in _HOSTS.items()}


def answer_request(world: World, request: Request, now: datetime) -> tuple[Reply | NoReply, float]:
    """Answer a request at a time; with it the seconds that it takes, the same for the same question and time.

    Like a real transport it turns statuses of 400 and more, foreign content types and oversized bodies into
    NoReply, and follows a redirect within the host.
    """
    if not isinstance(request, HttpRequest):
        return do_in_process(world, request, now)
    service, host, path, query = _target(request.url)
    if service is None:
        return _none("unreachable", f"there is no emulated service {host}", now, 0.0), 0.0
    secrets = tuple((name, secret.value) for name, secret in request.secret_headers)
    ask = Ask(
        service=service,
        path=path,
        method=request.method,
        query=query,
        headers=request.headers + secrets,
        body=request.body or b"",
    )
    latency = _latency(ask, now)
    response = answer(world, ask, now)
    if response.status == 301:
        location = dict(response.headers).get("Location", "")
        if location.startswith("/"):
            response = answer(world, Ask(service=service, path=location, headers=ask.headers), now)
    return _outcome(request, response, now, latency), latency


@lru_cache(maxsize=4096)
def _target(url: str) -> tuple[Service | None, str, str, str]:
    """The service behind a URL, its host, path and query: the same few are asked for again and again."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return _HOSTS.get(host), host, parts.path or "/", parts.query


def _latency(ask: Ask, now: datetime) -> float:
    low, high = LATENCY_S[ask.service]
    share = zlib.crc32(now.isoformat().encode(), _begun(ask.path, ask.query)) / 2**32
    return round(low + (high - low) * share**3, 6)


@lru_cache(maxsize=4096)
def _begun(path: str, query: str) -> int:
    """The checksum of a question, to go on with a time."""
    return zlib.crc32(f"{path}?{query}@".encode())


def _outcome(request: HttpRequest, response: Response, now: datetime, latency: float) -> Reply | NoReply:
    if response.refused:
        return _none("refused", "the connection was refused", now, latency, retryable=True)
    if response.status >= 400:
        return _bad_status(response, now, latency)
    kind = next((value for name, value in response.headers if name.lower() == "content-type"), "")
    if request.json_only and "json" not in kind:
        return _none("content_type", f"the answer is {kind or 'of no type'}, not JSON", now, latency, response)
    if len(response.body) > request.max_bytes:
        return _none("too_large", f"the answer is larger than {request.max_bytes} bytes", now, latency, response)
    return Reply(
        status=response.status,
        headers=response.headers,
        body=response.body,
        received_at=now,
        elapsed_s=latency,
    )


def _bad_status(response: Response, now: datetime, latency: float) -> NoReply:
    status = response.status
    sentence = f"the answer has status {status}"
    if status in {401, 403}:
        return _none("unauthorised", sentence, now, latency, response)
    if status == 429:
        return _none("rate_limited", sentence, now, latency, response, retryable=True)
    return _none("http_status", sentence, now, latency, response, retryable=status >= 500 or status == 408)


def _none(
    reason: Reason,
    sentence: str,
    now: datetime,
    latency: float,
    response: Response | None = None,
    *,
    retryable: bool = False,
) -> NoReply:
    answered = response is not None
    headers = response.headers if response is not None else ()
    wait = next((value for name, value in headers if name.lower() == "retry-after"), "")
    return NoReply(
        reason=reason,
        sentence=sentence,
        retryable=retryable,
        failed_at=now,
        elapsed_s=latency,
        status=response.status if response is not None and answered else None,
        body=response.body[:SHOWN_BODY] if response is not None else b"",
        retry_after_s=float(wait) if wait.isdigit() else None,
        headers=headers,
    )
