"""What a lever is: how a limit is really set, as a generator of questions to the outside world.

A lever never touches a socket or a file itself: it yields requests and is sent their replies, so the same
code runs on real threads and in virtual time. It raises LeverError with one sentence when it cannot.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from orch.model.base import Value
from orch.model.resources import ResourceName, Resources
from orch.model.wire import NoReply, Reply, Request

if TYPE_CHECKING:
    import msgspec


T = TypeVar("T")
Task: TypeAlias = Generator[Request, Reply | NoReply, T]


class LeverReading(Value):
    """The limits as the system states them, and what the node uses within them where the system counts it."""

    allocation: Resources
    committed: Resources = Resources()
    used: Resources = Resources()


class CostPrior(Value):
    """What a change by this lever is believed to cost before there is own history.

    `downtime_s`: seconds of the node's income lost per change. `settle_s`: seconds of the clock until a
    change can be read back at the earliest; `deadline_s`: real seconds after which it did not take; `dwell_s`:
    seconds of the clock for which the node must be left alone afterwards, whatever the general hold is.
    `verify_s`: seconds of the clock until earnings can tell what a change brought, None for as long as the
    node's protocol says. `read_every_s`: seconds of the clock between two readings while nothing happens.
    `pauses`: the resources whose change costs the downtime, None for all that it sets.
    """

    downtime_s: float
    settle_s: float
    deadline_s: float
    dwell_s: float = 0.0
    verify_s: float | None = None
    read_every_s: float = 120.0
    pauses: tuple[ResourceName, ...] | None = None


class LeverSpec(Protocol):
    """A kind of lever: one module, one object of this shape, one entry point in `orch.levers`.

    It may have `target`: the names of the options that say what it sets, which two engines must not both do (all
    of them, if not); `cannot`: in a few words each, what an operator might expect of it in vain; and, where it
    keeps a node's own price near a peg, `peg`, `look_at_price` and `reprice` as the Golem provider's has.
    """

    @property
    def kind(self) -> str:
        """`emulated`, `cgroup`, ..."""

    @property
    def options(self) -> type[msgspec.Struct]:
        """What `[[nodes.X.levers]]` may hold besides `kind` and `mode`."""

    def sets(self, protocol: str, options: Any) -> tuple[ResourceName, ...]:
        """The resources it can set for a node of this protocol, configured like this."""

    def cost(self, protocol: str, options: Any) -> CostPrior:
        """Its cost prior for a node of this protocol, configured like this."""

    def read(self, options: Any) -> Task[LeverReading]:
        """Ask the system for the limits in force."""

    def apply(self, options: Any, goal: Resources) -> Task[None]:
        """Set the known resources of `goal`; returning means asked for, not yet verified."""

    def describe(self, options: Any, goal: Resources) -> str:
        """What `apply` would do, in words an operator can check."""
