"""The HTTP interface: reads hand out what is there already, orders become messages and answer 202.

Routes live in modules of their own, each with its `ROUTES`; here they are put together behind one guard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from orch.errors import OrchError
from orch.system.clock import RealClock
from orch.web import (
    actions,
    board_routes,
    history_routes,
    login_routes,
    order_routes,
    page_files,
    reporting,
    silences,
)
from orch.web.board_routes import Parts
from orch.web.described import Document, openapi
from orch.web.desk import Desk
from orch.web.guard import COOKIE, guard
from orch.web.refusals import on_anything, on_http, on_orch
from orch.web.sessions import Sessions
from orch.web.shield import LARGEST_BODY, Shield
from orch.web.streams import Streams

if TYPE_CHECKING:
    from orch.web.backend import Backend

EXPORTS_AT_ONCE = 2
EXPORT_WITHIN_S = 600.0


class WebApp(Shield):
    """The whole interface as an ASGI application.

    `streams` are the open ones; `close` ends them and what is being asked, and may be called from any thread.
    """

    def __init__(self, litestar: Litestar, bind: str, names: tuple[str, ...]) -> None:
        super().__init__(litestar, bind, names)
        state = litestar.state
        state.answers = self.answers
        self.litestar = litestar
        self.streams: Streams = state.streams
        self._desks: tuple[Desk, ...] = (state.desk, state.exports)

    def close(self) -> None:
        """Stop answering what takes long."""
        self.streams.close()
        for desk in self._desks:
            desk.close()


def create_app(backend: Backend, bind: str = "127.0.0.1", port: int = 8787) -> WebApp:
    """The app over a backend; `bind` and `port` are where it will be found."""
    cookie = COOKIE.format(port=port)
    state: dict[str, Any] = {
        "backend": backend,
        "cookie": cookie,
        "sessions": Sessions(backend.token, RealClock().now),
        "parts": Parts(backend.board),
        "streams": Streams(backend.board),
        "desk": Desk(backend.shelf),
        "exports": Desk(backend.shelf, EXPORTS_AT_ONCE, EXPORT_WITHIN_S),
    }
    routes = [
        *board_routes.ROUTES,
        *history_routes.ROUTES,
        *login_routes.ROUTES,
        *order_routes.ROUTES,
        *actions.ROUTES,
        *silences.ROUTES,
        *reporting.ROUTES,
    ]
    if backend.page:
        routes += page_files.ROUTES
        state["page"] = page_files.installed_page()
    document = Document(open_reads=backend.open_reads)
    litestar = Litestar(
        route_handlers=routes,
        guards=[guard],
        state=State(state),
        openapi_config=openapi(backend.version, cookie, document),
        exception_handlers={HTTPException: on_http, OrchError: on_orch, Exception: on_anything},
        debug=False,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )
    document.read_options(litestar.routes)
    return WebApp(litestar, bind, backend.names)
