"""What is done in a thread of its own without a request and one answer: files, programs, managers, listening."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from orch.model.wire import CommandRun, FileRead, FileWrite, HttpRequest, Listen, Pause
from orch.system.commands import run_command
from orch.system.exchange import Got, Missed, read_file, where
from orch.system.files import write_file
from orch.system.listening import listen
from orch.system.managers import call_manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.model.wire import Request, ToolCall

LOOK_EVERY_S = 0.2


def place_of(request: Request) -> str:
    """Where a request goes, as far as it may be shown: a query, a header or an argument may hold a credential."""
    match request:
        case HttpRequest(url=url) | Listen(url=url):
            return where(url)
        case FileRead(path=path) | FileWrite(path=path):
            return path
        case CommandRun(argv=argv):
            return os.path.basename(argv[0]) if argv else "no program"  # noqa: PTH119 - a name to show
        case Pause():
            return "a pause"
        case _:
            return request.tool


def do_here(
    request: FileRead | FileWrite | CommandRun | ToolCall | Pause | Listen, stopped: Callable[[], bool]
) -> Got | Missed:
    """Do it in the calling thread; never raises.

    Args:
        request: What to do.
        stopped: Whether the caller gave up: a program is ended then.
    """
    match request:
        case FileRead():
            return read_file(request)
        case FileWrite():
            return write_file(request)
        case CommandRun():
            return run_command(request, stopped)
        case Listen():
            return listen(request, stopped)
        case Pause(seconds=seconds):
            _pause(seconds, stopped)
            return Got(status=200, headers=(), body=b"")
        case _:
            return call_manager(request)


def _pause(seconds: float, stopped: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    waiting = threading.Event()
    while (left := until - time.monotonic()) > 0 and not stopped():
        waiting.wait(min(left, LOOK_EVERY_S))
