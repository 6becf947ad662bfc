"""The server in a thread of its own: started with a deadline, stopped promptly."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orch.errors import EngineError
from orch.web.app import create_app
from orch.web.shield import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import uvicorn

    from orch.web.app import WebApp
    from orch.web.backend import Backend
    from orch.web.streams import Address

START_WITHIN_S = 10.0
STOP_WITHIN_S = 3.5
GRACEFUL_S = 2
BACKLOG = 256
NARROW_BYTES = 65_536
"""How much the kernel keeps on its way to the reader of a stream: a few boards."""
SHORTEST_TOKEN = 16

log = logging.getLogger(__name__)


class WebServer:
    """Serves a backend on an address until `stop`."""

    def __init__(self, backend: Backend, bind: str, port: int) -> None:
        self._backend = backend
        self._bind = bind
        self._port = port
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._app: WebApp | None = None
        self.url: str | None = None

    def start(self) -> str:
        """Listen; returns the URL.

        Raises:
            EngineError: The port is taken, the server does not come up, or it would answer everybody.
        """
        import uvicorn

        refuse_everybody(self._backend, self._bind)
        listener = listen(self._bind, self._port)
        self._port = listener.getsockname()[1]
        self._app = create_app(self._backend, self._bind, self._port)
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=GRACEFUL_S,
            timeout_keep_alive=15,
            server_header=False,
        )
        server = uvicorn.Server(config)
        self._server = server
        self._app.streams.lines = Lines(server)
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="orch-web", daemon=True
        )
        self._thread.start()
        end = time.monotonic() + START_WITHIN_S
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                raise EngineError(f"the HTTP interface on {self._bind}:{self._port} did not start")
            self._thread.join(0.01)
        shown = f"[{self._bind}]" if ":" in self._bind else self._bind
        self.url = f"http://{shown}:{self._port}"
        return self.url

    def stop(self) -> None:
        """End the streams, stop listening and end the thread."""
        if self._app is not None:
            self._app.close()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)
            if self._thread.is_alive():
                log.warning("the HTTP interface did not stop in time")


class Lines:
    """The server's open connections, for whoever knows only who is at the other end. For the web thread."""

    def __init__(self, server: uvicorn.Server) -> None:
        self._server = server

    def narrow(self, client: Address) -> None:
        """Keep little in the kernel on the way to this reader, so that nothing old queues up there."""
        for transport in self._to({client}):
            reached = transport.get_extra_info("socket")
            with suppress(OSError):  # it has just gone
                reached.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW_BYTES)

    def hang_up(self, clients: Iterable[Address]) -> None:
        """Drop these connections now, with what is still to be sent."""
        for transport in list(self._to(set(clients))):
            transport.abort()

    def _to(self, clients: set[Address]) -> Iterator[Any]:
        for connection in self._server.server_state.connections:
            if getattr(connection, "client", None) in clients:
                yield connection.transport


def refuse_everybody(backend: Backend, bind: str) -> None:
    """Raises EngineError where figures would be open to other hosts, or orders to everybody."""
    if len(backend.token) < SHORTEST_TOKEN:
        raise EngineError("the HTTP interface does not start without a token")
    if backend.open_reads and not is_loopback(bind):
        raise EngineError(f"reading without the token works on loopback only, and web.bind is {bind}")


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket on an address; any free port for 0. Raises EngineError when the port is taken."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    # Named TCP: only then does asyncio switch off Nagle's delay, which costs every answer 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise EngineError(
            f"the port {port} on {bind} is not free ({error.strerror}); set another one with --port or [web] port"
        ) from error
    return listener
