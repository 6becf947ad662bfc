"""A web hook on loopback: takes what Apprise sends as JSON, refuses when told to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orch.model.wire import Secret

CREDENTIAL = "hush-hush-9"


class Sink:
    """Listens until `close`. `statuses` are given one after another, then 200."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.asked = 0
        self.reached = threading.Event()
        self.arrived = threading.Condition()
        self.hold = threading.Event()
        self.hold.set()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.reached.set()
                sink.hold.wait(30)
                status = sink.take(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def take(self, body: dict[str, Any]) -> int:
        with self.arrived:
            self.asked += 1
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 200:
                self.bodies.append(body)
            self.arrived.notify_all()
            return status

    @property
    def url(self) -> Secret:
        return Secret(value=f"json://me:{CREDENTIAL}@127.0.0.1:{self._server.server_port}/hook")

    @property
    def titles(self) -> list[str]:
        return [body["title"] for body in self.bodies]

    def await_asked(self, count: int) -> bool:
        with self.arrived:
            return self.arrived.wait_for(lambda: self.asked >= count, timeout=20)

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
