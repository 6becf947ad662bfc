"""Whether a lever that failed may have changed something all the same: told from what it asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.wire import CommandRun, FileRead, FileWrite, HttpRequest, NoReply, Pause, ToolCall

if TYPE_CHECKING:
    from orch.model.wire import Reply, Request

LOOKING = frozenset({"inspect", "stats", "get", "find"})
"""What managers are asked without changing anything."""


def may_have_changed(request: Request, answer: Reply | NoReply) -> bool:
    """Whether the world may differ after this request: it took, or nobody knows.

    A file that was not written is as it was, and a manager or a node that says no has done nothing. A program that
    failed may have come half-way.
    """
    match request:
        case FileRead() | Pause() | HttpRequest(method="GET"):
            return False
        case ToolCall(action=action) if action in LOOKING:
            return False
        case FileWrite() | HttpRequest() | ToolCall():
            return not isinstance(answer, NoReply) or answer.reason in {"timeout", "unreachable"}
        case CommandRun():
            return not isinstance(answer, NoReply) or answer.reason not in {"missing_file", "permission"}
        case _:
            return True
