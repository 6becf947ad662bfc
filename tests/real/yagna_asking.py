"""A genuine daemon asked what the protocol wants to know, with orch's own way of asking but without an engine."""

from __future__ import annotations

import time

from orch.model.wire import FileRead, HttpRequest, NoReply, Reply, Secret
from orch.protocols.base import Context
from orch.protocols.golem import PROTOCOL
from orch.protocols.golem_memory import GolemOptions
from orch.system.exchange import Got, ask_http
from orch.system.local import do_here
from orch.system.wires import CuttableAdapter, Cutter


def begin(yagna, app_key=None):
    """An empty memory of the daemon's node."""
    options = GolemOptions(url=yagna.base_url, app_key=Secret(value=app_key or yagna.app_key))
    return PROTOCOL.begin(options, Context(node="compute", host="here"))


def ask(memory, key, request, now):
    """One question, with its limits; the memory with the answer, or with its failure."""
    outcome = _over_http(request, now) if isinstance(request, HttpRequest) else do_here(request, lambda: False)
    said = {"status": outcome.status, "headers": outcome.headers, "body": outcome.body, "elapsed_s": 0.0}
    if isinstance(outcome, Got):
        return PROTOCOL.absorb(memory, key, Reply(**said, received_at=now), now)
    why = {"reason": outcome.reason, "sentence": outcome.sentence, "retryable": outcome.retryable}
    return PROTOCOL.failed(memory, key, NoReply(**said, **why, failed_at=now), now)


def _over_http(request, now):
    adapter, began = CuttableAdapter(), time.monotonic()
    with Cutter(began + request.deadline_s) as cutter:
        outcome = ask_http(adapter, request, cutter, now)
    adapter.close()
    return outcome


def ask_everything(memory, now):
    """All endpoints that need no file, until nothing new is to be asked."""
    done = set()
    while new := [
        endpoint
        for endpoint in PROTOCOL.endpoints(memory, now)
        if endpoint.key not in done and not isinstance(endpoint.request, FileRead)
    ]:
        for endpoint in new:
            done.add(endpoint.key)
            memory = ask(memory, endpoint.key, endpoint.request, now)
    return memory
