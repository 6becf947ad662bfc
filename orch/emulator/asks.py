"""Questions to the emulated services and their answers, as plain values."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from orch.model.base import Value

Service: TypeAlias = Literal["storj", "golem", "streamr_rpc", "streamr_info", "grass", "prices", "control"]
SERVICES: tuple[Service, ...] = (
    "storj",
    "golem",
    "streamr_rpc",
    "streamr_info",
    "grass",
    "prices",
    "control",
)
EMULATED = ("X-Orch-Emulated", "1")


class Ask(Value):
    """One HTTP request. `path` is percent-encoded as sent, `query` what stands after `?`."""

    service: Service
    path: str
    method: str = "GET"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header by its name in any case, or an empty text."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; of repeated ones the last."""
        return dict(_parsed(self.query))


class Response(Value):
    """One HTTP answer; with `refused` nobody listens and the rest means nothing."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    refused: bool = False


REFUSED = Response(status=0, refused=True)


@lru_cache(maxsize=4096)
def _parsed(query: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(query, keep_blank_values=True))


@lru_cache(maxsize=4096)
def zulu(second: float) -> str:
    """A Unix time in RFC 3339 UTC, with `Z`."""
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


def json_response(document: object, status: int = 200, *headers: tuple[str, str]) -> Response:
    """A JSON answer."""
    return Response(
        status=status, headers=(("Content-Type", "application/json"), *headers), body=msgspec.json.encode(document)
    )


def text_response(text: str, status: int = 200, kind: str = "text/plain; charset=utf-8") -> Response:
    """A plain text or HTML answer."""
    return Response(status=status, headers=(("Content-Type", kind),), body=text.encode())
