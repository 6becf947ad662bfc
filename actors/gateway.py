"""Hosts the HTTP interface: the server has a thread of its own, orders become messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.base import Actor, House

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.messages import GatewayInbox
    from orch.web.server import WebServer


class Gateway(Actor):
    """Alive as long as the server is."""

    def __init__(
        self, name: str, house: House, make: Callable[[], WebServer], started: Callable[[str], None]
    ) -> None:
        super().__init__(name, house)
        self._make = make
        self._started = started
        self._server: WebServer | None = None

    def ready(self) -> None:
        """Start the server and say where it is."""
        self._server = self._make()
        self._started(self._server.start())

    def handle(self, message: GatewayInbox) -> object:
        """Nothing but questions, which every actor answers."""
        return message

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop()
