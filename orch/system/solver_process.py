"""Solvers outside the actors' threads: one process, one job at a time, killed when its budget is over.

The process is spawned with the first job and ended after ten idle minutes. A solver that never returns, crashes or
raises costs its process and an answer that says why; the next job gets a new one.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from orch.messages import SolverAnswered
from orch.model.problems import Answer
from orch.solvers.job import LENGTH, failed, run_job

if TYPE_CHECKING:
    from orch.model.problems import SolverJob
    from orch.ports import Directory

log = logging.getLogger(__name__)

IDLE_S = 600.0
LOADING_S = 30.0
"""For starting the process and importing the solver, which no budget pays for."""
GRACE = 1.2
GRACE_S = 0.25
"""A solver that keeps its budget within 20 % (and the machine's scheduling) is not killed."""


class InlineSolverPool:
    """The `SolverPool` port without a process: answers at once, for virtual time and for tests."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def solve(self, job: SolverJob, *, reply_to: str) -> None:
        """As the port says."""
        self._directory.tell(reply_to, SolverAnswered(job=job.id, answer=run_job(job)))

    def close(self) -> None:
        """Nothing is held."""


class ProcessSolverPool:
    """The `SolverPool` port over one spawned process, fed by one daemon thread.

    Args:
        directory: Where answers are told.
        idle_s: So many real seconds without a job end the process.
    """

    def __init__(self, directory: Directory, *, idle_s: float = IDLE_S) -> None:
        self._directory = directory
        self._idle_s = idle_s
        self._jobs: queue.SimpleQueue[tuple[SolverJob, str] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._gone = threading.Event()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def await_end(self, within_s: float) -> bool:
        """Wait until the process has ended; False when it still runs then, or never did."""
        return self._gone.wait(within_s)

    def solve(self, job: SolverJob, *, reply_to: str) -> None:
        """As the port says."""
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="solver", daemon=True)
                self._thread.start()
            self._jobs.put((job, reply_to))

    def close(self) -> None:
        """End the process and the thread; jobs that wait are not answered."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._jobs.put(None)
        process = self._process
        if process is not None:
            process.kill()
        if thread is not None:
            thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._closed:
            try:
                asked = self._jobs.get(timeout=self._idle_s)
            except queue.Empty:
                self._end()
                continue
            if asked is None or self._closed:
                break
            job, reply_to = asked
            answer = self._answer(job)
            if not self._closed:
                self._directory.tell(reply_to, SolverAnswered(job=job.id, answer=answer))
        self._end()

    def _answer(self, job: SolverJob) -> Answer:
        started = time.monotonic()
        try:
            process = self._spawned()
            self._write(process, msgspec.msgpack.encode(job))
            self._read(process, LOADING_S)
            body = self._read(process, GRACE * job.budget.seconds + GRACE_S)
            return msgspec.msgpack.decode(body, type=Answer)
        except TimeoutError:
            why = f"it was ended after its budget of {job.budget.seconds:g} s"
        except (OSError, EOFError) as error:
            why = f"its process ended ({error})"
        except msgspec.MsgspecError as error:
            why = f"its answer makes no sense ({error})"
        log.warning("solver %s: %s", job.solver, why)
        self._end()
        return failed(job, why, time.monotonic() - started)

    def _spawned(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._gone.clear()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "orch.solvers.job"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()
        self._gone.set()

    @staticmethod
    def _write(process: subprocess.Popen[bytes], body: bytes) -> None:
        """The process reads before it works, so that this does not wait for long."""
        if process.stdin is None:
            raise EOFError("without input")
        frame = memoryview(LENGTH.pack(len(body)) + body)
        while frame:
            frame = frame[os.write(process.stdin.fileno(), frame) :]

    @staticmethod
    def _read(process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """One frame within so many seconds. Raises TimeoutError, EOFError."""
        if process.stdout is None:
            raise EOFError("without output")
        number, deadline = process.stdout.fileno(), time.monotonic() + seconds

        def take(count: int) -> bytes:
            taken = b""
            while len(taken) < count:
                ready, _, _ = select.select([number], [], [], max(deadline - time.monotonic(), 0.0))
                if not ready:
                    raise TimeoutError
                more = os.read(number, count - len(taken))
                if not more:
                    raise EOFError(f"exit {process.wait(timeout=5.0)}")
                taken += more
            return taken

        (length,) = LENGTH.unpack(take(LENGTH.size))
        return take(length)
