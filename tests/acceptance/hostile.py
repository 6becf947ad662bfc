"""Nodes that answer well until they turn, and then in one of the ways in which a client is lost."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GIGABYTE = 1_000_000_000
CHUNK = b" " * 65_536
JSON = "application/json"


class HostileNode(ThreadingHTTPServer):
    """A server on a free port. While it has not turned, `well` gives status, type and body of its answers.

    It is called with path and headers, and by name with `method` and `body`.

    `how` names one of `WAYS`. With `elsewhere` it redirects there.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, how, well, elsewhere="", *, turned=False):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.how = how
        self.well = well
        self.elsewhere = elsewhere
        self.asked = 0
        self.turned = threading.Event()
        self.ended = threading.Event()
        self.asked_since_then = threading.Event()
        self._open = set()
        if turned:
            self.turned.set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def server_bind(self):
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request, client_address):
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is what is wanted."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        node = self.server
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        node.asked += 1
        if node.turned.is_set():
            node.asked_since_then.set()
            WAYS[node.how](self)
        else:
            self.say(*self.well())

    def well(self):
        asked = {"method": self.command, "body": self.body}
        return self.server.well(self.path, tuple(self.headers.items()), **asked)

    def say(self, status, kind, body, length=None, **headers):
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is None:
            length = len(body)
        if length >= 0:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        """No access log."""


# -- the ways --------------------------------------------------------------------------------------------


def hang(handler):
    handler.server.ended.wait()


def drip(handler):
    handler.say(200, JSON, b"{", length=10_000)
    while not handler.server.ended.wait(1.0):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def html(handler):
    handler.say(200, "text/html; charset=utf-8", b"<!doctype html><title>Log in</title>")


def truncated(handler):
    status, kind, body = handler.well()
    handler.say(status, kind, body[: len(body) // 2])


def redirected(handler):
    handler.say(302, "text/plain", b"", Location=handler.server.elsewhere + handler.path)


def promised(handler):
    handler.say(200, JSON, b"[", length=GIGABYTE)
    handler.server.ended.wait(5.0)


def streamed(handler):
    handler.say(200, JSON, b"[", length=-1)
    for _ in range(GIGABYTE // len(CHUNK)):
        if handler.server.ended.is_set():
            break
        handler.wfile.write(CHUNK)


def rewritten(change):
    """Whatever the node would have said, changed."""

    def answer(handler):
        status, kind, body = handler.well()
        handler.say(status, kind, change(body))

    return answer


def null_lists(body):
    def without(value):
        if isinstance(value, dict):
            return {key: without(each) for key, each in value.items()}
        return None if isinstance(value, list) else value

    return json.dumps(without(json.loads(body))).encode()


def numbers(by):
    """Every number of a JSON text replaced."""
    pattern = re.compile(rb"(?<=[:\[,])\s*-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?=\s*[,\]}])")
    return lambda body: pattern.sub(by, body)


def absurd(body):
    """Numbers and hexadecimal words as large as they can be written."""
    hexadecimal = re.compile(rb'"0x([0-9a-fA-F]+)"')
    largest = hexadecimal.sub(lambda found: b'"0x' + b"f" * len(found[1]) + b'"', body)
    return numbers(b"9000000000000000000")(largest)


WAYS = {
    "hang": hang,
    "drip": drip,
    "html": html,
    "truncated": truncated,
    "redirected": redirected,
    "promised": promised,
    "streamed": streamed,
    "null": rewritten(lambda body: b"null"),
    "null_lists": rewritten(null_lists),
    "nan": rewritten(numbers(b"NaN")),
    "negative": rewritten(numbers(b"-5")),
    "absurd": rewritten(absurd),
}
