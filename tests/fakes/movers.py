"""Who stands around a reallocation actor: readers that write down what they hear, and levers that may fail."""

from __future__ import annotations

from actors.base import Actor
from orch.messages import AllocationApplied, AllocationRead, AllocationRefused, ApplyAllocation, ReadBack
from orch.model.resources import Resources, total

OLD = {"a": Resources(cpu_cores=6), "b": Resources(cpu_cores=2)}
NEW = {"a": Resources(cpu_cores=3), "b": Resources(cpu_cores=5)}
CORES = 8.0


class Note(Actor):
    """Writes down what it is told."""

    def __init__(self, name, house):
        super().__init__(name, house)
        self.seen = []

    def handle(self, message):
        self.seen.append(message)


class Lever(Actor):
    """A node's adapter: `faults` are `refuse` or `ignore`, one per pull. No more is ever given than there is."""

    def __init__(self, node, house, split):
        super().__init__(f"adapter:{node}", house)
        self.node, self.split, self.faults = node, split, []

    def handle(self, message):
        address = {"reallocation_id": message.reallocation_id, "token": message.token, "node": self.node}
        match message:
            case ReadBack():
                has = self.split[self.node]
                answer = AllocationRead(**address, allocation=has, committed=Resources(), connected=True)
            case ApplyAllocation(goal=goal):
                fault = self.faults.pop(0) if self.faults else None
                if fault == "refuse":
                    answer = AllocationRefused(**address, sentence="the lever broke.", retryable=True)
                else:
                    if fault is None:
                        self.split[self.node] = goal
                    assert total(self.split.values()).or_zero("cpu_cores") <= CORES
                    answer = AllocationApplied(**address)
        self.tell("reallocation", answer)


def settle_in(stage, house, split, nodes=("a", "b")):
    """The readers by name and the levers by node, on the stage."""
    notes = {name: Note(name, house) for name in ("recorder", "monitor", "optimizer", "supervisor")}
    levers = {node: Lever(node, house, split) for node in nodes}
    for actor in (*notes.values(), *levers.values()):
        stage.add(actor)
    return notes, levers
