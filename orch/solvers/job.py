"""What runs in a solver process: one job after the other, read from its input, answered on its output.

`python -m orch.solvers.job` speaks frames: four bytes of length, then msgpack. For every job it says first that
the solver is loaded (an empty frame: from now on the budget counts), then the answer.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from orch.errors import ConfigError
from orch.model.problems import Answer, SolverJob
from orch.model.userfiles import load_object
from orch.solvers import fast
from orch.solvers.answers import nothing
from orch.solvers.registry import load_solvers

if TYPE_CHECKING:
    from orch.solvers.base import Solver

LENGTH = struct.Struct(">I")
QUICKENED = frozenset({"annealing", "exact", "genetic"})
"""The solvers that use compiled ones where these are ready."""


def run_job(job: SolverJob) -> Answer:
    """Solve one job here. Whatever the solver raises becomes an answer that says so."""
    started = time.perf_counter()
    try:
        answer = load_solver(job.solver)(job.problem, job.budget, job.seed)
        # What a plug-in gives must be what it says: decoding what was encoded checks every type.
        return msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Answer)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; the chain asks the next solver
        return failed(job, f"{type(error).__name__}: {error}", time.perf_counter() - started)


def failed(job: SolverJob, why: str, seconds: float) -> Answer:
    """The answer of a solver that gave none."""
    return nothing("out_of_time", job.solver, (why,), seconds=seconds, seed=job.seed)


@lru_cache(maxsize=32)
def load_solver(name: str) -> Solver:
    """An installed solver by its name, or a function as `module:name` or `/path/to/file.py:name`.

    Raises:
        ConfigError: There is none, or it cannot be imported.
    """
    if ":" not in name:
        loader = load_solvers().get(name)
        if loader is None:
            raise ConfigError((f"no solver is called {name!r}",))
        return loader()
    where, _, attribute = name.rpartition(":")
    try:
        if where.endswith(".py"):
            return cast("Solver", load_object(Path(where), attribute))
        return cast("Solver", getattr(import_module(where), attribute))
    except Exception as error:
        raise ConfigError((f"the solver {name!r} cannot be loaded: {error}",)) from error


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """One frame, at once."""
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


def main() -> None:
    """Answer jobs until the input ends."""
    # Whoever interrupts the engine means the engine: it ends this process itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a plug-in prints must not get between the frames.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while (body := read_frame(sys.stdin.buffer)) is not None:
        job = msgspec.msgpack.decode(body, type=SolverJob)
        try:
            load_solver(job.solver)
            if job.solver in QUICKENED:
                fast.warm()
        except ConfigError as error:
            write_frame(answers, b"")
            write_frame(answers, msgspec.msgpack.encode(failed(job, str(error), 0.0)))
            continue
        write_frame(answers, b"")
        write_frame(answers, msgspec.msgpack.encode(run_job(job)))


if __name__ == "__main__":
    main()
