"""A small server over a raw socket, for tests that say themselves what goes over it."""

import socket
import threading


class Attendant:
    """Takes one connection after another, on a thread of its own, until `close`; `attend` is for its heir."""

    def __init__(self, listener):
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.attend(connection)

    def attend(self, connection):
        raise NotImplementedError

    def close(self):
        """Free the port, and let the thread end."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)
