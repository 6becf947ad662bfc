"""What is known of one Storj storage node: checked values, and the memory that holds them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from orch.model.base import Value
from orch.model.wire import NoReply
from orch.protocols.base import Context


class StorjOptions(Value):
    """`[nodes.X]` with `protocol = "storj"`.

    `url` is the base of the node's console API. `config_path` is its config.yaml, for the levers.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")] = "http://127.0.0.1:14002"
    config_path: str | None = None


class Satellite(Value):
    """A satellite that the node trusts and has heard from."""

    id: str
    host: str
    disqualified_at: datetime | None
    suspended_at: datetime | None


class Disk(Value):
    """Bytes. `used` is everything on the disk, trash included; `free` can still be filled."""

    used: int
    allocated: int
    free: int
    overused: int
    trash: int
    reclaimable: int


class Node(Value):
    """`/api/sno/`: the node as it sees itself."""

    as_of: datetime
    node_id: str
    satellites: tuple[Satellite, ...]
    disk: Disk
    last_pinged_at: datetime | None
    started_at: datetime | None
    version: str
    allowed_version: str
    up_to_date: bool
    quic: str


class Traffic(Value):
    """Bytes moved in one UTC day."""

    day: datetime
    usage: int
    repair_audit: int
    ingress: int
    deleted: int


class Stored(Value):
    """Bytes a satellite says it had at rest on its newest reported day."""

    day: datetime
    amount: float


class Prices(Value):
    """Whole cents per decimal TB; `disk` per 720 hours. All 0 means that the node has not heard them."""

    egress: int
    repair: int
    audit: int
    disk: int

    @property
    def known(self) -> bool:
        """Whether the satellite has stated any price."""
        return (self.egress, self.repair, self.audit, self.disk) != (0, 0, 0, 0)


class Month(Value):
    """`/api/sno/satellites` or `/api/sno/satellite/{id}`. Scores 0..1; 0 is not yet known.

    An answer holds the present UTC month; `traffic` goes on over the month's edge, without a gap since
    `covered_from`.
    """

    as_of: datetime
    covered_from: datetime
    traffic: tuple[Traffic, ...]
    stored: Stored | None
    joined_at: datetime | None
    prices: Prices | None = None
    audit_score: float = 0.0
    suspension_score: float = 0.0
    online_score: float = 0.0


class Payout(Value):
    """One month of an estimate for one satellite, USD before anything is held back."""

    gross: Decimal
    held_rate: float
    trusted: bool


class Estimate(Value):
    """`/api/sno/estimated-payout?id=`."""

    as_of: datetime
    asked_at: datetime
    current: Payout
    previous: Payout


class Paystub(Value):
    """The final statement of one satellite for one month, USD."""

    satellite: str
    month: str
    as_of: datetime
    paid: Decimal
    held: Decimal
    disposed: Decimal
    distributed: Decimal

    @property
    def gross(self) -> Decimal:
        """What the month's work earned: returned held money is no new income."""
        return self.paid + self.held - self.disposed


class MonthMoney(Value):
    """The estimate of one satellite's month. `as_of` is the last answer that spoke of it."""

    satellite: str
    month: str
    gross: Decimal
    as_of: datetime


class DiskSample(Value):
    """Bytes on the disk at a time, hourly."""

    taken_at: datetime
    used: int
    free: int


class Trouble(Value):
    """An endpoint that fails now: the newest failure, how often in a row, and since when."""

    key: str
    failure: NoReply
    count: int
    since: datetime


class Memory(Value):
    """Everything a node has said that still matters. Pairs are keyed by satellite id.

    `grown_per_hour`: the bytes that the samples of the disk say it grew by, while it had room.
    """

    options: StorjOptions
    context: Context
    emulated: bool = False
    node: Node | None = None
    merged: Month | None = None
    satellites: tuple[tuple[str, Month], ...] = ()
    prices: tuple[tuple[str, Prices], ...] = ()
    held_rates: tuple[tuple[str, float], ...] = ()
    gone: tuple[tuple[str, datetime], ...] = ()
    estimates: tuple[MonthMoney, ...] = ()
    paystubs: tuple[Paystub, ...] = ()
    untrusted: tuple[str, ...] = ()
    disk_samples: tuple[DiskSample, ...] = ()
    grown_per_hour: float | None = None
    starts: tuple[datetime, ...] = ()
    quic_bad_since: datetime | None = None
    troubles: tuple[Trouble, ...] = ()
