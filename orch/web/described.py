"""The OpenAPI document: Litestar's, with what every route may answer besides, and how one proves who one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

from orch.web.refusals import MEANINGS, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar import Request
    from litestar.routes import BaseRoute

SCHEMAS = "#/components/schemas/{name}"
ERROR = {"application/json": {"schema": {"$ref": SCHEMAS.format(name="ErrorBody")}}}
ANYWHERE = (400, 401, 403, 500)
"""What any route may answer: a Host or Origin that is not ours, no token, a fault of ours."""
ORDERS = (413, 415)
PROOFS: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]


class Document(JsonRenderPlugin):
    """The document as JSON, put together when it is first asked for."""

    def __init__(self, *, open_reads: bool) -> None:
        super().__init__(path="/openapi.json")
        self._open_reads = open_reads
        self._options: dict[tuple[str, str], dict[str, Any]] = {}
        self._body: bytes | None = None

    def read_options(self, routes: Iterable[BaseRoute]) -> None:
        """Remember of every route whether it is `open`, what body it `takes`, and its other media `kinds`."""
        for route in routes:
            if isinstance(route, HTTPRoute):
                for handler in route.route_handlers:
                    for method in handler.http_methods:
                        self._options[route.path_format, method.lower()] = dict(handler.opt)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        """The encoded document."""
        if self._body is None:
            self._body = msgspec.json.encode(self._completed(openapi_schema))
        return self._body

    def _completed(self, document: dict[str, Any]) -> dict[str, Any]:
        schemas = document["components"]["schemas"]
        paths = {path: each for path, each in document["paths"].items() if path not in BESIDE}
        own = paths[ITSELF]["get"]["responses"]["200"]
        own["content"] = {"application/vnd.oai.openapi+json": {"schema": {"type": "object"}}}
        for path, operations in paths.items():
            for method, operation in operations.items():
                options = self._options.get((path, method), {})
                _add_refusals(operation, method)
                _add_proofs(
                    operation, is_open=bool(options.get("open")), is_read=method == "get" and self._open_reads
                )
                for parameter in operation.get("parameters", ()):
                    _leave_out_null(parameter)
                for kind in options.get("kinds", ()):
                    operation["responses"]["200"]["content"].setdefault(kind, {})
                if "takes" in options:
                    (body,), taken = msgspec.json.schema_components([options["takes"]], ref_template=SCHEMAS)
                    is_needed = any(field.required for field in msgspec.structs.fields(options["takes"]))
                    content = {"application/json": {"schema": body}}
                    operation["requestBody"] = {"content": content, "required": is_needed}
                    schemas.update(taken)
        return {**document, "paths": paths}


ITSELF = "/schema/openapi.json"
BESIDE = ("/schema", "/schema/{path}")
"""Addresses that Litestar adds of itself."""


def openapi(version: str, cookie: str, document: Document) -> OpenAPIConfig:
    """How the interface is described, at `/schema/openapi.json`; nothing of it comes from outside."""
    return OpenAPIConfig(
        title="orch",
        version=version,
        summary="What nodes on one host earn, how they share it, and what orch does about it.",
        use_handler_docstrings=True,
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
        security=list(PROOFS),
        openapi_router=Router(path="/schema", route_handlers=[], after_request=_in_one_shape),
        render_plugins=[document],
    )


def _in_one_shape(response: Response[Any]) -> Response[Any]:
    """Litestar answers unknown addresses beside the document with a page of its own."""
    return refusal(404, "There is nothing but /schema/openapi.json") if response.status_code == 404 else response


def _add_refusals(operation: dict[str, Any], method: str) -> None:
    """What stands before every route."""
    for status in ANYWHERE if method == "get" else (*ANYWHERE, *ORDERS):
        known = operation["responses"].setdefault(str(status), {"description": MEANINGS[status]})
        known["content"] = ERROR
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _add_proofs(operation: dict[str, Any], *, is_open: bool, is_read: bool) -> None:
    if is_open:
        operation["security"] = []
    elif is_read:
        operation["security"] = [{}, *PROOFS]


def _leave_out_null(parameter: dict[str, Any]) -> None:
    """What is not asked with is left out of the address: nothing there says null."""
    schema = parameter.get("schema", {})
    said = [each for each in schema.get("oneOf", ()) if each.get("type") != "null"]
    if len(said) == 1:
        parameter["schema"] = {**said[0], **{key: each for key, each in schema.items() if key != "oneOf"}}
