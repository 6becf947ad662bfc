"""The page's files: read once, handed out by exact name, so that no path leads out of their folder.

`/` is `page/index.html`; every other file of the folder is `/assets/<its path in it>`. Addresses in `index.html`
that begin with `/assets/` are given the digest of the whole page as their first segment: under it a file never
changes, and browsers keep it; without it they ask again. Where a build has made one file of the page's scripts
(`orch/web/bundle`), the page asks for that one alone.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State  # noqa: TC002 - Litestar reads annotations at run time
from litestar.exceptions import NotFoundException

from orch.web.scripts import ENTRY, TOGETHER, is_together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

INDEX = "index.html"
KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""What is handed out at all, by the end of its name."""
PACKED = (".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest")
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
AHEAD = re.compile(rb' *<link rel="modulepreload"[^>]*>\n?')
DIGEST_LENGTH = 16
MISSING = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>orch</title></head>
<body><h1>The page is not in this installation</h1>
<p>orch was installed without the files of its page; everything else works. Install it again, from a wheel or from
a whole checkout, to have the page.</p>
<p>The interface for programs is at <a href="/api/v1/dashboard">/api/v1/dashboard</a>, described by
<a href="/schema/openapi.json">/schema/openapi.json</a>; <code>orch status</code> shows the board too.</p>
</body></html>
"""


class PageFile(msgspec.Struct, frozen=True):
    """One file: its body, plain and packed (None where that brings nothing), and what tells it from others."""

    body: bytes
    packed: bytes | None
    kind: str
    etag: str


class Page(msgspec.Struct, frozen=True):
    """All files by their path in the folder, and the digest of them all."""

    files: dict[str, PageFile]
    digest: str


@cache
def installed_page() -> Page:
    """The page of this installation; without files where it has none."""
    return load_page(resources.files("orch.web") / "page")


def load_page(place: Traversable) -> Page:
    """The page in a folder; without files where there is none."""
    bodies = dict(sorted(_found(place, "")))
    whole = hashlib.sha256()
    for name, body in bodies.items():
        whole.update(f"{name} {len(body)} ".encode() + body)
    digest = whole.hexdigest()[:DIGEST_LENGTH]
    if INDEX in bodies:
        if is_together(bodies):
            alone = AHEAD.sub(b"", bodies[INDEX])
            bodies[INDEX] = alone.replace(f'"/assets/{ENTRY}"'.encode(), f'"/assets/{TOGETHER}"'.encode())
        bodies[INDEX] = bodies[INDEX].replace(b'"/assets/', f'"/assets/{digest}/'.encode())
    return Page({name: _file(name, body) for name, body in bodies.items()}, digest)


def _found(folder: Traversable, before: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        if each.is_dir():
            yield from _found(each, f"{before}{each.name}/")
        elif _suffix(each.name) in KINDS:
            yield before + each.name, each.read_bytes()


def _file(name: str, body: bytes) -> PageFile:
    suffix = _suffix(name)
    packed = gzip.compress(body, 6, mtime=0) if suffix in PACKED else None
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:DIGEST_LENGTH]}"'
    return PageFile(body, packed if packed is not None and len(packed) < len(body) else None, KINDS[suffix], etag)


def _suffix(name: str) -> str:
    return f".{name.rpartition('.')[2]}"


@get("/", opt={"open": True}, include_in_schema=False)
async def index(state: State, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The page itself, open to everybody: it holds no figure."""
    file = state.page.files.get(INDEX)
    if file is None:
        return Response(MISSING, status_code=503, media_type="text/html")
    return answer(file, request, ASK_AGAIN)


@get("/assets/{path:path}", opt={"open": True}, include_in_schema=False)
async def asset(state: State, request: Request[Any, Any, Any], path: str) -> Response[bytes]:
    """A file of the page."""
    page: Page = state.page
    first, _, rest = path.removeprefix("/").partition("/")
    is_lasting = first == page.digest
    file = page.files.get(rest if is_lasting else path.removeprefix("/"))
    if file is None:
        raise NotFoundException("The page has no such file")
    return answer(file, request, FOR_EVER if is_lasting else ASK_AGAIN)


def answer(file: PageFile, request: Request[Any, Any, Any], keep: str) -> Response[bytes]:
    """A file as whoever asks can take it; nothing when it is there already."""
    headers = {"ETag": file.etag, "Cache-Control": keep, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(b"", status_code=304, headers=headers)
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.kind, headers=headers | {"Content-Encoding": "gzip"})
    return Response(file.body, media_type=file.kind, headers=headers)


ROUTES = (index, asset)
