"""What the emulated services answer: a pure function of a world, a question and a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.emulator import (
    answers_control,
    answers_golem,
    answers_grass,
    answers_prices,
    answers_storj,
    answers_streamr,
    answers_streamr_info,
)
from orch.emulator.asks import EMULATED, Ask, Response

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """What a service says at a time. The world is worked out to that time first.

    Only the control service changes anything.
    """
    world.advance(now)
    now = max(now, world.time)
    match ask.service:
        case "storj":
            response = answers_storj.answer(world, ask, now)
        case "golem":
            response = answers_golem.answer(world, ask, now)
        case "streamr_rpc":
            response = answers_streamr.answer(world, ask, now)
        case "streamr_info":
            response = answers_streamr_info.answer(world, ask, now)
        case "grass":
            response = answers_grass.answer(world, ask, now)
        case "prices":
            response = answers_prices.answer(world, ask, now)
        case "control":
            response = answers_control.answer(world, ask, now)
    if response.refused:
        return response
    return Response(status=response.status, headers=(*response.headers, EMULATED), body=response.body)
