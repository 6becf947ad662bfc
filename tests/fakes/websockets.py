"""A websocket server that says what it is told to, and then goes on as it is told to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket

from tests.fakes.listening import Attendant

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING = 1, 8, 9


def frame(text, kind=TEXT):
    """One unmasked frame, as a server sends it."""
    body = text.encode()
    length = bytes([len(body)]) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
    return bytes([0x80 | kind]) + length + body


class Server(Attendant):
    """Takes one connection after the other; `asked` are the lines of their requests.

    `status` other than 101 refuses; `sends` are sent after the upgrade, and then the connection stays open, unless
    `closes`.
    """

    def __init__(self, *sends, status=101, closes=False, location=None):
        self.asked = []
        self._sends = sends
        self._status = status
        self._closes = closes
        self._location = location
        self._open = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        super().__init__(listener)

    def attend(self, connection):
        self._open.append(connection)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        lines = head.decode().split("\r\n")
        self.asked.append(lines[0])
        connection.sendall(self._answer(lines))
        # Whoever has heard enough hangs up while there is more to say.
        with contextlib.suppress(ConnectionError):
            for each in self._sends if self._status == 101 else ():
                connection.sendall(each)
        if self._closes or self._status != 101:
            connection.close()

    def _answer(self, lines):
        if self._status != 101:
            location = f"Location: {self._location}\r\n" if self._location else ""
            return f"HTTP/1.1 {self._status} No\r\n{location}Content-Length: 0\r\n\r\n".encode()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        accept = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + GUID).encode()).digest()).decode()
        return (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ).encode()

    def close(self):
        """Free the port and end all connections."""
        super().close()
        for each in self._open:
            each.close()
