"""Are a configuration's nodes emulated? Asked once, before a new data directory gets its kind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orch.model.wire import HttpRequest
from orch.protocols import registry
from orch.protocols.attend import EMULATED_HEADER
from orch.protocols.base import Context

if TYPE_CHECKING:
    from orch.config.schema import Config

WITHIN_S = 2.0


def answers_as_emulated(config: Config) -> bool:
    """Whether some node says that it is emulated; a node that does not answer says nothing."""
    now = datetime.now(UTC)
    asked = []
    for node in config.nodes:
        if any(lever.kind == "emulated" for lever in node.levers):
            return True
        spec = registry.load(node.protocol)
        memory = spec.begin(node.options, Context(node=node.name, host="", base_dir=str(config.base_dir)))
        first = next((each.request for each in spec.endpoints(memory, now) if each.vital), None)
        if isinstance(first, HttpRequest):
            asked.append(first)
    if not asked:
        return False
    with ThreadPoolExecutor(max_workers=min(8, len(asked))) as pool:
        return any(pool.map(_says_emulated, asked))


def _says_emulated(request: HttpRequest) -> bool:
    import requests

    with requests.Session() as session:
        session.trust_env = False
        headers = dict(request.headers) | {name: secret.value for name, secret in request.secret_headers}
        try:
            answer = session.request(
                request.method,
                request.url,
                headers=headers,
                data=request.body,
                timeout=WITHIN_S,
                stream=True,
                allow_redirects=False,
            )
        except requests.RequestException:
            return False
        with answer:
            return EMULATED_HEADER in answer.headers
