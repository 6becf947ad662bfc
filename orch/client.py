"""A running engine, asked from Python: typed answers over its HTTP interface.

    from orch.client import Client

    with Client.of("~/.local/share/orch-demo") as orch:
        for node in orch.dashboard().nodes:
            print(node.name, node.usd_per_hour)

What cannot be had raises `ApiError`, with the interface's own code and sentence.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec
import requests

from orch.errors import ApiError, NotRunningError
from orch.model.board import Dashboard, NodeView
from orch.model.moves import Reallocation
from orch.model.plans import Decision, Plan
from orch.model.report import Report
from orch.model.switches import Missed
from orch.system.paths import read_engine
from orch.web.shapes import (
    AcceptedBody,
    AlertPage,
    DecisionPage,
    ErrorBody,
    HealthBody,
    HistoryBody,
    NodePage,
    OpportunityPage,
    OrderTaken,
    ReallocationPage,
    SilenceBody,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from orch.model.alerts import Alert
    from orch.model.plans import Opportunity

T = TypeVar("T")
PATIENCE_S = 30.0
SILENCE_S = 45.0
"""A live board says every 15 s that it is still there: three times missed, and the connection is lost."""
CHUNK = 1 << 16
PAGE = 500


class Client:
    """One engine. Not for several threads at once; close it, or use it in a `with` block.

    Args:
        url: Where it is, such as `http://127.0.0.1:8787`.
        token: What stands in `web.token` of its data directory; reading on loopback takes none.
        within_s: How long an answer may be waited for.
    """

    def __init__(self, url: str, token: str | None = None, *, within_s: float = PATIENCE_S) -> None:
        self._url = url.rstrip("/")
        self._within_s = within_s
        self._session = requests.Session()
        # Neither a proxy nor a password file of the environment has to do with the engine of this host.
        self._session.trust_env = False
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"
        self._board: tuple[str, Dashboard] | None = None

    @classmethod
    def of(cls, data_dir: str | Path, *, within_s: float = PATIENCE_S) -> Self:
        """The engine that runs on a data directory of this host, with its token.

        Raises:
            NotRunningError: None runs there, or its token is not for this user.
        """
        place = Path(data_dir).expanduser()
        info = read_engine(place)
        if info is None:
            raise NotRunningError(f"no engine runs on {place}: start one with `orch run`")
        try:
            token = (place / info.token_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NotRunningError(
                f"the token in {info.token_file} cannot be read: run this as its user"
            ) from error
        return cls(info.url, token, within_s=within_s)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what stands now -----------------------------------------------------------------------------------

    def health(self) -> HealthBody:
        """Whether it is there."""
        return self._get("health", HealthBody)

    def dashboard(self) -> Dashboard:
        """The board; asked for again, it is sent only when there is a newer one."""
        known = {} if self._board is None else {"If-None-Match": self._board[0]}
        answer = self._answer("GET", "dashboard", headers=known)
        if answer.status_code != requests.codes.not_modified or self._board is None:
            self._board = answer.headers["ETag"], _decoded(answer.content, Dashboard)
        return self._board[1]

    def boards(self) -> Iterator[Dashboard]:
        """Every new board from now on, the newest first; ends when the engine stops.

        Raises:
            ApiError: The connection was lost; ask again to go on.
        """
        with self._answer("GET", "stream", stream=True, within_s=SILENCE_S) as answer:
            for event, data in _events(answer):
                if event == "end":
                    return
                if event == "board":
                    yield _decoded(data, Dashboard)

    def nodes(self) -> tuple[NodeView, ...]:
        """All nodes."""
        return self._get("nodes", NodePage).items

    def node(self, name: str) -> NodeView:
        """One node."""
        return self._get(f"nodes/{_part(name)}", NodeView)

    def opportunities(self) -> tuple[Opportunity, ...]:
        """Income that a different split would bring."""
        return self._get("opportunities", OpportunityPage).items

    def plan(self, plan_id: str | None = None) -> Plan:
        """A plan by its id, or the newest."""
        return self._get("plan" if plan_id is None else f"plans/{_part(plan_id)}", Plan)

    def config(self) -> dict[str, Any]:
        """The engine's configuration, without secrets."""
        return self._get("config", dict[str, Any])

    # -- what was ------------------------------------------------------------------------------------------

    def decisions(
        self, *, reason: str | None = None, node: str | None = None, verdict: str | None = None
    ) -> Iterator[Decision]:
        """Decisions, newest first, fetched as they are read."""
        return self._all("decisions", DecisionPage, reason=reason, node=node, verdict=verdict)

    def decision(self, decision_id: str) -> Decision:
        """One decision."""
        return self._get(f"decisions/{_part(decision_id)}", Decision)

    def reallocations(
        self, *, reason: str | None = None, node: str | None = None, state: str | None = None
    ) -> Iterator[Reallocation]:
        """Moves, newest first, fetched as they are read."""
        return self._all("reallocations", ReallocationPage, reason=reason, node=node, state=state)

    def reallocation(self, reallocation_id: str) -> Reallocation:
        """One move."""
        return self._get(f"reallocations/{_part(reallocation_id)}", Reallocation)

    def alerts(
        self, *, rule: str | None = None, node: str | None = None, state: str | None = None
    ) -> Iterator[Alert]:
        """Alerts that fired, newest first, fetched as they are read."""
        return self._all("alerts", AlertPage, rule=rule, node=node, state=state)

    def missed(self, since: datetime | None = None) -> Missed:
        """What plans that were not carried out would have brought, as they predicted it."""
        return self._get("missed", Missed, since=since)

    def history(
        self,
        metric: str = "usd_per_hour",
        *,
        node: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        step_s: int = 3600,
    ) -> HistoryBody:
        """A metric over time: `usd_per_hour`, `allocation`, `used` or `health`."""
        return self._get(
            "metrics-history", HistoryBody, metric=metric, node=node, since=since, until=until, step_s=step_s
        )

    def report(self, period: str = "7d") -> Report:
        """What a period came to."""
        return self._get("report", Report, period=period)

    def table(
        self, name: str, *, form: str = "csv", since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[bytes]:
        """A whole table in pieces, as `csv`, `json` or `parquet`."""
        asked = _query(format=form, since=since, until=until)
        with self._answer("GET", f"tables/{_part(name)}", params=asked, stream=True, within_s=600.0) as answer:
            yield from answer.iter_content(CHUNK)

    # -- orders --------------------------------------------------------------------------------------------

    def approve(self, plan_id: str, steps: tuple[int, ...] | None = None) -> OrderTaken:
        """Carry out a plan, or some of its steps."""
        body = {} if steps is None else {"steps": steps}
        return self._order(f"plans/{_part(plan_id)}/approve", OrderTaken, body)

    def reject(self, plan_id: str) -> OrderTaken:
        """Turn a plan down."""
        return self._order(f"plans/{_part(plan_id)}/reject", OrderTaken)

    def roll_back(self, reallocation_id: str) -> AcceptedBody:
        """Put back what a move changed."""
        return self._order(f"reallocations/{_part(reallocation_id)}/rollback", AcceptedBody)

    def freeze(self, lasting: float | str) -> OrderTaken:
        """Begin no move for so many seconds, or `90s`, `15m`, `2h`, `7d`."""
        return self._order("freeze", OrderTaken, {"for": lasting})

    def unfreeze(self) -> OrderTaken:
        """Moves may begin again."""
        return self._order("unfreeze", OrderTaken)

    def silence(self, alert_id: str, for_s: float, comment: str = "") -> SilenceBody:
        """Tell nobody of what an alert is about for so many seconds; 0 lifts a silence."""
        return self._order(f"alerts/{_part(alert_id)}/silence", SilenceBody, {"for_s": for_s, "comment": comment})

    # -- HTTP ----------------------------------------------------------------------------------------------

    def _all(self, path: str, kind: Any, **asked: Any) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._get(path, kind, limit=PAGE, cursor=cursor, **asked)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def _get(self, path: str, kind: type[T], **asked: Any) -> T:
        return _decoded(self._answer("GET", path, params=_query(**asked)).content, kind)

    def _order(self, path: str, kind: type[T], body: dict[str, Any] | None = None) -> T:
        return _decoded(self._answer("POST", path, json=body).content, kind)

    def _answer(
        self, method: str, path: str, *, stream: bool = False, within_s: float | None = None, **rest: Any
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                f"{self._url}/api/v1/{path}",
                timeout=within_s or self._within_s,
                stream=stream,
                allow_redirects=False,
                **rest,
            )
        except requests.RequestException as error:
            raise ApiError(0, "no_answer", f"{self._url} does not answer: {error}") from error
        if answer.status_code >= requests.codes.bad_request:
            raise _error(answer)
        return answer


def _query(**asked: Any) -> dict[str, Any]:
    given = {name: each for name, each in asked.items() if each is not None}
    return {name: each.isoformat() if isinstance(each, datetime) else each for name, each in given.items()}


def _part(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise ApiError(0, "strange_answer", f"the answer is not one of this version's: {error}") from error


def _error(answer: requests.Response) -> ApiError:
    try:
        found = msgspec.json.decode(answer.content, type=ErrorBody).error
    except msgspec.MsgspecError:
        return ApiError(answer.status_code, "strange_answer", f"{answer.status_code} {answer.reason}")
    return ApiError(answer.status_code, found.code, found.message, found.details)


def _events(answer: requests.Response) -> Iterator[tuple[str, bytes]]:
    """Server-sent events as (name, data)."""
    name, data = "", b""
    try:
        for line in answer.iter_lines(CHUNK):
            field, _, value = line.partition(b": ")
            if not line:
                if name:
                    yield name, data
                name, data = "", b""
            elif field == b"event":
                name = value.decode()
            elif field == b"data":
                data = value
    except requests.RequestException as error:
        raise ApiError(0, "no_answer", f"the stream was cut off: {error}") from error
