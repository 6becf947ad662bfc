"""What stands before every request, whatever its address: by what name it comes, from which page, with what body.

A name that leads to this host only because somebody else's name server says so (DNS rebinding), and orders from
foreign pages (CSRF), are turned away here; so is what is too large, or not JSON. Every answer, refusals too,
leaves with the headers that keep browsers from doing more with it than was meant.

Sources: RFC 9110 (Host, 7.2), RFC 6454 (Origin), the Fetch standard (Sec-Fetch-Site), CSP level 3.
"""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

from litestar.enums import ScopeType

from orch.web.refusals import refusal_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64_000
READS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAME_SITE = frozenset({b"same-origin", b"none"})
"""What browsers say of requests of our own page, and of addresses that a person typed."""

CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)
"""Added to every answer that does not say otherwise itself."""


def is_loopback(bind: str) -> bool:
    """Whether only this host itself can come in at an address."""
    if bind == "localhost":
        return True
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


class Shield:
    """The outermost application: turns away, or hands on and adds the headers.

    Args:
        app: Who answers.
        bind: The address it listens at. On loopback it answers to loopback's names only, beyond that to any
            address, to this host's own name, and to `names`.
        names: What else it is called.
    """

    def __init__(self, app: ASGIApp, bind: str, names: Iterable[str] = ()) -> None:
        self._app = app
        self._takes_addresses = not is_loopback(bind)
        own = {socket.gethostname().lower()} if self._takes_addresses else {bind}
        self._names = LOCAL_NAMES | own | set(names)
        self.answers: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.answers[message["status"]] += 1
                headers = list(message["headers"])
                said = {name.lower() for name, _ in headers}
                message["headers"] = [*headers, *(each for each in HEADERS if each[0] not in said)]
            await send(message)

        refused = self._refused(scope["method"], scope["headers"])
        if refused is None:
            await self._app(scope, receive, say)
        else:
            await _refuse(say, *refused)

    def _refused(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        """Status and sentence for what goes no further."""
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name == b"host" and name in found:
                return 400, "Say once which host this is for"
            found[name] = value
        host = found.get(b"host", b"").decode("latin-1")
        if not self._is_ours(host):
            return 403, f"This interface does not answer to the name {host[:80]!r}; [web] names can add one"
        origin = found.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2].lower() != host.lower():
            return 403, "Nothing is told to foreign pages, and no order taken from them"
        if found.get(b"sec-fetch-site", b"none") not in SAME_SITE and found.get(b"sec-fetch-mode") != b"navigate":
            return 403, "Nothing is told to foreign pages, and no order taken from them"
        return None if method in READS else _unfit(found)

    def _is_ours(self, host: str) -> bool:
        name, is_good = _name_of(host)
        if not is_good:
            return False
        if name in self._names:
            return True
        if not self._takes_addresses:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _name_of(host: str) -> tuple[str, bool]:
    """The name in a Host header, in small letters, without port and brackets; and whether it is well formed."""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
        is_good = bool(bracket) and (rest in ("", ":") or (rest.startswith(":") and port.isdecimal()))
        return name.lower(), is_good
    name, colon, port = host.partition(":")
    return name.lower(), bool(name) and (not colon or port == "" or (port.isascii() and port.isdecimal()))


def _unfit(headers: dict[bytes, bytes]) -> tuple[int, str] | None:
    """What is wrong with the body of an order, as far as its headers say."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        return 400, "The length of the body is not a number"
    has_body = int(length) > 0 or b"transfer-encoding" in headers
    if int(length) > LARGEST_BODY:
        return 413, f"A body has at most {LARGEST_BODY} bytes"
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if has_body and kind != b"application/json":
        return 415, "Send the body as application/json"
    return None


async def _refuse(send: Send, status: int, message: str) -> None:
    body = refusal_body(status, message)
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 413:
        # Nobody reads what is still coming.
        headers.append((b"connection", b"close"))
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    end: Any = {"type": "http.response.body", "body": body, "more_body": False}
    await send(end)
