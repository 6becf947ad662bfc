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

    `url` is the base of the node's console API. `config_path` is its config.yaml, for the levers. `storage_path`
    lies on the disk that it fills, `log_path` is the file that it logs to (`log.output`): where they are on this
    host, the room on the disk is compared with the node's own count, and a node that does not answer is looked up
    in its log.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")] = "http://127.0.0.1:14002"
    config_path: str | None = None
    storage_path: str | None = None
    log_path: str | None = None


class Room(Value):
    """Bytes of the disk that the node lies on, as the host says; `free` for ordinary users."""

    total: int
    free: int


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
    """Bytes at rest on the newest known day: reported by the satellite, or (`projected`) the node's guess."""

    day: datetime
    amount: float
    projected: bool = False


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
    `covered_from`. `audit_fell_from` is the score before its last fall, at `audit_fell_at`.
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
    audit_fell_from: float | None = None
    audit_fell_at: datetime | None = None


class Payout(Value):
    """One month of an estimate for one satellite, USD before anything is held back; `moved` in bytes of egress."""

    storage: Decimal
    egress: Decimal
    moved: int
    held_rate: Decimal
    trusted: bool


class Estimate(Value):
    """`/api/sno/estimated-payout?id=`.

    `as_of` is by our clock; the moment it was worked out for lies between `earliest` and `latest` by the node's.
    """

    as_of: datetime
    earliest: datetime
    latest: datetime
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


class Receipt(Value):
    """How one satellite's month was paid out: a reference as `eth:0x...`."""

    satellite: str
    month: str
    reference: str


class Held(Value):
    """What one satellite has held back and returned since the node joined it, USD."""

    satellite: str
    held: Decimal
    returned: Decimal

    @property
    def outstanding(self) -> Decimal:
        """What it still keeps."""
        return max(Decimal(0), self.held - self.returned)


class Notice(Value):
    """One unread notification. `kind`: 0 of its own, 1 audit failure, 2 disqualification, 3 suspension."""

    kind: int
    title: str
    created_at: datetime | None


class MonthMoney(Value):
    """The estimate of one satellite's month. `as_of` is the last answer that spoke of it.

    `kept` is egress that the node once counted and has since forgotten.
    """

    satellite: str
    month: str
    storage: Decimal
    egress: Decimal
    moved: int
    held_rate: Decimal
    as_of: datetime
    kept: Decimal = Decimal(0)

    @property
    def gross(self) -> Decimal:
        """Before anything is held back."""
        return self.storage + self.egress + self.kept


class DiskSample(Value):
    """Bytes on the disk at a time, hourly; `unpaid` of them are trash and garbage."""

    taken_at: datetime
    used: int
    free: int
    unpaid: int = 0


class Trouble(Value):
    """An endpoint that fails now: the newest failure, how often in a row, and since when."""

    key: str
    failure: NoReply
    count: int
    since: datetime


class Memory(Value):
    """Everything a node has said that still matters. Pairs are keyed by satellite id.

    `grown_per_hour`: the bytes that the samples of the disk say it grew by, while it had room. `receipts_read`
    are the months whose payments were asked for. `clock_ahead_s`: the node's clock less ours. `last_words`: the
    end of its log, read while it did not answer.
    """

    options: StorjOptions
    context: Context
    emulated: bool = False
    node: Node | None = None
    merged: Month | None = None
    satellites: tuple[tuple[str, Month], ...] = ()
    prices: tuple[tuple[str, Prices], ...] = ()
    gone: tuple[tuple[str, datetime], ...] = ()
    estimates: tuple[MonthMoney, ...] = ()
    paystubs: tuple[Paystub, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    receipts_read: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    notices: tuple[Notice, ...] = ()
    clock_ahead_s: float = 0.0
    untrusted: tuple[str, ...] = ()
    disk_samples: tuple[DiskSample, ...] = ()
    grown_per_hour: float | None = None
    starts: tuple[datetime, ...] = ()
    quic_bad_since: datetime | None = None
    troubles: tuple[Trouble, ...] = ()
    room: Room | None = None
    last_words: str = ""
