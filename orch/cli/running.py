"""The running engine, asked over its HTTP interface with its token."""

from __future__ import annotations

import http.client
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from orch.cli.source import NO_BOARD, decode
from orch.errors import EngineError, StoreError, UsageError
from orch.model.board import Dashboard
from orch.model.moves import Reallocation
from orch.model.plans import Decision, Plan
from orch.model.switches import Missed
from orch.system.clock import RealClock
from orch.web.shapes import DecisionPage, HealthBody, HistoryBody, ReallocationPage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from pathlib import Path

    from orch.cli.source import Format, Metric, Told
    from orch.model.report import Report
    from orch.system.paths import EngineInfo

T = TypeVar("T", bound=msgspec.Struct)
PATIENCE_S = 60.0
EXPORT_S = 600.0
"""A table is written whole before its first byte comes: millions of rows take their time."""
GREETING_S = 10.0
CHUNK = 1 << 16
PAGE = 500
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address that is asked, not listened on


class RefusedError(EngineError):
    """An answer with an error status; `status` is the HTTP one."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RunningEngine:
    """A `Source` over the HTTP interface of the engine that runs on a data directory."""

    def __init__(self, info: EngineInfo, data_dir: Path) -> None:
        self._info = info
        self._token_file = data_dir / info.token_file
        self._health: HealthBody | None = None

    def greet(self) -> HealthBody:
        """Ask whether it is there. Raises EngineError when it does not answer."""
        self._health = decode(self._get("/api/v1/health", within_s=GREETING_S), HealthBody)
        return self._health

    def now(self) -> datetime:
        """The time of the newest board."""
        health = self._health or self.greet()
        return health.board_as_of or RealClock().now()

    def board(self) -> Dashboard:
        """The newest board. Raises StoreError before the first."""
        try:
            return decode(self._get("/api/v1/dashboard"), Dashboard)
        except RefusedError as refused:
            if refused.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
                raise StoreError(NO_BOARD) from refused
            raise

    def plan(self, plan_id: str | None = None) -> Plan | None:
        """A plan by its id, or the newest one."""
        path = "/api/v1/plan" if plan_id is None else f"/api/v1/plans/{quote(plan_id, safe='')}"
        return self._maybe(path, Plan)

    def decision(self, decision_id: str | None) -> Decision | None:
        """A decision by its id, or the last one."""
        if decision_id is not None:
            return self._maybe(f"/api/v1/decisions/{quote(decision_id, safe='')}", Decision)
        page = decode(self._get("/api/v1/decisions", limit=1), DecisionPage)
        return page.items[0] if page.items else None

    def reallocation(self, reallocation_id: str) -> Reallocation | None:
        """A reallocation by its id."""
        return self._maybe(f"/api/v1/reallocations/{quote(reallocation_id, safe='')}", Reallocation)

    def reallocations(self, since: datetime | None) -> tuple[Reallocation, ...]:
        """All reallocations started since then, newest first."""
        found: list[Reallocation] = []
        cursor: str | None = None
        while True:
            page = decode(self._get("/api/v1/reallocations", limit=PAGE, cursor=cursor), ReallocationPage)
            found += [each for each in page.items if since is None or each.started_at >= since]
            cursor = page.next
            if cursor is None or (since is not None and page.items[-1].started_at < since):
                return tuple(found)

    def missed(self, since: datetime | None) -> Missed:
        """What refused plans would have brought since then, as predicted."""
        return decode(self._get("/api/v1/missed", since=since), Missed)

    def history(self, metric: Metric, node: str | None, since: datetime, step_s: int) -> HistoryBody:
        """A metric until now."""
        body = self._get("/api/v1/metrics-history", metric=metric, node=node, since=since, step_s=step_s)
        return decode(body, HistoryBody)

    def report(self, period: timedelta) -> Report:
        """What the time up to now came to."""
        from orch.model.report import Report

        asked = f"{period.total_seconds():.0f}s"
        return decode(self._get("/api/v1/report", within_s=EXPORT_S, period=asked), Report)

    def table(
        self, name: str, fmt: Format, since: datetime | None, until: datetime | None, told: Told | None = None
    ) -> Iterator[bytes]:
        """A table as a stream. Raises UsageError when there is no such table."""
        path, read = f"/api/v1/tables/{quote(name, safe='')}", 0
        with self._answer("GET", path, within_s=EXPORT_S, format=fmt, since=since, until=until) as answer:
            whole = int(answer.headers.get("Content-Length") or 0)
            while chunk := _read(answer, CHUNK):
                read += len(chunk)
                if told is not None and whole:
                    told(read, whole)
                yield chunk

    def roll_back(self, reallocation_id: str) -> None:
        """Give the order to put back what a move changed.

        Raises:
            UsageError: There is no such move.
            EngineError: It was refused.
        """
        path = f"/api/v1/reallocations/{quote(reallocation_id, safe='')}/rollback"
        try:
            with self._answer("POST", path) as answer:
                _read(answer)
        except RefusedError as refused:
            if refused.status == http.HTTPStatus.NOT_FOUND:
                raise UsageError(
                    f"There is no reallocation {reallocation_id}: `orch history` lists them."
                ) from refused
            raise

    def order(self, path: str, said: Any = None) -> Any:
        """Give an order, with what is `said` beside it, and hear what was taken.

        Raises:
            UsageError: There is nothing of that name, or what was said is not understood.
            EngineError: It was refused; the sentence says why, and what to do.
        """
        try:
            with self._answer("POST", path, said=said) as answer:
                return msgspec.json.decode(_read(answer))
        except RefusedError as refused:
            if refused.status == http.HTTPStatus.NOT_FOUND:
                raise UsageError(str(refused)) from refused
            raise

    # -- HTTP ----------------------------------------------------------------------------------------------

    def _maybe(self, path: str, kind: type[T]) -> T | None:
        try:
            return decode(self._get(path), kind)
        except RefusedError as refused:
            if refused.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def _get(self, path: str, *, within_s: float = PATIENCE_S, **query: Any) -> bytes:
        with self._answer("GET", path, within_s=within_s, **query) as answer:
            return _read(answer)

    @contextmanager
    def _answer(
        self, method: str, path: str, *, within_s: float = PATIENCE_S, said: Any = None, **query: Any
    ) -> Iterator[http.client.HTTPResponse]:
        asked = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in query.items()}
        wanted = urlencode({key: value for key, value in asked.items() if value is not None})
        connection = self._connect(within_s)
        try:
            headers = {"Authorization": f"Bearer {self._token()}", "Accept": "*/*"}
            body = None if said is None else msgspec.json.encode(said)
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, f"{path}?{wanted}" if wanted else path, body=body, headers=headers)
            answer = connection.getresponse()
            if answer.status >= http.HTTPStatus.BAD_REQUEST:
                self._refuse(answer)
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error
        finally:
            connection.close()

    def _connect(self, within_s: float) -> http.client.HTTPConnection:
        parts = urlsplit(self._info.url)
        host = parts.hostname or "127.0.0.1"
        try:
            return http.client.HTTPConnection(ANYWHERE.get(host, host), parts.port, timeout=within_s)
        except ValueError as error:
            raise EngineError(f"The running engine names no usable URL: {self._info.url}.") from error

    def _token(self) -> str:
        try:
            return self._token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise EngineError(
                f"The token of the running engine cannot be read from {self._token_file}: run this as its user."
            ) from error

    def _refuse(self, answer: http.client.HTTPResponse) -> None:
        try:
            message = msgspec.json.decode(_read(answer))["error"]["message"]
        except (msgspec.MsgspecError, KeyError, TypeError):
            message = f"The running engine answered {answer.status} {answer.reason}."
        if answer.status == http.HTTPStatus.BAD_REQUEST:
            raise UsageError(message)
        raise RefusedError(answer.status, message)

    def _silent(self, error: Exception) -> EngineError:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        why = "it took too long" if isinstance(error, TimeoutError) else said
        return EngineError(
            f"The engine that runs here (process {self._info.pid}) does not answer at {self._info.url}: {why}."
        )


def _read(answer: http.client.HTTPResponse, size: int | None = None) -> bytes:
    """Some of an answer, or all of it."""
    return answer.read(size)
