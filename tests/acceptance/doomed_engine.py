"""A demonstration that is always moving something, for tests that kill it: a script for a process of its own.

`python doomed_engine.py DIR SEED SPEED [KIND NUMBER]` recovers what the journal left open, prints one JSON line
about it and then makes one manual move after the other. With KIND and NUMBER it kills itself: `before-line` and
`after-line` at that line of the journal from then on, `before-lever` and `after-lever` at that change of the
emulated world. With KIND `finish` it moves nothing: all income ends, what the networks book late is read, and
it stops in order.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import msgspec
from emulated_week import Books, differences

import orch.boot.engine
import orch.boot.recipes
import orch.boot.start
from actors.address import LiveDirectory
from orch.boot import demo_engine
from orch.emulator.facts import FLOORS, NODES, as_dict
from orch.emulator.shell import EmulatorServer
from orch.messages import ExecuteReallocation
from orch.model.board import Dashboard
from orch.model.plans import Plan
from orch.model.resources import Resources, resources
from orch.reallocation.story import stories
from orch.store.shelf import Shelf
from orch.system.journal import FileJournal

QUICK = {"resume_after_s": 0.3, "read_every_s": 0.05, "undo_pause_s": 0.2}
"""A saga's patience in real seconds, shortened like everything else."""
SMALLEST_DISK_GB, LARGEST_DISK_GB = 4500, 5700
PATIENCE_S = 30.0
READ_ALL_WITHIN_S = 120.0
"""Real seconds for a whole chain's history, in the many small parts that its RPC gives out."""
BOOKED = """
SELECT node, stream, kind = 'penalty', sum(amount) FROM ledger
WHERE kind IN ('earned', 'correction', 'penalty') GROUP BY ALL
"""

caught = {}


class Directory(LiveDirectory):
    """The house's own directory, within this script's reach."""

    def __init__(self):
        super().__init__()
        caught["directory"] = self


class OpenShelf(Shelf):
    """Where the open database is read, within this script's reach."""

    def __init__(self):
        super().__init__()
        caught["shelf"] = self


class Server(EmulatorServer):
    """The emulated nodes, within this script's reach."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        caught["server"] = self


def arrange_for_moves():
    """Moves may follow each other at once, and only this script orders any."""
    orch.boot.engine.LiveDirectory = Directory
    orch.boot.engine.Shelf = OpenShelf
    orch.boot.start.EmulatorServer = Server
    tables, plan = orch.boot.start.demo_tables, orch.boot.recipes.reallocation_plan

    def restless_tables(*arguments):
        limits = {"min_hold_s": 0, "max_reallocations_per_hour": 1_000_000}
        return {**tables(*arguments), "limits": limits, "optimizer": {"strategy": "keep"}}

    def restless_plan(setting):
        usual = plan(setting)
        return replace(usual, settings=msgspec.structs.replace(usual.settings, **QUICK))

    orch.boot.start.demo_tables = restless_tables
    orch.boot.recipes.reallocation_plan = restless_plan


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def counting(call, number, *, before):
    """A call that is this process's last when it is made for the `number`th time."""
    seen = 0

    def counted(*arguments):
        nonlocal seen
        seen += 1
        if before and seen == number:
            die()
        result = call(*arguments)
        if seen == number:
            die()
        return result

    return counted


def arm(kind, number):
    before = kind.startswith("before")
    if kind.endswith("line"):
        FileJournal.append = counting(FileJournal.append, number, before=before)
    else:
        world = caught["server"].world
        world.on_change = counting(world.on_change, number, before=before)


def await_recovery(data_dir):
    """Wait until all that the journal had left open is closed; how many lines it then has."""
    journal = FileJournal(data_dir / "journal.jsonl")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        records = journal.read()
        if all(story.ended for story in stories(records).values()):
            return len(records)
        time.sleep(0.02)
    raise SystemExit("the journal was not closed in time")


def limits_in_force():
    """What the control API says of every node, and whether any change is still to take effect."""
    url = caught["server"].urls()["control"]
    return {node: json.load(urlopen(f"{url}/levers/{node}", timeout=5))["allocation"] for node in NODES}


def some_goal(chance, board):
    """New limits for some nodes that are there; together they get all that they have, so order matters."""
    there = [node for node in board.nodes if node.health == "online"]
    if len(there) < 2:
        return {}
    some = chance.sample(there, chance.randint(2, len(there)))
    goal = {node.name: {} for node in some}
    for name in ("cpu_cores", "memory_gb", "bandwidth_mbps"):
        least = {node.name: max(as_dict(FLOORS[node.name])[name], node.committed.or_zero(name)) for node in some}
        spare = sum(node.allocation.or_zero(name) for node in some) - sum(least.values())
        weights = {node.name: chance.random() for node in some}
        for node, wanted in goal.items():
            amount = least[node] + max(spare, 0.0) * weights[node] / sum(weights.values())
            # Golem sells whole threads.
            wanted[name] = float(int(amount)) if (node, name) == ("compute", "cpu_cores") else amount
    if "disk" in goal:
        goal["disk"]["storage_gb"] = float(chance.randint(SMALLEST_DISK_GB, LARGEST_DISK_GB))
    return {node: resources(amounts) for node, amounts in goal.items()}


def plan_of(number, goal, board):
    present = {node.name: node.allocation for node in board.nodes if node.name in goal}
    nothing = Resources()
    return Plan(
        id=f"p{number}",
        decision_id=f"d{number}",
        decided_at=board.as_of,
        reasons=(),
        sentence="A random split.",
        strategy="keep",
        solver="keep",
        solver_chain=(),
        from_value=present,
        to_value=goal,
        gain_usd_per_hour=None,
        gain_usd=None,
        cost_usd=None,
        net_benefit_usd=None,
        net_benefit_pct=None,
        horizon_h=1.0,
        can_reallocate=True,
        blockers=(),
        status="feasible",
        bound=None,
        gap_pct=None,
        dual_prices=nothing,
        improvement_pct=None,
        opportunities=(),
    )


def keep_moving(engine, chance):
    journal, number, seen = FileJournal(engine.data_dir / "journal.jsonl"), 0, 0
    while True:
        opened = len(stories(journal.read()))
        board = msgspec.json.decode(engine.board(), type=Dashboard)
        goal = some_goal(chance, board)
        if goal:
            number += 1
            order = ExecuteReallocation(plan=plan_of(number, goal, board), trigger="manual")
            caught["directory"].tell("reallocation", order)
            await_end(journal, opened)
        seen = engine.await_board(seen, 1.0)


def await_end(journal, opened):
    """Until the journal has one more saga, and all of them are closed."""
    while len(told := stories(journal.read())) == opened or not all(story.ended for story in told.values()):
        time.sleep(0.005)


def finish():
    """No more income; goes on until the books say what the networks' own say, or too long for that."""
    server, shelf = caught["server"], caught["shelf"]
    with server.lock:
        server.world.advance(server._clock.now())
        server.world.pause()
    until, wrong = time.monotonic() + READ_ALL_WITHIN_S, ["nothing read yet"]
    while wrong and time.monotonic() < until:
        time.sleep(0.2)
        with shelf.reader() as connection:
            booked = connection.execute(BOOKED).fetchall()
        with server.lock:
            books = Books({(node, stream, kind): amount for node, stream, kind, amount in booked}, [])
            wrong = differences(books, server.world)


def report(engine):
    """What a start found and made of it, for whoever reads this script's output."""
    server = caught["server"]
    started_at = server._clock.now()
    lines = await_recovery(engine.data_dir)
    engine.await_board(0, 10.0)
    earned = msgspec.json.decode(engine.board(), type=Dashboard).total.earned_usd
    told = {
        "started_at": started_at.isoformat(),
        "lines": lines,
        "split": limits_in_force(),
        "earned": {"settled": str(earned.settled), "accrued": str(earned.accrued)},
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main(data_dir, seed, speed, kind="", number="0"):
    arrange_for_moves()
    engine = demo_engine(Path(data_dir), seed=1, speed=float(speed), port=0, web=False)
    engine.start()
    try:
        report(engine)
        if kind == "finish":
            finish()
            return
        if kind:
            arm(kind, int(number))
        keep_moving(engine, random.Random(int(seed)))
    finally:
        engine.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
