"""A live engine: everything that is opened at the start and closed at the end, in order."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from actors.address import LiveDirectory
from actors.base import House
from actors.supervisor import Household
from actors.timers import LiveTimers
from orch import __version__
from orch.boot.opening import open_mirrored
from orch.boot.people import notifier_of
from orch.boot.plans import lever_targets, make_setting
from orch.boot.recipes import Fittings, recipes
from orch.config.redact import redact
from orch.errors import EngineError
from orch.model.board import EngineView
from orch.store.shelf import Shelf
from orch.system.cache import FileCache
from orch.system.host import PsutilHost, measure_capacity
from orch.system.journal import FileJournal
from orch.system.paths import (
    ALERTS_FILE,
    DATABASE_FILE,
    JOURNAL_FILE,
    PRICES_FILE,
    TARIFF_FILE,
    EngineInfo,
    lock_data_dir,
    lock_target,
    prepare_data_dir,
    remove_engine,
    web_token,
    write_engine,
)
from orch.system.solver_process import ProcessSolverPool
from orch.system.transport import HttpTransport
from orch.web.backend import Backend, BoardSlot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orch.boot.plans import Setting
    from orch.config.schema import Config
    from orch.model.fleet import Mode
    from orch.ports import Clock
    from orch.web.server import WebServer

Kind = Literal["emulated", "real"]
STOP_WITHIN_S = 4.0
ANSWER_WITHIN_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrangement:
    """What an engine runs on: decided once the data directory is ours."""

    config: Config
    kind: Kind
    clock: Clock


class Engine:
    """One running house. `start` it once, `stop` it as often as you like.

    Args:
        data_dir: Where it keeps its database, journal and token.
        arrange: Called at the start with the data directory, when that is locked; what it opens goes on the stack.
        mode: A lower or higher ceiling for all levers than the configuration's.
        port: Instead of the configured one.
        web: False keeps only a loopback interface on a free port, always behind the token.
    """

    def __init__(
        self,
        data_dir: Path,
        arrange: Callable[[Path, ExitStack], Arrangement],
        *,
        mode: Mode | None = None,
        port: int | None = None,
        web: bool = True,
    ) -> None:
        self.data_dir = data_dir
        self.url: str | None = None
        self.kind: Kind = "real"
        self.speed = 1.0
        self._arrange = arrange
        self._mode = mode
        self._port = port
        self._web = web
        self._stack = ExitStack()
        self._slot = BoardSlot()
        self._config: Config | None = None
        self._late: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """The configuration it runs on; known once it has started."""
        if self._config is None:
            raise EngineError("the engine has not been started")
        return self._config

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the configuration's owner should know."""
        return self.config.warnings

    @property
    def late(self) -> tuple[str, ...]:
        """Actors that did not stop in time; their threads still run."""
        return self._late

    def board(self) -> bytes | None:
        """The newest encoded dashboard."""
        return self._slot.body()

    def await_board(self, seen: int, within_s: float) -> int:
        """Wait for a board after the `seen`th; returns how many there were."""
        return self._slot.await_next(seen, within_s)

    def start(self) -> None:
        """Start everything, or nothing. Raises OrchError with one sentence."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, within five seconds, with everything committed."""
        self._stack.close()

    def _start(self) -> None:
        stack = self._stack
        self.data_dir = prepare_data_dir(self.data_dir)
        stack.callback(lock_data_dir(self.data_dir).release)
        arranged = self._arrange(self.data_dir, stack)
        self._config, self.kind, self.speed = arranged.config, arranged.kind, arranged.clock.speed
        setting = make_setting(
            arranged.config, host=socket.gethostname(), measured=measure_capacity(self.data_dir), mode=self._mode
        )
        for target in lever_targets(setting):
            stack.callback(lock_target(target).release)
        self._refuse_taken_port(arranged.config)
        self._house(setting, arranged)

    def _refuse_taken_port(self, config: Config) -> None:
        """Before anybody is born: the gateway comes last, and would be tried again and again."""
        from orch.web.server import listen

        listen(*self._address(config)).close()

    def _house(self, setting: Setting, arranged: Arrangement) -> None:
        stack, clock = self._stack, arranged.clock
        directory = LiveDirectory()
        timers = LiveTimers(clock, directory)
        transport = HttpTransport(directory, clock)
        solvers = ProcessSolverPool(directory)
        journal = FileJournal(self.data_dir / JOURNAL_FILE)
        house = House(
            clock=clock,
            timers=timers,
            directory=directory,
            transport=transport,
            journal=journal,
            host=PsutilHost(self.data_dir) if arranged.kind == "real" else None,
            board=self._slot,
            solvers=solvers,
        )
        token_file, token = web_token(self.data_dir)
        shelf = Shelf()
        notifier = notifier_of(setting, directory, clock, self.data_dir, shelf)
        backend = self._backend(setting.config, clock, directory, shelf, token)
        fittings = Fittings(
            engine=EngineView(
                running=True,
                pid=os.getpid(),
                version=__version__,
                mode=setting.mode,
                kind=arranged.kind,
                speed=clock.speed,
            ),
            open_writer=partial(
                open_mirrored, self.data_dir / DATABASE_FILE, arranged.kind, setting.host, journal
            ),
            shelf=shelf,
            price_cache=FileCache(self.data_dir / PRICES_FILE),
            tariff_cache=FileCache(self.data_dir / TARIFF_FILE),
            alert_cache=FileCache(self.data_dir / ALERTS_FILE),
            notifier=notifier,
            web=partial(self._server, backend, setting.config),
            web_started=partial(self._announce, str(token_file), clock),
        )
        household = Household(house, directory, recipes(setting, house, fittings), seed=os.getpid())
        stack.callback(remove_engine, self.data_dir)
        stack.callback(timers.stop)
        # After the household: a question that the stop cuts off is no failure of its node.
        stack.callback(transport.close)
        stack.callback(solvers.close)
        if notifier is not None:
            stack.callback(notifier.close)
        stack.callback(self._stop_household, household)
        timers.start()
        household.start_all()

    def _backend(
        self, config: Config, clock: Clock, directory: LiveDirectory, shelf: Shelf, token: str
    ) -> Backend:
        return Backend(
            board=self._slot,
            shelf=shelf,
            tell=directory.tell,
            ask=partial(directory.ask, within=ANSWER_WITHIN_S),
            speed=clock.speed,
            token=token,
            open_reads=self._web and config.web.open_reads,
            version=__version__,
            started_at=clock.now(),
            now=clock.now,
            config=redact(config),
            names=config.web.names,
            page=self._web,
        )

    def _server(self, backend: Backend, config: Config) -> WebServer:
        from orch.web.server import WebServer

        return WebServer(backend, *self._address(config))

    def _address(self, config: Config) -> tuple[str, int]:
        """Where the HTTP interface listens."""
        if not self._web:
            return "127.0.0.1", 0
        return config.web.bind, config.web.port if self._port is None else self._port

    def _announce(self, token_file: str, clock: Clock, url: str) -> None:
        self.url = url
        write_engine(
            self.data_dir,
            EngineInfo(
                pid=os.getpid(),
                url=url,
                token_file=token_file,
                kind=self.kind,
                started_at=clock.now(),
                version=__version__,
            ),
        )

    def _stop_household(self, household: Household) -> None:
        self._late = household.stop_all(STOP_WITHIN_S)
        for name in self._late:
            log.error("%s did not stop in time", name)
