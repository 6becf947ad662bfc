"""Running one program to its end, with a deadline that also ends what it started.

A program does not outlive orch either: were orch killed in the middle of an order, the program would carry it out
after the next start had already put everything back. So each runs on a leash, a pipe of which orch alone holds the
other end; a watcher beside the program ends the whole group when the kernel closes it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from orch.system.exchange import Got, Missed

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.model.wire import CommandRun

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CHUNK_BYTES = 65_536
SHOWN_CHARACTERS = 300
LOOK_EVERY_S = 0.1
SHELL = "/bin/sh"
LEASHED = (
    'exec 3<&0; (read -r _ <&3; kill -9 0) >/dev/null 2>&1 & unset PWD; exec 3<&- "$0" "$@" </proc/self/fd/{body}'
)
"""Starts the watcher and becomes the program; its words are arguments, which no shell reads."""


def run_command(order: CommandRun, stopped: Callable[[], bool] = lambda: False) -> Got | Missed:
    """Run a program, its words as they are; what it printed is the answer. Never raises.

    Args:
        order: The program, its input and its limits.
        stopped: Asked now and then; the program is ended when it says so.
    """
    if not order.argv:
        return Missed(reason="failed", sentence="there is no program to run", retryable=False)
    name = os.path.basename(order.argv[0])  # noqa: PTH119 - a name to show, not a path to use
    environment = {
        "PATH": os.environ.get("PATH", SEARCH_PATH),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        **dict(order.environment),
    }
    refusal = _refusal(order.argv[0], environment["PATH"])
    if refusal is not None:
        return refusal
    try:
        process, leash = _start(order, environment)
    except (OSError, ValueError) as error:
        return Missed(reason="failed", sentence=f"{name} cannot be started ({error})", retryable=True)
    with process:
        talk = _Talk(process, order, stopped)
        try:
            ended = talk.to_the_end()
        finally:
            _end_all(process)
            os.close(leash)
    if not ended:
        sentence = f"{name} did not end within {order.deadline_s:g} s and was stopped"
        return Missed(reason="timeout", sentence=sentence, retryable=True)
    if talk.too_much:
        sentence = f"{name} printed more than {order.max_bytes} bytes"
        return Missed(reason="too_large", sentence=sentence, retryable=False)
    if process.returncode != 0:
        return Missed(reason="failed", sentence=_failure(name, process.returncode, talk.errors), retryable=True)
    return Got(status=200, headers=(), body=bytes(talk.output))


def _start(order: CommandRun, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """The program, and our end of its leash."""
    with contextlib.ExitStack() as stack:
        theirs, ours = os.pipe()
        stack.callback(os.close, theirs)
        undo = stack.enter_context(contextlib.ExitStack())
        undo.callback(os.close, ours)
        body = os.memfd_create("input")
        stack.callback(os.close, body)
        _fill(body, order.body)
        process = subprocess.Popen(  # noqa: S603 - the operator's own program, from a configuration that only they can write
            (SHELL, "-c", LEASHED.format(body=body), *order.argv),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            pass_fds=(body,),
        )
        undo.pop_all()
    return process, ours


def _fill(handle: int, body: bytes) -> None:
    rest = memoryview(body)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _refusal(program: str, search: str) -> Missed | None:
    if "\0" in program:
        return Missed(reason="failed", sentence="the program's name holds a zero byte", retryable=False)
    if shutil.which(program, path=search) is not None:
        return None
    if os.path.exists(program):  # noqa: PTH110 - as the kernel would look
        return Missed(reason="permission", sentence=f"{program} may not be run by this user", retryable=False)
    return Missed(reason="missing_file", sentence=f"the program {program} is not found", retryable=False)


class _Talk:
    """What comes out of a program, as far as its limits allow."""

    def __init__(self, process: subprocess.Popen[bytes], order: CommandRun, stopped: Callable[[], bool]) -> None:
        self._process = process
        self._order = order
        self._stopped = stopped
        self.output = bytearray()
        self.errors = bytearray()
        self.too_much = False

    def to_the_end(self) -> bool:
        """Listen until it ends; False at the deadline, or when the engine stops."""
        until = time.monotonic() + self._order.deadline_s
        with selectors.DefaultSelector() as selector:
            self._open(selector)
            while selector.get_map() and not self.too_much:
                if time.monotonic() >= until or self._stopped():
                    return False
                for key, _ in selector.select(min(LOOK_EVERY_S, max(until - time.monotonic(), 0.0))):
                    self._serve(selector, key)
                if self._process.poll() is not None and not selector.select(0):
                    break  # a child of its own may hold the pipes open for ever
        while not self.too_much and self._process.poll() is None:
            if time.monotonic() >= until or self._stopped():
                return False
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(min(LOOK_EVERY_S, max(until - time.monotonic(), 0.001)))
        return True

    def _open(self, selector: selectors.BaseSelector) -> None:
        for output in (self._process.stdout, self._process.stderr):
            if output is not None:
                os.set_blocking(output.fileno(), False)
                selector.register(output, selectors.EVENT_READ)

    def _serve(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        found = os.read(key.fd, CHUNK_BYTES)
        if not found:
            selector.unregister(key.fileobj)
        elif key.fileobj is self._process.stdout:
            self.output += found
            self.too_much = len(self.output) > self._order.max_bytes
        elif len(self.errors) < CHUNK_BYTES:
            self.errors += found


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End the program and everything of its session that is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(name: str, code: int, errors: bytearray) -> str:
    last = errors.decode(errors="replace").strip().splitlines()
    said = f": {last[-1][:SHOWN_CHARACTERS]}" if last else ""
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return f"{name} {how}{said}"
