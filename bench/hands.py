"""The hands: how soon a decided move is verified, what its journal costs, and what crashes leave behind.

A move is timed from the order to the record that it settled, through the living actors, their transport and
their journal: preflight, the pull, the read-back, the last look. Every lever that this machine has is pulled on
something of our own; the others are named with the reason. The crashes are those of `bench.hands_crash`.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from actors.adapter import Adapter
from actors.address import LiveDirectory
from actors.base import Actor, House, adapter_name
from actors.reallocation import Reallocation, ReallocationPlan
from actors.timers import LiveTimers
from bench.hands_levers import MissingError, targets
from bench.hands_life import attended, plan_between, snapshot_of, state_of
from bench.machine import load, machine
from orch.levers.together import together_cost
from orch.messages import ExecuteReallocation, HowMuchWork, ReallocationChanged, SnapshotPublished
from orch.model.moves import TERMINAL, JournalRecord
from orch.model.resources import RESOURCES, Resources, resources
from orch.reallocation.settings import LeverTiming, MoveLimits, SagaSettings
from orch.system.clock import RealClock
from orch.system.journal import FileJournal
from orch.system.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.hands_machine import FileNode

MOVES = 20
ROUNDS = 500
LINES = 2000
LINES_PER_STEP = 2
"""One before the lever is pulled, one after its limit was read back."""
PATIENCE_S = 60.0
SHARES = (0.5, 0.8)
ROOT = Path(__file__).parents[1]
AIMS = {"journal_step_ms": 1.0, "crash_failures": 0.0}


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure everything; some minutes, or `quick` in less than a second to see that it works.

    Returns:
        `{bench, quick, machine, load, aims, levers, skipped, journal, crashes, met}`; times in ms.
    """
    before = load()
    levers, skipped = measure_levers(("command",) if quick else tuple(targets()), 2 if quick else MOVES)
    journal = measure_journal(20 if quick else LINES)
    crashes = None if quick else measure_crashes(ROUNDS)
    return {
        "bench": "hands",
        "quick": quick,
        "machine": machine(),
        "load": [before, load()],
        "aims": AIMS,
        "levers": levers,
        "skipped": skipped,
        "journal": journal,
        "crashes": crashes,
        "met": {
            "journal_step_ms": journal["step_median_ms"] < AIMS["journal_step_ms"],
            "crash_failures": None if crashes is None else not crashes["failures"],
        },
    }


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    print("hands: " + ", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    print("load averages (1, 5, 15 min) before and after: " + "; ".join(map(str, result["load"])))
    print(f"\nfrom decision to verified{'moves':>9}{'median ms':>12}{'slowest ms':>12}")
    for kind, row in result["levers"].items():
        print(f"  {kind:<23}{row['moves']:9}{row['median_ms']:12.1f}{row['slowest_ms']:12.1f}")
    for kind, reason in result["skipped"].items():
        print(f"  {kind:<23}  not here: {reason}")
    journal = result["journal"]
    print(f"\njournal, {journal['lines']} lines          median ms      p99 ms         aim")
    print(f"  one line, durable    {journal['line_median_ms']:14.3f}{journal['line_p99_ms']:12.3f}")
    print(f"  one step of a move   {journal['step_median_ms']:14.3f}{'':12}   < {AIMS['journal_step_ms']:g}")
    crashes = result["crashes"]
    if crashes is None:
        return
    print(
        f"\n{crashes['rounds']} crash sagas in {crashes['seconds']:.0f} s: {crashes['deaths']} deaths by kill -9, "
    )
    print(f"  {crashes['amid_a_move']} in the middle of a move: {_counts(crashes['amid'])}")
    print(f"  what went wrong with levers and disk: {_counts(crashes['faults'])}")
    print(
        f"  moves ended: {_counts(crashes['ends'])}; {crashes['repaired']} stuck ones put back by a person's word"
    )
    print(f"  {crashes['log_lines']} lines in the levers' own log; failures: {len(crashes['failures'])} (aim 0)")
    for failure in crashes["failures"]:
        print(f"    seed {failure['seed']}: {failure['what']}")


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items(), key=lambda each: -each[1]))


# -- levers ----------------------------------------------------------------------------------------------


def measure_levers(kinds: tuple[str, ...], moves: int) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """By kind its figures, and by kind why there are none."""
    measured, skipped = {}, {}
    for kind in kinds:
        try:
            with targets()[kind]() as node:
                times = time_moves(node, moves)
        except MissingError as error:
            skipped[kind] = str(error)
            continue
        measured[kind] = {"moves": moves, "median_ms": median(times), "slowest_ms": max(times)}
    return measured, skipped


def time_moves(node: FileNode, moves: int) -> list[float]:
    """Milliseconds from the order to the settled record, move by move to and fro; at last back to the start."""
    times = []
    with _house(node) as (directory, changes):
        has = node.start
        for number in range(moves):
            share = 1.0 if number == moves - 1 else SHARES[number % 2]
            goal = resources({name: amount * share for name, amount in node.start.known()})
            now = datetime.now(UTC)
            states = (state_of(node, has, now),)
            directory.tell("reallocation", SnapshotPublished(snapshot=snapshot_of(states, _PLENTY, now)))
            plan = plan_between(f"p{number}", {node.name: has}, {node.name: goal}, now)
            _settle(directory)
            began = perf_counter()
            directory.tell("reallocation", ExecuteReallocation(plan=plan, trigger="manual"))
            ended = changes.get(timeout=PATIENCE_S)
            times.append((perf_counter() - began) * 1e3)
            if ended.reallocation.state != "settled":
                raise RuntimeError(f"{node.name}: {ended.reallocation.state}: {ended.reallocation.sentence}")
            has = goal
    return times


def _settle(directory: LiveDirectory) -> None:
    """Until the snapshot has been taken in, for orders overtake it."""
    actor = directory.ref("reallocation")
    while actor is not None and actor.ask(HowMuchWork())["waiting"]:
        pass


_PLENTY = resources(dict.fromkeys(RESOURCES, 1e9))


class _Ends(Actor):
    """Puts the last record of each move where the bench waits for it."""

    def __init__(self, name: str, house: House, ends: queue.Queue[ReallocationChanged]) -> None:
        super().__init__(name, house)
        self._ends = ends

    def handle(self, message: Any) -> None:
        """Only what has ended."""
        if isinstance(message, ReallocationChanged) and message.reallocation.state in TERMINAL:
            self._ends.put(message)


@contextmanager
def _house(node: FileNode) -> Iterator[tuple[LiveDirectory, queue.Queue[ReallocationChanged]]]:
    ends: queue.Queue[ReallocationChanged] = queue.Queue()
    cost = together_cost((node.lever,))
    timing = LeverTiming(downtime_s=cost.downtime_s, settle_s=cost.settle_s, deadline_s=cost.deadline_s)
    plan = ReallocationPlan(
        limits=MoveLimits(min_hold_s=0.0, max_moves_per_hour=1_000_000),
        settings=SagaSettings(levers={node.name: timing}),
    )
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="orch-bench-")))
        clock, directory = RealClock(), LiveDirectory()
        timers, transport = LiveTimers(clock, directory), HttpTransport(directory, clock)
        journal = FileJournal(place / "journal.jsonl")
        house = House(clock=clock, timers=timers, directory=directory, transport=transport, journal=journal)
        stack.callback(journal.close)
        stack.callback(transport.close)
        timers.start()
        stack.callback(timers.stop)
        actors: tuple[Actor, ...] = (
            _Ends("monitor", house, ends),
            Adapter(adapter_name(node.name), house, attended(node)),
            Reallocation("reallocation", house, plan),
        )
        for actor in actors:
            directory.admit(actor)
            stack.callback(actor.actor_ref.stop)
        yield directory, ends


# -- the journal -----------------------------------------------------------------------------------------


def measure_journal(lines: int) -> dict[str, Any]:
    """What one durable line costs on the disk of the temporary directory, and what a step of a move does."""
    now, times = datetime.now(UTC), []
    with TemporaryDirectory(prefix="orch-bench-") as name:
        journal = FileJournal(Path(name) / "journal.jsonl")
        for number in range(lines):
            verified = number % LINES_PER_STEP
            record = JournalRecord(
                sequence=number + 1,
                written_at=now,
                reallocation_id="r20260101T000000-1",
                event="step_verified" if verified else "step_trying",
                state="applying",
                step_index=number // LINES_PER_STEP,
                read_back=Resources(cpu_cores=1.5, memory_gb=4.0, storage_gb=500.0) if verified else None,
            )
            began = perf_counter()
            journal.append(record)
            times.append((perf_counter() - began) * 1e3)
        journal.close()
    steps = [sum(times[at : at + LINES_PER_STEP]) for at in range(0, len(times), LINES_PER_STEP)]
    return {
        "lines": lines,
        "line_median_ms": median(times),
        "line_p99_ms": sorted(times)[int(len(times) * 0.99)],
        "step_median_ms": median(steps),
    }


# -- crashes ---------------------------------------------------------------------------------------------


def measure_crashes(rounds: int) -> dict[str, Any]:
    """So many crash sagas, in a process of their own: theirs are forks, and this one has threads."""
    words = [sys.executable, "-m", "bench.hands_crash", "--rounds", str(rounds)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if not ended.stdout:
        raise RuntimeError(ended.stderr.strip().splitlines()[-1])
    found: dict[str, Any] = json.loads(ended.stdout)
    return found
