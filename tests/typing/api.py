"""What must type-check, and, by unused ignores, what must not. Read by mypy, never run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_never, assert_type

from actors.address import Address, LiveDirectory
from actors.base import Actor, House
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from actors.supervisor import Household, Recipe
from actors.timers import LiveTimers
from orch.messages import (
    AreYouReady,
    CommitBatch,
    FetchPrices,
    HowMuchWork,
    PricingInbox,
    RecorderInbox,
)

if TYPE_CHECKING:
    from orch.model.wire import NoReply, Reply, Request
    from orch.ports import Clock, Directory, Timers, Transport

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def tell_and_ask(directory: LiveDirectory) -> None:
    recorder: Address[RecorderInbox] = Address(directory, "recorder")
    assert_type(recorder.tell(CommitBatch()), bool)
    recorder.tell(FetchPrices(due_at=NOW))  # type: ignore[arg-type]
    recorder.tell("commit")  # type: ignore[arg-type]

    assert_type(recorder.ask(AreYouReady(), within=1.0), bool)
    assert_type(recorder.ask(HowMuchWork(), within=1.0), dict[str, int])
    wrong: str = recorder.ask(AreYouReady(), within=1.0)  # type: ignore[assignment]
    recorder.ask(CommitBatch(), within=1.0)  # type: ignore[arg-type]
    recorder.ask(AreYouReady())  # type: ignore[call-arg]

    # Whoever takes more messages may stand in for one that takes fewer, not the other way round.
    commits: Address[CommitBatch] = recorder
    pricing: Address[PricingInbox] = recorder  # type: ignore[assignment]
    _ = wrong, commits, pricing


class Pricing(Actor):
    """A role narrows its inbox, and mypy lists a message that it forgot."""

    def handle(self, message: PricingInbox) -> None:
        match message:
            case FetchPrices():
                self.tell("coordinator", message)
                self.tell("coordinator", "fetch")  # type: ignore[arg-type]
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)  # type: ignore[arg-type]


def live(clock: Clock, transport: Transport) -> Household:
    directory = LiveDirectory()
    timers: Timers = LiveTimers(clock, directory)
    as_port: Directory = directory
    house = House(clock=clock, timers=timers, directory=as_port, transport=transport)
    recipes = [Recipe(name="pricing", level=1, make=lambda: Pricing("pricing", house))]
    return Household(house, directory, recipes, seed=1)


def staged(answer: Any) -> None:
    stage = Stage(1, NOW)
    clock: Clock = stage
    timers: Timers = stage
    directory: Directory = stage

    def world(request: Request, now: datetime, node: str) -> tuple[Reply | NoReply, float]:
        reply: Reply = answer(request, now, node)
        return reply, 0.1

    transport: Transport = VirtualTransport(stage, world)
    stage.add(Pricing("pricing", stage.house(transport)))
    assert_type(stage.ask("pricing", HowMuchWork()), dict[str, int])
    stage.ask("pricing", CommitBatch())  # type: ignore[arg-type]
    _ = clock, timers, directory
