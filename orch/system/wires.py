"""HTTP connections that another thread can cut at any moment.

The timeouts of `requests` hold per read, so a server that sends a byte now and then is never timed out.
Here every socket in use is known to the `Cutter` of the call it serves, from before it connects, and
cutting shuts it down, which wakes whatever read, write or connect is blocked on it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

_serving = threading.local()


class Cutter:
    """Ends one call from another thread: at its deadline, or when the engine stops.

    Use it as a context manager around the call: sockets opened or reused in that thread meanwhile are
    attached to it.

    Args:
        deadline: `time.monotonic()` seconds.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self.is_cut = False
        self.reused = False
        """Whether the newest attached connection had served before."""

    def __enter__(self) -> Self:
        _serving.cutter = self
        return self

    def __exit__(self, *_: object) -> None:
        _serving.cutter = None
        with self._lock:
            self._drop()

    def left(self) -> float:
        """Real seconds until the deadline, never below a millisecond."""
        return max(self.deadline - time.monotonic(), 0.001)

    def attach(self, used: socket.socket, *, reused: bool) -> None:
        """Let `cut` reach this socket; at once when the call has been cut already."""
        with self._lock:
            self._drop()
            # A duplicate of the descriptor: it stays good when TLS replaces the socket object, and when the
            # connection is let go while its answer is still being read.
            self._handle = socket.socket(used.family, used.type, used.proto, fileno=os.dup(used.fileno()))
            self.reused = reused
            if self.is_cut:
                self._shut()

    def cut(self) -> None:
        """End whatever the call is blocked on. Any thread, any number of times."""
        with self._lock:
            self.is_cut = True
            self._shut()

    def _shut(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


class _Cuttable(HTTPConnection):
    """A connection that attaches its socket to the cutter of the thread it works for."""

    _served = False

    def _new_conn(self) -> socket.socket:
        cutter: Cutter | None = getattr(_serving, "cutter", None)
        host = self.host.strip("[]")
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            wrapped = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, wrapped) from error
        failure: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in found:
            try:
                return self._connect(family, kind, protocol, address, cutter)
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "connecting took too long") from failure
        raise NewConnectionError(self, str(failure)) from failure

    def _connect(
        self, family: int, kind: int, protocol: int, address: Any, cutter: Cutter | None
    ) -> socket.socket:
        made = socket.socket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                made.setsockopt(*option)
            self._served = False
            if cutter is not None:
                cutter.attach(made, reused=False)
                made.settimeout(cutter.left())
            made.connect(address)
        except BaseException:
            made.close()
            raise
        return made

    def request(self, *arguments: Any, **named: Any) -> None:
        """Attach, then send as usual."""
        cutter: Cutter | None = getattr(_serving, "cutter", None)
        if cutter is not None and self.sock is not None:
            cutter.attach(self.sock, reused=self._served)
        super().request(*arguments, **named)
        self._served = True


class _CuttableTls(_Cuttable, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Cuttable


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _CuttableTls


class CuttableAdapter(HTTPAdapter):
    """The `requests` adapter over such connections: kept alive per host, no retries of its own.

    Used without a session, so neither proxies nor credentials come from the environment, and no cookie
    is ever kept.
    """

    def __init__(self) -> None:
        super().__init__(pool_connections=512, pool_maxsize=32, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """The usual pools, with connections that can be cut."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
