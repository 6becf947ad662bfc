import queue
import socket
import threading
from contextlib import suppress

import pytest

from orch.system.clock import RealClock
from orch.system.transport import HttpTransport


class Inbox:
    """A directory with one inbox for everybody."""

    def __init__(self):
        self.told = queue.Queue()

    def tell(self, name, message):
        self.told.put((name, message))
        return True

    def answer(self, within=20.0):
        """The next answer told."""
        return self.told.get(timeout=within)[1]


class Server:
    """A loopback server that runs `script(server, connection)` on every connection, over a raw socket."""

    def __init__(self, script):
        self.script = script
        self.stop = threading.Event()
        self.connections = []
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while not self.stop.is_set():
            with suppress(OSError):
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                thread = threading.Thread(target=self.run, args=(connection,))
                self.threads.append(thread)
                thread.start()

    def run(self, connection):
        with suppress(OSError), connection:
            self.script(self, connection)

    def read(self, connection):
        """One request without a body; empty when the client has gone."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            part = connection.recv(4096)
            if not part:
                return b""
            seen += part
        self.requests.append(seen)
        return seen

    def close(self):
        self.stop.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def transport(inbox):
    made = HttpTransport(inbox, RealClock())
    yield made
    made.close()


@pytest.fixture
def serve():
    servers = []

    def start(script):
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def serve_bytes(serve):
    """A server that answers every request with these bytes and closes."""

    def start(content):
        def script(server, connection):
            server.read(connection)
            connection.sendall(content)

        return serve(script)

    return start


@pytest.fixture
def ask(transport, inbox):
    """Fetch and wait for the answer."""

    def one(request, node="disk", lane="fast"):
        transport.fetch(request, reply_to="me", key="k", node=node, lane=lane)
        answered = inbox.answer()
        assert answered.key == "k"
        return answered.reply

    return one
