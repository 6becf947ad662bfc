"""An engine from start to end."""

from __future__ import annotations

import io
import os
import signal
import threading
from datetime import timedelta

import msgspec
import pytest

from orch.cli import console, session
from orch.cli.session import run_engine
from orch.errors import DataDirError
from orch.model.board import Dashboard


class FakeEngine:
    """Publishes the boards it is given, one per wait; then does `at_end`."""

    kind = "emulated"
    speed = 60.0
    url = None
    warnings = ("disk: no lever; add one",)

    def __init__(self, data_dir, boards=(), at_end=lambda: None, trouble=None):
        self.data_dir = data_dir
        self._boards = [msgspec.json.encode(board) for board in boards]
        self._at_end = at_end
        self._trouble = trouble
        self._shown = 0
        self.calls = []

    def start(self):
        self.calls.append("start")
        if self._trouble is not None:
            raise self._trouble
        self.url = "http://127.0.0.1:1"

    def stop(self):
        self.calls.append("stop")

    def board(self):
        return self._boards[self._shown - 1] if self._shown else None

    def await_board(self, seen, within_s):
        assert 0 < within_s <= session.LOOK_S
        if self._shown < len(self._boards):
            self._shown += 1
        else:
            self._at_end()
        return self._shown


@pytest.fixture
def quiet(monkeypatch):
    """Logging as it was before, afterwards."""
    import logging

    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_and_the_handlers_are_put_back(quiet, tmp_path, make, capsys, number):
    before = [signal.getsignal(each) for each in session.SIGNALS]
    boards = (make.board(recent_changes=()), make.board(recent_changes=(make.move("r5"),)))
    engine = FakeEngine(tmp_path, boards, lambda: os.kill(os.getpid(), number))
    run_engine(engine, None, emulated=True)
    assert engine.calls == ["start", "stop"]
    assert [signal.getsignal(each) for each in session.SIGNALS] == before
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "EMULATED" in lines[0]
    assert lines[1] == f"Data lies in {tmp_path}"
    assert "orch.toml" in lines[2]
    assert lines[3] == (
        "Ran for 0 s; moves: 1 settled; income now (emulated): 0.0424 USD/h (0.0339 to 0.0509, accrued)"
    )
    assert str(tmp_path) in lines[4]
    assert [line.partition(" cli.run: ")[2].split(";")[0] for line in err.splitlines()] == [
        "started with emulated nodes at 60x",
        "disk: no lever",
        "decision: Stay: disk rests.",
        "reallocation r5 settled: disk cores 6 → 1.5: Move 4.5 cores from disk to compute.",
    ]


def test_it_ends_by_itself_after_its_real_time(quiet, tmp_path, make, capsys):
    engine = FakeEngine(tmp_path, (make.board(),))
    run_engine(engine, timedelta(milliseconds=50), emulated=False)
    assert engine.calls == ["start", "stop"]
    assert capsys.readouterr().out.startswith(f"orch on your nodes; data in {tmp_path}")


def test_an_engine_that_cannot_start_is_stopped_and_says_why(quiet, tmp_path):
    engine = FakeEngine(tmp_path, trouble=DataDirError("in use by process 7"))
    with pytest.raises(DataDirError, match="process 7"):
        run_engine(engine, None, emulated=True)
    assert engine.calls == ["start", "stop"]


def test_a_summary_line_comes_every_minute(quiet, tmp_path, make, capsys, monkeypatch):
    monkeypatch.setattr(session, "SUMMARY_S", 0.0)
    run_engine(FakeEngine(tmp_path, (make.board(),)), timedelta(milliseconds=20), emulated=True)
    assert "0.0424 USD/h (0.0339 to 0.0509), leaves out address; 3 of 3 nodes online" in capsys.readouterr().err


def test_secrets_do_not_reach_the_log(quiet, tmp_path, make, capsys):
    board = make.board(alerts=(make.alert(sentence="the key hunter2hunter2 is refused"),))
    run_engine(
        FakeEngine(tmp_path, (board,)), timedelta(milliseconds=20), emulated=True, secrets=["hunter2hunter2"]
    )
    err = capsys.readouterr().err
    assert "hunter2" not in err
    assert "the key *** is refused" in err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_terminal_the_board_is_drawn_and_the_summary_follows_it(quiet, tmp_path, make, monkeypatch):
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setattr("sys.stdout", screen)
    engine = FakeEngine(tmp_path, (make.board(),))
    engine._shown = 1
    run_engine(engine, timedelta(milliseconds=50), emulated=True)
    shown = screen.getvalue()
    assert console.on_terminal()
    board = shown.rindex("EMULATED 60x")
    assert shown.index("its four nodes are EMULATED") < board < shown.index("Ran for 0 s")
    assert "\x1b[?25h" in shown[board:], "the cursor is shown again"


def test_waiting_for_the_next_look_ends_with_the_signal():
    event = threading.Event()
    until = session.Until(event, timedelta(hours=1))
    assert until.left_s() == session.LOOK_S
    event.set()
    until.pause()
    assert until.left_s() == 0.0
    assert session.Until(threading.Event(), timedelta(microseconds=1)).left_s() == 0.0


def test_the_board_that_was_watched_is_the_one_summed_up(tmp_path, make):
    engine = FakeEngine(tmp_path)
    watcher = session.Watcher()
    assert session.summary(engine, watcher, 61.0)[0] == (
        "Ran for 1 min; moves: none; income now (emulated): not known yet"
    )
    watcher.take(msgspec.json.decode(msgspec.json.encode(make.board()), type=Dashboard))
    assert "0.0424 USD/h" in session.summary(engine, watcher, 61.0)[0]
