"""Pulling levers without an engine: on the real host, or on one that is a dictionary."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from orch.model.wire import CommandRun, FileRead, FileWrite, HttpRequest, NoReply, Pause, Reply
from orch.system.exchange import Got
from orch.system.local import do_here

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)


def good(body=b"", status=200):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, headers=(), body=body, received_at=NOW, elapsed_s=0.0)


def bad(reason, sentence):
    return NoReply(reason=reason, sentence=sentence, retryable=True, failed_at=NOW, elapsed_s=0.0)


def pull(task, world):
    """Drive a lever's task to its end against `world(request) -> Reply | NoReply`; its value."""
    answer = None
    while True:
        try:
            request = next(task) if answer is None else task.send(answer)
        except StopIteration as end:
            return end.value
        answer = world(request)


def this_host(request):
    """The real outside world, all but HTTP."""
    found = do_here(request, lambda: False)
    return good(found.body) if isinstance(found, Got) else bad(found.reason, found.sentence)


class PaperHost:
    """Files in a dictionary, everything else by functions; remembers what was done.

    `http`, `tool` and `command` take a request and give a reply. A function in `on_write` sees each write.
    """

    def __init__(self, files=None, *, http=None, tool=None, command=None, on_write=None):
        self.files = {
            "/sys/devices/system/cpu/online": b"0-3\n",
            "/proc/meminfo": b"MemTotal:       15625000 kB\n",  # 16 GB
            **(files or {}),
        }
        self.http, self.tool, self.command, self.on_write = http, tool, command, on_write
        self.done = []

    def __call__(self, request):
        match request:
            case FileRead(path=path):
                if path not in self.files:
                    return bad("missing_file", f"{path} does not exist")
                return good(self.files[path])
            case FileWrite(path=path, body=body, expected=expected):
                return self._write(request, path, body, expected)
            case CommandRun(argv=argv):
                self.done.append(" ".join(argv))
                return self.command(request)
            case HttpRequest():
                return self.http(request)
            case Pause(seconds=seconds):
                self.done.append(f"pause {seconds:g}")
                return good()
        self.done.append(f"{request.tool} {request.action} {request.body.decode()}")
        return self.tool(request)

    def _write(self, request, path, body, expected):
        if path not in self.files:
            return bad("missing_file", f"{path} does not exist")
        if expected is not None and self.files[path] != expected:
            return bad("conflict", f"{path} was changed by somebody else meanwhile")
        if self.on_write is not None and (refused := self.on_write(request)) is not None:
            return refused
        self.done.append(
            f"{path.rpartition('/')[2]} = {body.decode().strip()}" if request.in_place else f"write {path}"
        )
        self.files[path] = body
        return good()
