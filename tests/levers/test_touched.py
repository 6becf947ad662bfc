"""What a lever that failed may have left behind, by what it had asked."""

from __future__ import annotations

import pytest

from orch.levers.touched import may_have_changed
from orch.model.wire import CommandRun, FileRead, FileWrite, HttpRequest, Pause, ToolCall
from tests.fakes.hands import bad, good

WRITE = FileWrite(path="/x", body=b"")
PUT = HttpRequest(url="http://x", method="PUT")
UPDATE = ToolCall(tool="docker", action="update")
RUN = CommandRun(argv=("restart",))


@pytest.mark.parametrize(
    ("request_", "answer", "changed"),
    [
        (FileRead(path="/x"), good(), False),
        (HttpRequest(url="http://x"), good(), False),
        (Pause(seconds=1.0), good(), False),
        *[(ToolCall(tool="docker", action=each), good(), False) for each in ("inspect", "stats", "get", "find")],
        *[(each, good(), True) for each in (WRITE, PUT, UPDATE, RUN)],
        *[(each, bad("timeout", "no answer"), True) for each in (WRITE, PUT, UPDATE, RUN)],
        (PUT, bad("unreachable", "the connection broke"), True),
        (WRITE, bad("conflict", "a symbolic link"), False),
        (PUT, bad("http_status", "409"), False),
        (UPDATE, bad("failed", "Docker refused"), False),
        (RUN, bad("failed", "ended with 1"), True),
        (RUN, bad("missing_file", "not found"), False),
    ],
)
def test_what_may_have_changed(request_, answer, changed):
    assert may_have_changed(request_, answer) is changed
