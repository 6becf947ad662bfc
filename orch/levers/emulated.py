"""The lever of emulated nodes: limits by the control API of the emulated world.

`GET {url}/levers/{node}` gives `{"allocation": RES, "committed": RES, "used": RES}`; `PUT` with some of RES asks
for new limits and is answered 202, 409 with a sentence when refused, or 503 while the node restarts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from orch.errors import LeverError
from orch.levers.base import CostPrior, LeverReading, Task
from orch.model.resources import RESOURCES, SHORT, ResourceName, Resources, resources
from orch.model.wire import HttpRequest, NoReply

if TYPE_CHECKING:
    from orch.model.wire import Reply

DEADLINE_S = 180.0
VERIFY_S = 6 * 3600.0
COSTS: dict[str, CostPrior] = {
    "storj": CostPrior(
        downtime_s=120.0,
        settle_s=5.0,
        deadline_s=DEADLINE_S,
        verify_s=VERIFY_S,
        pauses=("storage_gb",),
        read_every_s=600.0,
    ),
    "golem": CostPrior(
        downtime_s=60.0, settle_s=5.0, deadline_s=DEADLINE_S, verify_s=VERIFY_S, read_every_s=600.0
    ),
}
OTHER_COST = CostPrior(downtime_s=5.0, settle_s=5.0, deadline_s=DEADLINE_S, verify_s=VERIFY_S, read_every_s=600.0)


class EmulatedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`url` of the control service, the `node` as the world names it, and what is set by this lever of it."""

    url: str
    node: str
    sets: tuple[ResourceName, ...] = RESOURCES

    @property
    def address(self) -> str:
        """The URL of the node's limits."""
        return f"{self.url.rstrip('/')}/levers/{self.node}"


class _Limits(msgspec.Struct):
    """The body of a GET."""

    allocation: Resources
    committed: Resources = Resources()
    used: Resources = Resources()


class _Fault(msgspec.Struct):
    """The body of a refusal."""

    error: str


class EmulatedLever:
    """Sets any resource of any emulated node."""

    cannot = ("set anything real",)

    target = ("url", "node")

    @property
    def kind(self) -> str:
        """`emulated`."""
        return "emulated"

    @property
    def options(self) -> type[msgspec.Struct]:
        """Where the control API is, and the node's name there."""
        return EmulatedOptions

    def sets(self, protocol: str, options: EmulatedOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """What its options say; all resources where they say nothing."""
        return tuple(name for name in RESOURCES if name in options.sets)

    def cost(self, protocol: str, options: object) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """A restart for Storj, new offers for Golem, next to nothing for the others."""
        return COSTS.get(protocol, OTHER_COST)

    def read(self, options: EmulatedOptions) -> Task[LeverReading]:
        """Ask for the limits in force. Raises LeverError when they cannot be had."""
        answer = yield HttpRequest(url=options.address)
        if isinstance(answer, NoReply):
            raise LeverError(f"the limits of {options.node} could not be read: {_sentence(answer)}")
        try:
            limits = msgspec.json.decode(answer.body, type=_Limits)
        except msgspec.MsgspecError as fault:
            raise LeverError(f"the limits of {options.node} could not be read: {fault}") from fault
        stated = resources({name: limits.allocation.get(name) for name in options.sets})
        return LeverReading(allocation=stated, committed=limits.committed, used=limits.used)

    def apply(self, options: EmulatedOptions, goal: Resources) -> Task[None]:
        """Ask for the known resources of `goal`. Raises LeverError with the sentence of a refusal."""
        body = msgspec.json.encode(dict(goal.known()))
        headers = (("Content-Type", "application/json"),)
        answer: Reply | NoReply = yield HttpRequest(url=options.address, method="PUT", headers=headers, body=body)
        if isinstance(answer, NoReply):
            raise LeverError(f"{options.node} was not changed: {_sentence(answer)}")

    def describe(self, options: EmulatedOptions, goal: Resources) -> str:
        """The limits that would be asked for."""
        parts = ", ".join(f"{SHORT[name]} {amount:g}" for name, amount in goal.known())
        return f"ask the emulated world to set {options.node} to {parts or 'what it has'}"


def _sentence(answer: NoReply) -> str:
    """What the control API said, else what the transport said."""
    try:
        return msgspec.json.decode(answer.body, type=_Fault).error
    except msgspec.MsgspecError:
        return answer.sentence


LEVER = EmulatedLever()
