"""The OpenAPI document: Litestar's, with what every route may answer besides, and how one proves who one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from orch.web.refusals import MEANINGS, refusal

if TYPE_CHECKING:
    from litestar import Request

ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
ANYWHERE = (400, 401, 403, 500)
"""What any route may answer: a Host or Origin that is not ours, no token, a fault of ours."""
ORDERS = (413, 415)


class Document(JsonRenderPlugin):
    """The document as JSON, put together when it is first asked for."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")
        self._body: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        """The encoded document."""
        if self._body is None:
            self._body = msgspec.json.encode(completed(openapi_schema))
        return self._body


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the refusals that stand before every route, declared at each of them."""
    for operations in document["paths"].values():
        for method, operation in operations.items():
            statuses = ANYWHERE if method == "get" else (*ANYWHERE, *ORDERS)
            for status in statuses:
                known = operation["responses"].setdefault(str(status), {"description": MEANINGS[status]})
                known["content"] = ERROR
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return document


def openapi(version: str, cookie: str) -> OpenAPIConfig:
    """How the interface is described, at `/schema/openapi.json`; nothing of it comes from outside."""
    return OpenAPIConfig(
        title="orch",
        version=version,
        summary="What nodes on one host earn, how they share it, and what orch does about it.",
        components=Components(
            security_schemes={
                "token": SecurityScheme(
                    type="http", scheme="bearer", description="The token in web.token of the data directory"
                ),
                "session": SecurityScheme(
                    type="apiKey",
                    name=cookie,
                    security_scheme_in="cookie",
                    description="Of POST /api/v1/login, for browsers",
                ),
            }
        ),
        security=[{"token": []}, {"session": []}],
        openapi_router=Router(path="/schema", route_handlers=[], after_request=_in_one_shape),
        render_plugins=[Document()],
    )


def _in_one_shape(response: Response[Any]) -> Response[Any]:
    """Litestar answers unknown addresses beside the document with a page of its own."""
    return refusal(404, "There is nothing but /schema/openapi.json") if response.status_code == 404 else response
