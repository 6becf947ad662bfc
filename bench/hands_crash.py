"""Crashes of moves over levers that go wrong: `python -m bench.hands_crash [--rounds N] [--seed S]`.

A round is a machine of files and a few lives of a house over it. Every life but the last ends by `kill -9`, at a
random call of any function or at a random moment; the last one recovers what is left in peace. Then the journal
must be closed, every lever exactly at what the journal says (the old plan, or the new one), and the log of the
levers without a line at which more was given out than there is.

Lives are forks of one process, which has everything loaded and no thread.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sys
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import psutil  # noqa: F401 - loaded before the first fork, not in each

from bench.hands_life import Life, Weather
from bench.hands_machine import Machine, same
from orch.model.resources import Resources, resources
from orch.reallocation.story import stories
from orch.system.journal import FileJournal

CALLS = 60_000
"""About so many function calls make a life of three moves; where it dies is drawn among them."""
LONGEST_MOMENT_S = 0.6
PATIENCE_S = 60.0


@dataclass
class Tally:
    """What came of all rounds."""

    rounds: int = 0
    deaths: int = 0
    amid: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    log_lines: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rounds": self.rounds,
            "deaths": self.deaths,
            "amid_a_move": sum(self.amid.values()),
            "amid": dict(self.amid),
            "ends": dict(self.ends),
            "faults": dict(self.faults),
            "repaired": self.repaired,
            "log_lines": self.log_lines,
            "failures": self.failures,
        }


def crash(rounds: int, seed: int = 0) -> dict[str, Any]:
    """Play so many rounds; every failure is told with its seed."""
    tally, began = Tally(), time.monotonic()
    for number in range(seed, seed + rounds):
        with TemporaryDirectory(prefix="orch-crash-") as name:
            try:
                play(Path(name), number, tally)
            except RuntimeError as error:
                tally.failures.append({"seed": number, "what": str(error)})
        tally.rounds += 1
    return {**tally.as_dict(), "seconds": round(time.monotonic() - began, 1)}


def play(folder: Path, seed: int, tally: Tally) -> None:
    """One round. Raises RuntimeError with what is wrong."""
    chance = random.Random(seed)
    machine = Machine(folder / "nodes", seed)
    machine.make()
    deadly = chance.randint(1, 3)
    for number in range(deadly + 1):
        wrong, full = chance.choice((0.0, 0.2, 0.4)), chance.choice((0.0, 0.0, 0.03))
        last = number == deadly
        weather = Weather(number=number, moves=0 if last else 3, wrong=wrong, full=full)
        kind = "peace" if last else chance.choice(("call", "call", "moment"))
        if not _live(machine, seed, weather, kind, chance):
            continue
        tally.deaths += 1
        tally.amid.update(story.record.state for story in _told(machine).values() if not story.ended)
    events = machine.told()
    tally.repaired += events.pop("repaired", 0)
    tally.faults.update(events)
    _check(machine, tally)


def _check(machine: Machine, tally: Tally) -> None:
    told = _told(machine)
    expected = {node.name: node.start for node in machine.nodes}
    for story in told.values():
        tally.ends[story.record.state] += 1
        if story.record.state not in {"settled", "rolled_back", "refused"}:
            raise RuntimeError(f"the journal is not closed: {story.record.id} is {story.record.state}")
        if story.record.state == "settled":
            for change in story.record.changes:
                new = resources({change.resource: change.to_value})
                expected[change.node] = new.filled(expected[change.node])
    for node, wanted in expected.items():
        for which, found in (("runs with", machine.in_force(node)), ("has in its files", machine.written(node))):
            if not same(found, wanted):
                raise RuntimeError(f"{node} {which} {_words(found)}, and the journal says {_words(wanted)}")
    lines = (machine.folder / "log").read_text().count("\n")
    tally.log_lines += lines
    for sentence in machine.too_much():
        raise RuntimeError(f"more was given out than there is: {sentence}")


def _words(amounts: Resources) -> str:
    return ", ".join(f"{name} {amount:g}" for name, amount in amounts.known())


def _told(machine: Machine) -> dict[str, Any]:
    return stories(FileJournal(machine.journal).read())


# -- lives -----------------------------------------------------------------------------------------------


def _live(machine: Machine, seed: int, weather: Weather, kind: str, chance: random.Random) -> bool:
    """Whether a life was killed before its end. Raises RuntimeError when it failed by itself."""
    at_call = round(CALLS ** chance.uniform(0.75, 1.05)) if kind == "call" else 0
    moment_s = chance.uniform(0.0, LONGEST_MOMENT_S) if kind == "moment" else PATIENCE_S
    theirs, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(theirs)
        _be_born(machine, seed, weather, at_call, ours)
    os.close(ours)
    with os.fdopen(theirs, "rb") as report:
        if not select.select([report], [], [], moment_s)[0]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        said = report.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        if kind == "peace":
            raise RuntimeError("a life in peace did not come to its end")
        return True
    if said:
        raise RuntimeError(f"life {weather}: {said.decode()}")
    return False


def _be_born(machine: Machine, seed: int, weather: Weather, at_call: int, report: int) -> NoReturn:
    """The child: it never comes back from here."""
    said = ""
    try:
        life = Life(machine, seed, weather)
        if at_call:
            _die_at(at_call)
        life.live()
        sys.setprofile(None)
    except BaseException:  # noqa: BLE001 - the parent is told of whatever happens
        said = traceback.format_exc()
    os.write(report, said.encode())
    os._exit(0)


def _die_at(call: int) -> None:
    """Be killed at the so-manieth call or return of a function from now on."""
    left = call

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def main() -> None:
    """Print what came of all rounds as JSON; 1 when any failed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.hands_crash", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = crash(given.rounds, given.seed)
    print(json.dumps(found, indent=2))
    sys.exit(bool(found["failures"]))


if __name__ == "__main__":
    main()
