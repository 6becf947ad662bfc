"""Programs are run to their end, or ended with all they started."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orch.model.wire import CommandRun
from orch.system.commands import run_command
from orch.system.exchange import Got, Missed


def python(code, **limits):
    return run_command(CommandRun(argv=(sys.executable, "-S", "-c", code), **{"deadline_s": 20.0, **limits}))


def test_what_it_prints_is_the_answer():
    found = python("import sys; sys.stdout.write(sys.stdin.read().upper())", body=b"abc" * 100_000)
    assert isinstance(found, Got)
    assert found.body == b"ABC" * 100_000


def test_input_that_nobody_reads_is_no_fault():
    assert python("pass", body=b"x" * 1_000_000) == Got(status=200, headers=(), body=b"")


def test_its_environment_holds_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("YAGNA_APPKEY", "hush")
    found = python("import os; print(sorted(os.environ))", environment=(("EXTRA", "1"),))
    assert isinstance(found, Got)
    assert set(eval(found.body)) - {"LC_CTYPE"} == {"EXTRA", "HOME", "LANG", "PATH"}


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; print('no such unit', file=sys.stderr); sys.exit(3)", "ended with 3: no such unit"),
        ("import os; os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
    ],
    ids=["status", "signal"],
)
def test_a_failure_is_told_in_its_last_words(code, sentence):
    found = python(code)
    assert isinstance(found, Missed)
    assert (found.reason, found.sentence) == ("failed", f"{Path(sys.executable).name} {sentence}")


def test_one_that_hangs_is_ended_with_its_children(tmp_path):
    note = tmp_path / "child"
    code = (
        "import os, time\n"
        f"pid = os.fork()\nif pid: open({str(note)!r}, 'w').write(str(pid))\n"
        "while True: time.sleep(60)"
    )
    found = python(code, deadline_s=1.5)
    assert isinstance(found, Missed)
    assert found.reason == "timeout"
    assert "did not end within 1.5 s and was stopped" in found.sentence
    child = int(note.read_text())
    until(lambda: not lives(child))


def lives(pid):
    """Whether a process still does anything: init may take a moment to bury it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_left_behind_does_not_hold_the_answer():
    code = "import os, signal\nif os.fork() == 0:\n    signal.pause()\nprint('done')"
    found = python(code, deadline_s=15.0)
    assert isinstance(found, Got)
    assert found.body == b"done\n"


def test_a_talker_is_cut_short():
    found = python("while True: print('x' * 1000)", max_bytes=10_000)
    assert isinstance(found, Missed)
    assert (found.reason, found.retryable) == ("too_large", False)


def test_the_engine_stopping_ends_it():
    order = CommandRun(argv=(sys.executable, "-S", "-c", "import signal; signal.pause()"), deadline_s=60.0)
    found = run_command(order, stopped=lambda: True)
    assert isinstance(found, Missed)
    assert found.reason == "timeout"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ((), "failed"),
        (("/no/such/program",), "missing_file"),
        (("/etc/passwd",), "permission"),
        (("a\0b",), "failed"),
    ],
    ids=["nothing", "missing", "not a program", "impossible"],
)
def test_one_that_cannot_be_started_is_told(argv, reason):
    found = run_command(CommandRun(argv=argv))
    assert isinstance(found, Missed)
    assert found.reason == reason


def test_no_signal_of_ours_is_lost():
    before = signal.getsignal(signal.SIGCHLD)
    python("pass")
    assert signal.getsignal(signal.SIGCHLD) is before


ORPHAN = """
import sys
import threading
import time
from orch.model.wire import CommandRun
from orch.system.commands import run_command
script = "(sleep 60; true) & echo $$ $! > {note}.new; mv {note}.new {note}; sleep 60"
run_command(CommandRun(argv=("/bin/sh", "-c", script.format(note=sys.argv[1])), deadline_s=60.0))
"""


def test_killed_in_the_middle_of_an_order_nothing_carries_it_out_later(tmp_path):
    note = tmp_path / "program"
    with subprocess.Popen([sys.executable, "-c", ORPHAN, note]) as orch:
        until(note.exists)
        started = note.read_text().split()
        assert all(lives(pid) for pid in started)
        orch.kill()
    until(lambda: not any(lives(pid) for pid in started))


def until(what, within_s=30.0):
    """Wait for something that another process does."""
    waiting, deadline = threading.Event(), time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        waiting.wait(0.01)


def test_the_words_of_a_program_are_read_by_no_shell():
    words = ("$HOME", "`id`", "; exit 3", "a  b", "*", "")
    found = run_command(CommandRun(argv=("printf", "<%s>", *words), deadline_s=20.0))
    assert isinstance(found, Got)
    assert found.body.decode() == "".join(f"<{word}>" for word in words)
