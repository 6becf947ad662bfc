"""An engine from start to end: said what it is, watched, stopped in order, summed up."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

import click

from orch.cli.options import is_debugging
from orch.cli.source import decode
from orch.cli.watcher import Watcher
from orch.cli.words import interval, span, usd_per_hour
from orch.model.board import Dashboard

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from pathlib import Path
    from types import FrameType

log = logging.getLogger("orch.cli.run")

LOOK_S = 0.25
"""Real seconds between two looks at the board; also how soon a signal is noticed."""
SUMMARY_S = 60.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Engine(Protocol):
    """What is needed of an engine."""

    @property
    def data_dir(self) -> Path:
        """Where its data lies."""

    @property
    def url(self) -> str | None:
        """Its HTTP interface, once it has started."""

    @property
    def speed(self) -> float:
        """Seconds of its clock per real second."""

    @property
    def kind(self) -> str:
        """`emulated` or `real`."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know of the configuration."""

    def start(self) -> None:
        """Start everything, or raise OrchError."""

    def stop(self) -> None:
        """Stop everything within five seconds."""

    def board(self) -> bytes | None:
        """The newest encoded board."""

    def await_board(self, seen: int, within_s: float) -> int:
        """Wait for a newer board; returns how many there were."""


class StopSignals:
    """An event that SIGINT and SIGTERM set while the block lasts; more of them change nothing."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> threading.Event:
        for each in SIGNALS:
            self._before[each] = signal.signal(each, self._set)
        return self._event

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _set(self, _: int, __: FrameType | None) -> None:
        self._event.set()


class Until:
    """When to stop: a signal, or a deadline in real time."""

    def __init__(self, event: threading.Event, lasting: timedelta | None) -> None:
        self._event = event
        self._begin = time.monotonic()
        self._end = None if lasting is None else self._begin + lasting.total_seconds()

    @property
    def elapsed_s(self) -> float:
        """Real seconds since the start."""
        return time.monotonic() - self._begin

    def left_s(self) -> float:
        """Real seconds that may be waited for the next look; 0 when it is over."""
        if self._event.is_set():
            return 0.0
        return LOOK_S if self._end is None else max(min(LOOK_S, self._end - time.monotonic()), 0.0)

    def pause(self) -> None:
        """Wait for the next look, or the end."""
        self._event.wait(self.left_s())


def run_engine(engine: Engine, lasting: timedelta | None, *, emulated: bool, secrets: Iterable[str] = ()) -> None:
    """Start an engine, show what it does, stop it.

    Args:
        engine: Not started yet.
        lasting: Real time after which it stops by itself; None for as long as it is let.
        emulated: Whether this is the demonstration.
        secrets: Texts that must never be logged.

    Raises:
        OrchError: It could not start.
    """
    from orch.cli.console import on_terminal

    live = on_terminal()
    _log_to_stderr(secrets, quiet=live)
    for line in introduction(engine, emulated=emulated):
        click.echo(line)
    sys.stdout.flush()
    watcher = Watcher()
    with StopSignals() as stop:
        try:
            engine.start()
            until = Until(stop, lasting)
            _tell_started(engine, live=live)
            if live:
                from orch.cli.live import watch

                watch(engine, watcher, until)
            else:
                follow(engine, watcher, until)
        finally:
            engine.stop()
    for line in summary(engine, watcher, until.elapsed_s):
        click.echo(line)


def introduction(engine: Engine, *, emulated: bool) -> tuple[str, ...]:
    """The first lines: what this is, where its data lies, how to go on."""
    if not emulated:
        return (f"orch on your nodes; data in {engine.data_dir}",)
    return (
        "This is the demonstration: its four nodes are EMULATED, no real node is asked or changed.",
        f"Data lies in {engine.data_dir}",
        "To go on with real nodes, describe them in orch.toml (see the README), then: orch check, orch run",
    )


def follow(engine: Engine, watcher: Watcher, until: Until) -> None:
    """Log a line for everything that happens, and one every minute, until it is over."""
    seen, told = 0, until.elapsed_s
    while (left := until.left_s()) > 0:
        newest = engine.await_board(seen, left)
        body = engine.board()
        if newest > seen and body is not None:
            seen = newest
            for event in watcher.take(decode(body, Dashboard)):
                log.log(event.level, "%s", event.sentence)
        if until.elapsed_s - told >= SUMMARY_S and watcher.board is not None:
            told = until.elapsed_s
            log.info("%s", watcher.state_in_words())


def summary(engine: Engine, watcher: Watcher, elapsed_s: float) -> tuple[str, ...]:
    """The last lines: how long it ran, what was moved, what it earns, where the data is."""
    board = watcher.board
    rate = board.total.usd_per_hour if board is not None else None
    emulated = " (emulated)" if engine.kind == "emulated" else ""
    moves = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in watcher.ended.items() if count)
    now = (
        "not known yet" if rate is None else f"{usd_per_hour(rate.mean)} USD/h ({interval(rate)}, {rate.evidence})"
    )
    return (
        f"Ran for {span(elapsed_s)}; moves: {moves or 'none'}; income now{emulated}: {now}",
        f"Data in {engine.data_dir}; go on with: orch status, orch explain, orch history",
    )


def _tell_started(engine: Engine, *, live: bool) -> None:
    at = f"HTTP interface at {engine.url}" if engine.url else "no HTTP interface"
    if live:
        click.echo(at)
    what = f"{engine.kind} nodes" + (f" at {engine.speed:g}x" if engine.speed != 1 else "")
    log.info("started with %s; data in %s; %s", what, engine.data_dir, at)
    for warning in engine.warnings:
        log.warning("%s", warning)


def _log_to_stderr(secrets: Iterable[str], *, quiet: bool) -> None:
    from orch.system.log import Redactor, setup_logging

    level = logging.DEBUG if is_debugging() else logging.WARNING if quiet else logging.INFO
    setup_logging(Redactor(secrets), level=level, stream=cast("TextIO", _PresentStderr()))


class _PresentStderr:
    """Whatever `sys.stderr` is at the moment: the live board puts itself in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
