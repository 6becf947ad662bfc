"""The server in a thread of its own: started with a deadline, stopped promptly."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import TYPE_CHECKING

from orch.errors import EngineError
from orch.web.app import create_app

if TYPE_CHECKING:
    from orch.web.backend import Backend

START_WITHIN_S = 10.0
STOP_WITHIN_S = 2.0

log = logging.getLogger(__name__)


class WebServer:
    """Serves a backend on an address until `stop`."""

    def __init__(self, backend: Backend, bind: str, port: int) -> None:
        self._backend = backend
        self._bind = bind
        self._port = port
        self._thread: threading.Thread | None = None
        self._server: object | None = None
        self.url: str | None = None

    def start(self) -> str:
        """Listen; returns the URL. Raises EngineError when the port is taken or the server does not come up."""
        import uvicorn

        listener = listen(self._bind, self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(self._backend, self._bind),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=15,
            server_header=False,
        )
        server = uvicorn.Server(config)
        self._server = server
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
        """Stop listening and end the thread."""
        if self._server is not None:
            self._server.should_exit = True  # type: ignore[attr-defined]
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)
            if self._thread.is_alive():
                log.warning("the HTTP interface did not stop in time")


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket on an address; any free port for 0. Raises EngineError when the port is taken."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise EngineError(
            f"the port {port} on {bind} is not free ({error.strerror}); set another one with --port or [web] port"
        ) from error
    return listener
