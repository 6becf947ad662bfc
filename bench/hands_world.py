"""What answers the levers of a machine of files: their own code on the files, and what goes wrong with them."""

from __future__ import annotations

import json
import os
import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.hands_machine import first_line, profile_limits
from orch.model.wire import (
    CommandRun,
    FileRead,
    FileWrite,
    HttpRequest,
    NoReply,
    Pause,
    Reply,
    Request,
    ToolCall,
)
from orch.system.exchange import Got, Missed
from orch.system.local import do_here

if TYPE_CHECKING:
    import random

    from bench.hands_machine import Machine
    from orch.model.moves import JournalRecord
    from orch.system.journal import FileJournal

START = datetime(2026, 1, 1, tzinfo=UTC)
STORED_BYTES = 300 * 10**9
LIMIT_FILES = {"cpu.max": "cpu_cores", "memory.max": "memory_gb"}
AFTER_A_FAULT = 8
"""So many orders after one that failed are likely to fail too: the way back is as bad as the way there."""


class World:
    """The `answer` of a virtual transport over a machine of files.

    Each order that changes something may go wrong: `ignore` says yes and does nothing, `refuse` says no, `half`
    does the first part of it, `late` does it and says nothing in time, `hang` does not end and would do it long
    afterwards, `stale` is a provider's agent that does not take its file up.

    Args:
        machine: The files.
        chance: Draws faults and latencies.
        wrong: The probability that an order goes wrong.
    """

    def __init__(self, machine: Machine, chance: random.Random, wrong: float) -> None:
        self._machine = machine
        self._chance = chance
        self.wrong = wrong
        self._cursed = 0

    def __call__(self, request: Request, now: datetime, node: str) -> tuple[Reply | NoReply, float]:
        """Answer, and after how many virtual seconds."""
        latency_s = self._chance.uniform(0.001, 0.4)
        match request:
            case HttpRequest():
                found: Got | Missed = self._http(node)
            case Pause(seconds=seconds):
                found, latency_s = _good(b""), seconds
            case FileRead(path=path) if path.startswith(str(self._machine.folder)) and node.startswith("group"):
                found = do_here(request, _never)
                if isinstance(found, Got):
                    found = _good(first_line(found.body))
            case FileWrite():
                found, latency_s = self._write(request, node, latency_s)
            case CommandRun():
                found = self._run(request)
            case FileRead() | ToolCall():
                found = do_here(request, _never)
        if isinstance(found, Got):
            reply = Reply(status=200, headers=(), body=found.body, received_at=now, elapsed_s=0.0)
            return reply, latency_s
        missing = NoReply(
            reason=found.reason,
            sentence=found.sentence,
            retryable=found.retryable,
            failed_at=now,
            elapsed_s=0.0,
        )
        return missing, latency_s

    def _fault(self, *kinds: str) -> str:
        """What goes wrong with an order, or nothing."""
        likely = max(self.wrong, 0.6) if self._cursed and self.wrong else self.wrong
        self._cursed = max(self._cursed - 1, 0)
        if self._chance.random() >= likely:
            return ""
        fault = self._chance.choice(kinds)
        self._machine.tell(fault)
        if not self._cursed and self._chance.random() < 0.3:
            self._cursed = AFTER_A_FAULT
        return fault

    # -- the nodes' own interfaces ---------------------------------------------------------------------------

    def _http(self, node: str) -> Got | Missed:
        place = self._machine.folder / node
        if node == "disk":
            allocated = round(self._machine.in_force(node).or_zero("storage_gb") * 1e9)
            disk = {"used": STORED_BYTES, "available": allocated, "allocated": allocated, "trash": 0}
            return _good(json.dumps({"diskSpace": disk}).encode())
        active = json.loads((place / "presets.json").read_bytes())["active"]
        profile = json.loads((place / "published").read_bytes())
        properties = {
            "golem.inf.cpu.threads": profile["cpu_threads"],
            "golem.inf.mem.gib": profile["mem_gib"],
            "golem.inf.storage.gib": profile["storage_gib"],
        }
        return _good(json.dumps([{"properties": properties} for _ in active]).encode())

    # -- orders ----------------------------------------------------------------------------------------------

    def _write(self, order: FileWrite, node: str, latency_s: float) -> tuple[Got | Missed, float]:
        name = Path(order.path).name
        kinds = ("stale",) if name == "hardware.json" else ()
        fault = self._fault("ignore", "refuse", "late", *kinds)
        if fault == "ignore":
            return _good(b""), latency_s
        if fault == "refuse":
            return Missed(reason="failed", sentence="no space left on device", retryable=True), latency_s
        limit = LIMIT_FILES.get(name)
        value = _of_the_kernel(name, order.body) if limit else 0.0
        if limit:
            self._machine.note("before", node, limit, value)
        found = do_here(order, _never)
        if limit and isinstance(found, Got):
            self._machine.note("after", node, limit, value)
        if node == "compute" and fault != "stale" and isinstance(found, Got):
            self._publish(node)
        return found, order.deadline_s + 1.0 if fault == "late" else latency_s

    def _publish(self, node: str) -> None:
        """The provider's agent takes up what its files say."""
        place = self._machine.folder / node
        hardware = json.loads((place / "hardware.json").read_bytes())
        profile = hardware["profiles"][hardware["active"]]
        limits = profile_limits(profile).known()
        for name, value in limits:
            self._machine.note("before", node, name, value)
        (place / "published.new").write_text(json.dumps(profile))
        os.rename(place / "published.new", place / "published")  # noqa: PTH104 - one call, as an agent's own
        for name, value in limits:
            self._machine.note("after", node, name, value)

    def _run(self, order: CommandRun) -> Got | Missed:
        program = Path(order.argv[-1])
        fault = ""
        if program.name != "read":
            fault = self._fault("ignore", "refuse", "hang", *(("half",) if program.name == "set" else ()))
            (program.parent / "fault").write_text(f"{fault}\n")
        return do_here(order, _never)


class FullNowAndThen:
    """The journal on a disk that is full at some of its lines, by a limit of the kernel on the file's size."""

    def __init__(self, journal: FileJournal, machine: Machine, chance: random.Random, share: float) -> None:
        self._journal = journal
        self._machine = machine
        self._path = machine.journal
        self._chance = chance
        self.share = share

    def append(self, record: JournalRecord) -> None:
        """As the journal does, or not at all."""
        if self._chance.random() >= self.share:
            self._journal.append(record)
            return
        self._machine.tell("disk full")
        size = self._path.stat().st_size if self._path.exists() else 0
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + self._chance.randint(0, 100), hard))
        try:
            self._journal.append(record)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def read(self) -> tuple[JournalRecord, ...]:
        """As the journal does."""
        return self._journal.read()


def _of_the_kernel(name: str, body: bytes) -> float:
    first, *rest = body.split()
    return int(first) / int(rest[0]) if name == "cpu.max" else int(first) / 1e9


def _good(body: bytes) -> Got:
    return Got(status=200, headers=(), body=body)


def _never() -> bool:
    return False
