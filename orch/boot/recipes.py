"""Who lives in the house, and in which order they are born."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from actors.adapter import Adapter
from actors.base import adapter_name
from actors.coordinator import Coordinator
from actors.gateway import Gateway
from actors.metering import Metering
from actors.monitor import Monitor, MonitorPlan
from actors.optimizer import Optimizer
from actors.pricing import Pricing
from actors.reallocation import Reallocation
from actors.recorder import Recorder, RecorderPlan
from actors.supervisor import Recipe
from orch.boot.people import watch_of
from orch.boot.plans import (
    coordinator_plan,
    metering_plan,
    node_plan,
    optimizer_plan,
    pricing_plan,
    reallocation_plan,
    running_costs,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from actors.base import House
    from orch.boot.plans import Setting
    from orch.model.board import EngineView
    from orch.ports import Cache, Notifier
    from orch.store.shelf import Shelf
    from orch.store.writer import Writer
    from orch.web.server import WebServer


@dataclass(frozen=True)
class Fittings:
    """What differs between a live house and one on the stage.

    `commit_every_s`, `board_every_s` and `tidy_every_s` are seconds of the clock, 0 for every tick; `solver_s` is
    what a solver may take for one problem, in real seconds; `price_cache`, `tariff_cache` and `alert_cache`
    outlive a restart; `notifier` tells people, without one nobody is told; `web` makes the server, `web_started`
    hears its URL.
    """

    engine: EngineView
    open_writer: Callable[[datetime], Writer]
    shelf: Shelf
    commit_every_s: float = 0.0
    board_every_s: float = 0.0
    tidy_every_s: float = 3600.0
    keep: timedelta = timedelta(days=30)
    solver_s: float = 1.0
    price_cache: Cache | None = None
    tariff_cache: Cache | None = None
    alert_cache: Cache | None = None
    notifier: Notifier | None = None
    web: Callable[[], WebServer] | None = None
    web_started: Callable[[str], None] = print


def recipes(setting: Setting, house: House, fittings: Fittings) -> tuple[Recipe, ...]:
    """Every actor but the supervisor. A level starts when the one before is ready, and stops before it."""
    recording = RecorderPlan(
        open_writer=fittings.open_writer,
        shelf=fittings.shelf,
        commit_every_s=fittings.commit_every_s,
        tidy_every_s=fittings.tidy_every_s,
        keep=fittings.keep,
    )
    watching = MonitorPlan(
        engine=fittings.engine,
        costs=running_costs(setting),
        board_every_s=fittings.board_every_s,
        display=setting.config.prices.display,
        watch=watch_of(setting, fittings.engine.kind),
        cache=fittings.alert_cache,
        notifier=fittings.notifier,
    )
    coordinating, pricing = coordinator_plan(setting), pricing_plan(setting, fittings.price_cache)
    optimizing, reallocating = optimizer_plan(setting, fittings.solver_s), reallocation_plan(setting)
    plans = {adapter_name(node.config.name): node_plan(setting, node) for node in setting.nodes}
    found = [
        Recipe("recorder", 0, lambda: Recorder("recorder", house, recording), ready_within_s=30.0),
        Recipe("monitor", 1, lambda: Monitor("monitor", house, watching)),
        *(
            Recipe(name, 2, lambda name=name, plan=plan: Adapter(name, house, plan))  # type: ignore[misc]
            for name, plan in plans.items()
        ),
        Recipe("coordinator", 3, lambda: Coordinator("coordinator", house, coordinating)),
        Recipe("pricing", 3, lambda: Pricing("pricing", house, pricing)),
        Recipe("optimizer", 4, lambda: Optimizer("optimizer", house, optimizing)),
        Recipe("reallocation", 5, lambda: Reallocation("reallocation", house, reallocating)),
    ]
    metering = metering_plan(setting, fittings.tariff_cache)
    if metering is not None:
        found.append(Recipe("metering", 4, lambda: Metering("metering", house, metering)))
    make_server = fittings.web
    if make_server is not None:
        found.append(
            Recipe(
                "gateway",
                6,
                lambda: Gateway("gateway", house, make_server, fittings.web_started),
                ready_within_s=20.0,
            )
        )
    return tuple(found)
