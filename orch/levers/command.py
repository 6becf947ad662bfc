"""The operator's own lever: a program that sets, and one that says what is set.

The program in `apply` is given the goal as JSON on its standard input, `{"goal": RES}`, and must end
with 0 once it asked for it. The program in `read` prints `{"allocation": RES}`, and `committed` and `used` if it
knows them. No shell reads their words, and neither outlives orch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from orch.errors import LeverError
from orch.levers.asking import order_body, run
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.resources import RESOURCES, ResourceName, Resources
from orch.model.wire import CommandRun

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = msgspec.Meta(gt=0.0, le=3600.0)


class CommandOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The two programs with their arguments, what they set, how long they may take, what a change costs."""

    apply: tuple[str, ...]
    read: tuple[str, ...]
    sets: tuple[ResourceName, ...]
    timeout_s: Annotated[float, SECONDS] = 60.0
    downtime_s: Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)] = 0.0
    settle_s: Annotated[float, msgspec.Meta(ge=0.0, le=3600.0)] = 0.0

    def __post_init__(self) -> None:
        if not self.apply or not self.read:
            message = "apply and read must each be a program with its arguments"
            raise ValueError(message)
        if not self.sets:
            message = "sets must name the resources that apply sets"
            raise ValueError(message)


class CommandLever:
    """Sets what its options say."""

    kind = "command"
    options = CommandOptions
    target = ("apply",)
    cannot = (
        "know more than your programs say: what `read` prints is believed",
        "leave anything running: what `apply` starts ends with it",
    )

    def sets(self, protocol: str, options: CommandOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """What the operator says that the program sets."""
        return tuple(name for name in RESOURCES if name in options.sets)

    def cost(self, protocol: str, options: CommandOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """What the operator says."""
        deadline = options.timeout_s + options.settle_s + 60.0
        return CostPrior(downtime_s=options.downtime_s, settle_s=options.settle_s, deadline_s=deadline)

    def read(self, options: CommandOptions) -> Task[LeverReading]:
        """Ask the second program. Raises LeverError when it fails or prints something else."""
        printed = yield from run(CommandRun(argv=options.read, deadline_s=options.timeout_s))
        try:
            found = msgspec.json.decode(printed, type=LeverReading)
        except msgspec.MsgspecError as error:
            raise LeverError(f"{options.read[0]} did not print the limits in force as JSON: {error}") from error
        for part in (found.allocation, found.committed, found.used):
            if any(not 0 <= amount < float("inf") for _, amount in part.known()):
                raise LeverError(f"{options.read[0]} printed an amount that cannot be")
        unsaid = [name for name in options.sets if found.allocation.get(name) is None]
        if unsaid:
            raise LeverError(f"{options.read[0]} did not say {', '.join(unsaid)}")
        return found

    def apply(self, options: CommandOptions, goal: Resources) -> Task[None]:
        """Give the goal to the first program. Raises LeverError with its last words when it fails."""
        wanted: Mapping[ResourceName, float] = dict(goal.known())
        body = order_body({"goal": wanted})
        yield from run(CommandRun(argv=options.apply, body=body, deadline_s=options.timeout_s))

    def describe(self, options: CommandOptions, goal: Resources) -> str:
        """The program, and what it would be given."""
        return f"run {' '.join(options.apply)} with {order_body({'goal': dict(goal.known())}).decode()}"


LEVER: LeverSpec = CommandLever()
