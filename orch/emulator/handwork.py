"""What levers ask of their host, answered in process: the emulated nodes' files, the restart, the waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orch.emulator import files
from orch.emulator.answers import answer
from orch.emulator.asks import Ask
from orch.model.wire import CommandRun, FileRead, FileWrite, NoReply, Pause, Reply, ToolCall

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World
    from orch.model.readings import Reason
    from orch.model.wire import Request

ROOT = "/emulated"
"""Where the files are in process."""
FILE_S = 0.0005
RESTART_S = 0.3


def do_in_process(world: World, request: Request, now: datetime) -> tuple[Reply | NoReply, float]:
    """Do it at a time, with the seconds that it takes. Of writes no backup is kept."""
    match request:
        case FileRead(path=path):
            body = files.content(world, _name(path))
            done = _missing(path, now) if body is None else _good(body, now)
            return done, FILE_S
        case FileWrite():
            return _write(world, request, now), FILE_S
        case CommandRun(argv=argv):
            return _run(world, argv, now), RESTART_S
        case Pause(seconds=seconds):
            return _good(b"", now), seconds
        case ToolCall(tool="processes"):
            # Emulated nodes are no processes: nothing overrules their files.
            return _good(b"[]", now), FILE_S
        case _:
            return _bad("refused", "there is nothing of the kind in the emulated world", now), FILE_S


def _name(path: str) -> str:
    return path.removeprefix(f"{ROOT}/")


def _write(world: World, order: FileWrite, now: datetime) -> Reply | NoReply:
    name = _name(order.path)
    before = files.content(world, name)
    if before is None:
        return _missing(order.path, now)
    if order.expected is not None and order.expected != before:
        return _bad("conflict", f"{order.path} was changed by somebody else meanwhile", now)
    files.put(world, name, order.body, now)
    return _good(b"", now)


def _run(world: World, argv: tuple[str, ...], now: datetime) -> Reply | NoReply:
    url = urlsplit(argv[-1] if argv else "")
    response = answer(world, Ask(service="control", path=url.path, method="POST"), now)
    if response.status != 202:
        said = response.body.decode(errors="replace")
        return _bad("failed", f"the restart was refused with status {response.status}: {said}", now)
    return _good(b"", now)


def _good(body: bytes, now: datetime) -> Reply:
    return Reply(status=200, headers=(), body=body, received_at=now, elapsed_s=0.0)


def _missing(path: str, now: datetime) -> NoReply:
    return _bad("missing_file", f"{path} does not exist", now)


def _bad(reason: Reason, sentence: str, now: datetime) -> NoReply:
    return NoReply(reason=reason, sentence=sentence, retryable=True, failed_at=now, elapsed_s=0.0)
