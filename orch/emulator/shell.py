"""A thin HTTP shell around the emulated services: one port each, on loopback only."""

from __future__ import annotations

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from orch.emulator.answers import answer
from orch.emulator.asks import SERVICES, Ask, Service
from orch.errors import OrchError

if TYPE_CHECKING:
    from types import TracebackType

    from orch.emulator.asks import Response
    from orch.emulator.files import Folder
    from orch.emulator.world import World
    from orch.ports import Clock

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 1_000_000
DEFAULT_PORTS: dict[Service, int] = {
    "storj": 14002,
    "golem": 7465,
    "streamr_info": 7171,
    "streamr_rpc": 18545,
    "grass": 18081,
    "prices": 18082,
    "control": 18083,
}
Ports: TypeAlias = Literal["default", "free"]


class EmulatorServer:
    """The seven services of one world over HTTP; the time of the answers is the clock's.

    `start()` opens all ports and raises OrchError when one is taken. Each connection has a daemon thread; the
    world itself is used by one thread at a time (`lock`, for others that touch the world meanwhile). With a
    `folder` the nodes' files lie there, too. `stop()` returns within a fraction of a second, whatever clients do.
    """

    def __init__(self, world: World, clock: Clock, ports: Ports = "free", folder: Folder | None = None) -> None:
        self.world = world
        self.lock = threading.RLock()
        self._clock = clock
        self._folder = folder
        self._ports: dict[Service, int] = DEFAULT_PORTS if ports == "default" else dict.fromkeys(SERVICES, 0)
        self._listeners: dict[Service, _Listener] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open every port and begin to answer. Raises OrchError when a port is taken; then none is open."""
        for service in SERVICES:
            try:
                listener = _Listener(self, service, self._ports[service])
            except OSError as fault:
                self.stop()
                raise OrchError(
                    f"Port {self._ports[service]} for the emulated {service} cannot be opened"
                    f" ({(fault.strerror or str(fault)).lower()}): stop what listens there, or take free ports."
                ) from fault
            self._listeners[service] = listener
            listener.begin()

    def urls(self) -> dict[Service, str]:
        """The base URL of every service."""
        return {service: f"http://{LOOPBACK}:{each.server_port}" for service, each in self._listeners.items()}

    def stop(self) -> None:
        """Close every port and every open connection."""
        for listener in self._listeners.values():
            listener.end()
        self._listeners.clear()

    def answer(self, ask: Ask) -> Response:
        """Answer one question at the clock's time."""
        with self.lock:
            now = self._clock.now()
            if self._folder is not None:
                self._folder.take_up(now)
            response = answer(self.world, ask, now)
            if self._folder is not None and ask.service == "control" and ask.method == "PUT":
                self._folder.put_down()
            return response


class _Listener(ThreadingHTTPServer):
    """One port."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, emulator: EmulatorServer, service: Service, port: int) -> None:
        self.emulator = emulator
        self.service = service
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name=f"emulated-{service}", daemon=True
        )
        super().__init__((LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server what this host is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    def begin(self) -> None:
        """Answer in a thread of its own."""
        self._thread.start()

    def end(self) -> None:
        """Stop listening and close what is open."""
        self.shutdown()
        self.server_close()
        with self._open_lock:
            for connection in self._open:
                _close_at_once(connection)
        self._thread.join(timeout=2)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection while it is open."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is not worth a traceback."""


def _close_at_once(connection: socket.socket) -> None:
    """Reset a connection, as a closed port would: the client sees no answer at all."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    """One connection. Headers and body leave in one packet, without waiting for more."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._answer()

    def do_PUT(self) -> None:
        """Answer a PUT."""
        self._answer()

    def _answer(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        parts = urlsplit(self.path)
        ask = Ask(
            service=self.server.service,
            path=parts.path,
            method=self.command,
            query=parts.query,
            headers=tuple(self.headers.items()),
            body=body,
        )
        response = self.server.emulator.answer(ask)
        if response.refused:
            self.close_connection = True
            _close_at_once(self.connection)
            return
        self.send_response_only(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Keep quiet: the access log of an emulated node tells nothing."""
