"""What is known of one Grass account: the facts kept between answers, all immutable."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from orch.model.base import Value
from orch.model.wire import NoReply, Secret
from orch.protocols.base import Context
from orch.protocols.grass_answers import Device, Epoch


class GrassOptions(Value):
    """`[nodes.X]` with `protocol = "grass"`.

    `token` is the access token of the dashboard. `tokens_per_point` (GRASS per point) has no default: without
    it the rate is unknown. `p_paid` is the expected chance (0..1) that the points are paid at all.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")] = "https://api.getgrass.io"
    token: Secret | None = None
    tokens_per_point: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    p_paid: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5


class Memory(Value):
    """Everything the account has said that still matters; times are those of the answers."""

    options: GrassOptions
    context: Context
    emulated: bool = False
    settled_points: str | None = None
    devices: tuple[Device, ...] | None = None
    devices_at: datetime | None = None
    devices_failure: NoReply | None = None
    epochs: tuple[Epoch, ...] = ()
    epochs_at: datetime | None = None
    paused_until: str | None = None
    refused_since: datetime | None = None
    refusals: int = 0
    limited_since: datetime | None = None
