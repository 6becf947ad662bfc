"""What a protocol is: what to ask a node, and how to read its answers. Pure: no clock, no socket, no thread.

The adapter actor keeps a `memory` (the protocol's own frozen Struct), asks `endpoints(memory, now)` what may
be asked, lets `schedule.py` pick what is due, hands each reply to `absorb`, and reports `reading`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from typing import Protocol as TypingProtocol

from orch.model.base import Value
from orch.model.wire import Lane, Request

if TYPE_CHECKING:
    from datetime import datetime

    import msgspec

    from orch.model.readings import Reading
    from orch.model.wire import NoReply, Reply


class Endpoint(Value):
    """One question that may be asked of a node.

    `key` is stable (`sno`, `satellite/12Eay..`); `period_s` in seconds of the clock; `once` endpoints are not
    asked again after a good answer (history, first contact). `rank` orders what is due at the same time
    (lower first). `vital` endpoints decide whether the node counts as online. A `probe` is asked to see whether it
    is refused: that there is no usable answer is told to the protocol, and is no trouble.
    """

    key: str
    request: Request
    period_s: float
    lane: Lane = "fast"
    rank: int = 10
    once: bool = False
    vital: bool = False
    backoff_max_s: float = 600.0
    probe: bool = False


class Context(Value):
    """What a protocol is told of its node besides its own options."""

    node: str
    host: str
    base_dir: str = "."


class ProtocolSpec(TypingProtocol):
    """A protocol: one module, one object of this shape, one entry point in `orch.protocols`.

    It may have `verify_s`: after how many seconds its earnings can tell what a change has brought (a day, if not),
    and `cost_tokens`: units that only costs are counted in, whose missing price leaves net income unknown. And
    `seen_in`: the field of its memory with the time of the last sign of life, which is no news by itself.
    """

    @property
    def name(self) -> str:
        """`storj`, `golem`, ..."""

    @property
    def options(self) -> type[msgspec.Struct]:
        """The Struct of what `[nodes.X]` may hold for this protocol besides the common keys."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Units whose USD price is needed: `GLM`, `DATA`, ...; USD needs none."""

    @property
    def levers(self) -> tuple[str, ...]:
        """Lever kinds that make sense for it."""

    def begin(self, options: Any, context: Context) -> Any:
        """An empty memory."""

    def endpoints(self, memory: Any, now: datetime) -> tuple[Endpoint, ...]:
        """Everything that may be asked, given what is known."""

    def absorb(self, memory: Any, key: str, reply: Reply, now: datetime) -> Any:
        """The memory with one answer taken in; the very same where it said nothing that is not known.

        Raises:
            ShapeError: The answer has another shape than the documented one. Then nothing has changed.
            AbsurdError: It cannot be true. Then nothing has changed either.
        """

    def failed(self, memory: Any, key: str, failure: NoReply, now: datetime) -> Any:
        """The memory with one failure taken in (a 404 or a 401 can mean something)."""

    def reading(self, memory: Any, now: datetime) -> Reading:
        """Everything known now. Figures whose endpoint has not answered yet are None, empty or unknown."""
