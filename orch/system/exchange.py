"""One question to the outside world, asked in the calling thread: HTTP, or a local file.

Whatever happens becomes a `Reply` or a `NoReply`; nothing is raised. Sentences name the host and port
only: a path, a query or a header may hold a credential.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import stat
import zlib
from email.utils import parsedate_to_datetime
from http.client import HTTPException, IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

import orch
from orch.model.base import Value
from orch.model.readings import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from requests.adapters import HTTPAdapter

    from orch.model.wire import FileRead, HttpRequest
    from orch.system.wires import Cutter

USER_AGENT = f"orch/{orch.__version__}"
ERROR_BODY_BYTES = 2048
MAX_REDIRECTS = 3
CHUNK_BYTES = 65_536
LONGEST_WAIT_S = 86_400.0
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRYABLE_STATUSES = frozenset({408, 425, 429})


class Got(Value):
    """A usable answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Missed(Value):
    """No usable answer; see `NoReply`."""

    reason: Reason
    sentence: str
    retryable: bool
    status: int | None = None
    body: bytes = b""
    retry_after_s: float | None = None
    headers: tuple[tuple[str, str], ...] = ()


class _TooLargeError(Exception):
    pass


class _EncodingError(Exception):
    pass


def where(url: str) -> str:
    """Host and port of a URL, all of it that may be shown."""
    try:
        parts = urlsplit(url)
        if parts.hostname:
            return f"{parts.hostname}:{_port(parts)}"
    except ValueError:
        pass
    return "an unreadable address"


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def ask_http(adapter: HTTPAdapter, question: HttpRequest, cutter: Cutter, now: datetime) -> Got | Missed:
    """One HTTP exchange, within the limits of its request.

    Args:
        adapter: Holds the connections.
        question: What to ask.
        cutter: Ends the exchange at its deadline; entered by the caller.
        now: For a Retry-After date when the answer has no date of its own.
    """
    place = where(question.url)
    try:
        return _follow(adapter, question, cutter, now)
    except _TooLargeError:
        return Missed(
            reason="too_large",
            sentence=f"{place} sent more than {question.max_bytes} bytes",
            retryable=False,
        )
    except _EncodingError as error:
        return Missed(reason="malformed", sentence=f"{place} sent a body that {error}", retryable=True)
    except Exception as error:  # noqa: BLE001 - the port promises an answer whatever a third party raises
        if cutter.is_cut:
            return late(place, question.deadline_s)
        return _missed(error, place, question.deadline_s)


def late(place: str, deadline_s: float) -> Missed:
    """The answer of a question whose deadline has passed."""
    return Missed(reason="timeout", sentence=f"{place} did not answer within {deadline_s:g} s", retryable=True)


def _follow(adapter: HTTPAdapter, question: HttpRequest, cutter: Cutter, now: datetime) -> Got | Missed:
    url = question.url
    place = where(url)
    for _ in range(MAX_REDIRECTS + 1):
        with _send(adapter, question, url, cutter) as response:
            if response.status_code not in _REDIRECTS or not response.headers.get("Location"):
                return _take(response, question, place, now)
            url = _joined(url, response.headers["Location"])
        if question.method != "GET" or not _same_server(url, question.url):
            return Missed(
                reason="redirect",
                sentence=f"{place} redirects to {where(url)}, which is not followed",
                retryable=False,
                status=response.status_code,
            )
    return Missed(
        reason="redirect", sentence=f"{place} redirects more than {MAX_REDIRECTS} times", retryable=False
    )


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        return ""


def _same_server(url: str, other: str) -> bool:
    try:
        one, two = urlsplit(url), urlsplit(other)
        return (one.scheme, one.hostname, _port(one)) == (two.scheme, two.hostname, _port(two))
    except ValueError:
        return False


def _send(adapter: HTTPAdapter, question: HttpRequest, url: str, cutter: Cutter) -> requests.Response:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **dict(question.headers)}
    if question.json_only:
        headers.setdefault("Accept", "application/json")
    headers.update((name, secret.value) for name, secret in question.secret_headers)
    prepared = requests.Request(question.method, url, headers=headers, data=question.body).prepare()
    try:
        return adapter.send(prepared, stream=True, timeout=cutter.left(), verify=True)
    except requests.exceptions.ConnectionError:
        # The server may close an idle connection at the moment it is used again; a fresh one tells more.
        if not cutter.reused or cutter.is_cut or question.method != "GET":
            raise
        return adapter.send(prepared, stream=True, timeout=cutter.left(), verify=True)


def _take(response: requests.Response, question: HttpRequest, place: str, now: datetime) -> Got | Missed:
    headers = tuple(response.headers.items())
    if not 200 <= response.status_code < 300:
        return _refusal(response, place, now, headers)
    announced = response.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and float(announced) > question.max_bytes:
        raise _TooLargeError
    kind = response.headers.get("Content-Type", "")
    body: bytes | None = None
    if question.json_only and not _JSON.match(kind.strip()):
        body = b"" if response.status_code == 204 else _read(response, ERROR_BODY_BYTES, cut=True)
        if body:
            return Missed(
                reason="content_type",
                sentence=f"{place} answered with {_kind(kind)} instead of JSON",
                retryable=True,
                status=response.status_code,
                body=body,
                headers=headers,
            )
    if body is None:
        body = _read(response, question.max_bytes, cut=False, until=question.until)
    return Got(status=response.status_code, headers=headers, body=body)


def _kind(kind: str) -> str:
    bare = kind.partition(";")[0].strip()
    return bare if re.fullmatch(r"[\w.+-]+/[\w.+-]+", bare, re.ASCII) and len(bare) < 80 else "no content type"


def _refusal(
    response: requests.Response, place: str, now: datetime, headers: tuple[tuple[str, str], ...]
) -> Missed:
    status = response.status_code
    reason: Reason = "http_status"
    if status in (401, 403):
        reason = "unauthorised"
    elif status == 429:
        reason = "rate_limited"
    try:
        body = _read(response, ERROR_BODY_BYTES, cut=True)
    except Exception:  # noqa: BLE001 - the status is known, its text is only a courtesy
        body = b""
    return Missed(
        reason=reason,
        sentence=f"{place} answered with status {status}",
        retryable=status >= 500 or status in _RETRYABLE_STATUSES,
        status=status,
        body=body,
        retry_after_s=_retry_after(response, now),
        headers=headers,
    )


def _retry_after(response: requests.Response, now: datetime) -> float | None:
    """Seconds of the Retry-After header (RFC 9110, 10.2.3), from 0 to a day; None without or unreadable."""
    stated = response.headers.get("Retry-After", "").strip()
    if not stated:
        return None
    if stated.isascii() and stated.isdigit():
        return min(float(stated[:9]), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(stated)
        since = parsedate_to_datetime(response.headers["Date"]) if "Date" in response.headers else now
        seconds = (until - since).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def _read(response: requests.Response, limit: int, *, cut: bool, until: bytes | None = None) -> bytes:
    """The decoded body, of at most `limit` bytes: a longer one is cut, or raises _TooLargeError.

    It ends with `until` where that is given and comes.
    """
    parts: list[bytes] = []
    size = 0
    for part in _decoded(response):
        size += len(part)
        parts.append(part)
        if until is not None and until in (so_far := b"".join(parts)):
            return so_far[: so_far.index(until) + len(until)]
        if size > limit:
            if cut:
                break
            raise _TooLargeError
    return b"".join(parts)[:limit]


def _decoded(response: requests.Response) -> Iterator[bytes]:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    chunks = response.raw.stream(CHUNK_BYTES, decode_content=False)
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in ("gzip", "x-gzip"):
        raise _EncodingError("is in an encoding nobody asked for")
    # Inflated piece by piece, so that a small body that blows up is noticed while it is still small.
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    some = False
    try:
        for chunk in chunks:
            if inflater.eof:
                break
            some = some or bool(chunk)
            rest, more = chunk, True
            while more and not inflater.eof:
                piece = inflater.decompress(rest, CHUNK_BYTES)
                yield piece
                rest = inflater.unconsumed_tail
                more = bool(rest) or len(piece) == CHUNK_BYTES
    except zlib.error as error:
        raise _EncodingError("is not the gzip it claims to be") from error
    if some and not inflater.eof:
        raise _EncodingError("ends in the middle of its gzip")


def _missed(error: BaseException, place: str, deadline_s: float) -> Missed:
    causes = tuple(_causes(error))

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(each, kinds) for each in causes)

    if has(requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        return Missed(reason="unreachable", sentence=f"{place} is not an HTTP address", retryable=False)
    if has(requests.exceptions.InvalidHeader):
        return Missed(
            reason="unreachable",
            sentence=f"the request to {place} has a header that cannot be sent",
            retryable=False,
        )
    if has(socket.gaierror):
        return Missed(reason="unreachable", sentence=f"the name of {place} cannot be resolved", retryable=True)
    if has(ConnectionRefusedError):
        return Missed(reason="refused", sentence=f"nobody listens at {place}", retryable=True)
    if has(TimeoutError):
        return late(place, deadline_s)
    if has(ssl.SSLCertVerificationError):
        return Missed(reason="unreachable", sentence=f"the certificate of {place} is not valid", retryable=False)
    if has(ssl.SSLError):
        return Missed(reason="unreachable", sentence=f"no TLS connection with {place} came about", retryable=True)
    if has(ConnectionError, IncompleteRead):
        return Missed(reason="unreachable", sentence=f"{place} broke the connection", retryable=True)
    if has(HTTPException):
        return Missed(reason="malformed", sentence=f"{place} does not speak HTTP", retryable=True)
    if any(isinstance(each, OSError) and each.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH) for each in causes):
        return Missed(reason="unreachable", sentence=f"there is no route to {place}", retryable=True)
    return Missed(
        reason="unreachable",
        sentence=f"asking {place} failed ({type(causes[-1]).__name__})",
        retryable=True,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything wrapped in it, outermost first."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "reason", None), *each.args, each.__cause__, each.__context__]


def read_file(question: FileRead) -> Got | Missed:
    """The content of a local file, or of its end, if it is a regular one and small enough."""
    path = os.path.expanduser(question.path)  # noqa: PTH111 - Path.expanduser raises where there is no home
    try:
        # A pipe or a device would block; opened this way it does not, and is then turned away.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        return Missed(reason="permission", sentence=f"{path} may not be read by this user", retryable=True)
    except (OSError, ValueError):
        return Missed(reason="missing_file", sentence=f"{path} does not exist", retryable=True)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return Missed(reason="missing_file", sentence=f"{path} is not a regular file", retryable=True)
        body = None
        if question.tail or status.st_size <= question.max_bytes:
            with os.fdopen(handle, "rb", closefd=False) as file:
                if question.tail:
                    file.seek(max(0, status.st_size - question.max_bytes))
                body = file.read(question.max_bytes + (not question.tail))
    except OSError as error:
        return Missed(
            reason="unreachable",
            sentence=f"{path} cannot be read ({errno.errorcode.get(error.errno or 0, 'input or output error')})",
            retryable=True,
        )
    finally:
        os.close(handle)
    if body is None or len(body) > question.max_bytes:
        return Missed(
            reason="too_large", sentence=f"{path} has more than {question.max_bytes} bytes", retryable=False
        )
    return Got(status=200, headers=(), body=body)
