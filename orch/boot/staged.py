"""The same house on the stage: no threads, virtual time, for replay and for tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from actors.supervisor import Supervisor
from orch import __version__
from orch.boot.opening import open_mirrored
from orch.boot.plans import make_setting
from orch.boot.recipes import Fittings, recipes
from orch.model.board import EngineView
from orch.model.resources import Resources
from orch.store.shelf import Shelf
from orch.system.journal import MemoryJournal
from orch.system.paths import DATABASE_FILE
from orch.system.solver_process import InlineSolverPool
from orch.web.backend import BoardSlot

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from orch.boot.engine import Kind
    from orch.boot.plans import Setting
    from orch.config.schema import Config
    from orch.model.fleet import Mode
    from orch.model.wire import NoReply, Reply, Request
    from orch.ports import Journal

    Answering = Callable[[Request, datetime, str], tuple[Reply | NoReply, float]]

SOLVER_S = 60.0
"""Virtual time waits for a solver: what it finds must not depend on how busy this machine is."""


@dataclass(frozen=True)
class StagedHouse:
    """A house on the stage, with what a script may want to look at."""

    stage: Stage
    setting: Setting
    board: BoardSlot
    shelf: Shelf
    journal: Journal
    supervisor: Supervisor

    def failures(self) -> dict[str, str]:
        """The last error of every actor that ever failed, by name; empty when none did."""
        return dict(self.supervisor.last_errors)

    def close(self) -> None:
        """End every actor, last born first, so that everything is committed."""
        for name in reversed(self.stage.names()):
            self.stage.dismiss(name)


def staged_house(
    config: Config,
    data_dir: Path,
    answer: Answering,
    *,
    start: datetime,
    seed: int = 0,
    mode: Mode | None = None,
    kind: Kind = "emulated",
    host: str = "stage",
    measured: Resources | None = None,
    commit_every_s: float = 0.0,
    board_every_s: float = 0.0,
    tidy_every_s: float = 3600.0,
    journal: Journal | None = None,
    trace: bool = False,
) -> StagedHouse:
    """Put a configuration on the stage, its outside world answered by `answer`. Nothing runs yet.

    `commit_every_s`, `board_every_s` and `tidy_every_s` are virtual seconds. The database lies in `data_dir`.
    """
    stage = Stage(seed, start, trace=trace)
    setting = make_setting(config, host=host, measured=measured or Resources(), mode=mode)
    board, shelf, records = BoardSlot(), Shelf(), journal or MemoryJournal()
    transport, solvers = VirtualTransport(stage, answer), InlineSolverPool(stage)
    house = stage.house(transport, journal=records, board=board, solvers=solvers)
    fittings = Fittings(
        engine=EngineView(
            running=True, pid=None, version=__version__, mode=setting.mode, kind=kind, speed=stage.speed
        ),
        open_writer=partial(open_mirrored, data_dir / DATABASE_FILE, kind, host, records),
        shelf=shelf,
        commit_every_s=commit_every_s,
        board_every_s=board_every_s,
        tidy_every_s=tidy_every_s,
        solver_s=SOLVER_S,
    )
    made = recipes(setting, house, fittings)
    supervisor = Supervisor(house, made, stage.add, seed=seed)
    stage.add(supervisor)
    for recipe in made:
        stage.add(recipe.make())
    return StagedHouse(
        stage=stage, setting=setting, board=board, shelf=shelf, journal=records, supervisor=supervisor
    )
