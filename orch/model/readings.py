"""What an adapter reports of its node."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec.structs import replace

from orch.model.base import Value
from orch.model.money import Accrual, Evidence
from orch.model.resources import ResourceName, Resources

if TYPE_CHECKING:
    from collections.abc import Iterable

Health: TypeAlias = Literal["online", "degraded", "offline", "unknown"]

Reason: TypeAlias = Literal[
    "refused",  # nobody listens
    "timeout",  # the total deadline passed
    "unreachable",  # no route, no name, connection broken
    "http_status",  # an answer with a status that is not the documented one
    "unauthorised",  # a person must give a new credential
    "rate_limited",
    "content_type",  # HTML with 200, a proxy's page
    "too_large",  # the body limit
    "redirect",  # to another host
    "malformed",  # not decodable
    "shape",  # decodable, but a known key is gone or of another type
    "absurd",  # well formed and impossible
    "unlisted",  # it answers, and has never heard of what was asked
    "missing_file",
    "permission",
    "conflict",  # somebody else changed it meanwhile
    "failed",  # a program or a manager of this host was asked and could not
]

OutlookForm: TypeAlias = Literal["dial", "stock", "floor", "on_off"]


class Finding(Value):
    """Something about a node that its operator should know, with what to do."""

    code: str
    severity: Literal["info", "warning", "page"]
    sentence: str
    remedy: str


class Pace(Value):
    """Income of the present allocation by the protocol's own formula, in native units per hour.

    `exact` when it is measured and changes in steps (a stake's share): the newest counts alone, it is not
    averaged with what was before the last step.
    """

    unit: str
    low: float
    mean: float
    high: float
    evidence: Evidence
    window_s: float
    as_of: datetime
    exact: bool = False


class Outlook(Value):
    """What the protocol's own rules say about more or less of one resource.

    `dial`: income is about proportional to what paying work uses of `resource` (Golem's cores).
      `per_unit_hour` is what one unit in full use earns per hour of wall time, `busy_share` the share of
      time with paying work, `saturation` the share of the allocation that work used while there was
      some, `demand` the most units that work has been seen to use (a lower limit when saturated).
    `stock`: `resource` must first fill before it earns (Storj's disk): `used` units earn `per_unit_hour`
      each, demand fills `fill_per_hour` more units per hour while there is room.
    `floor`: a need to protect, income does not depend on it (Streamr).
    `on_off`: all or nothing at the floor (Grass).

    `also` gives how much of other resources one unit of the dial needs (fixed proportions).
    All native amounts are in `unit`; None is unknown.
    """

    form: OutlookForm
    resource: ResourceName | None = None
    unit: str = "USD"
    per_unit_hour: float | None = None
    busy_share: float | None = None
    saturation: float | None = None
    demand: float | None = None
    used: float | None = None
    fill_per_hour: float | None = None
    also: Resources = Resources()
    step: float | None = None


class ObserverRate(Value):
    """What observing a node cost it per hour, over the last hour or as much of it as there is."""

    requests: float
    bytes: float
    seconds: float


class Reading(Value):
    """All that is known of one node at one time.

    `allocation` is what the node (or its lever) says it may use, `used` what it uses, `committed` what
    cannot be taken back now, `floor` what should not be taken away (protected). `window_s` is the
    shortest window over which the protocol's income makes a rate; `pace` overrides the rate from the
    ledger where the protocol has a better formula; where `paced`, nothing else will do, and the rate is
    unknown until there is a pace. `fee_share` is the part of gross income that the network keeps. `cost_note` says
    which costs of the network are not known to the protocol.
    """

    node: str
    protocol: str
    taken_at: datetime
    emulated: bool
    health: Health
    health_reason: str
    last_seen_at: datetime | None
    accruals: tuple[Accrual, ...] = ()
    allocation: Resources = Resources()
    used: Resources = Resources()
    committed: Resources = Resources()
    floor: Resources = Resources()
    outlooks: tuple[Outlook, ...] = ()
    pace: Pace | None = None
    paced: bool = False
    fee_share: float = 0.0
    cost_note: str = ""
    window_s: float = 3600.0
    speculative: bool = False
    findings: tuple[Finding, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    requests: int = 0
    bytes_read: int = 0
    seconds_waited: float = 0.0
    observed_since: datetime | None = None
    observed_per_hour: ObserverRate | None = None


class Heard(Value):
    """A sign of life without news: when the node was heard, and what observing it has cost by then."""

    heard_at: datetime
    last_seen_at: datetime | None
    requests: int
    bytes_read: int
    seconds_waited: float
    observed_per_hour: ObserverRate | None


def with_heard(reading: Reading, heard: Heard) -> Reading:
    """A reading that still stands when the node was heard again."""
    return replace(
        reading,
        taken_at=heard.heard_at,
        last_seen_at=heard.last_seen_at,
        requests=heard.requests,
        bytes_read=heard.bytes_read,
        seconds_waited=heard.seconds_waited,
        observed_per_hour=heard.observed_per_hour,
    )


class Failure(Value):
    """Why a question to a node has no usable answer. `vital`: it is what says that the node is there."""

    endpoint: str
    reason: Reason
    sentence: str
    retryable: bool
    failed_at: datetime
    retry_after_s: float | None = None
    vital: bool = False


def contact_lost(failures: Iterable[Failure], last_seen_at: datetime | None) -> Failure | None:
    """The vital question that had no usable answer since a node was last seen; None while all is well."""
    lost = [each for each in failures if each.vital and (last_seen_at is None or each.failed_at >= last_seen_at)]
    return max(lost, key=lambda each: each.failed_at, default=None)
