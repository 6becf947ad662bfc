"""The terminal board: a Textual application over a feed. It changes nothing by itself."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import ContentSwitcher, DataTable, Static

from orch.cli import top_panes as panes
from orch.cli.pages import decision_page
from orch.cli.top_ask import Ask, AskHowLong, Help
from orch.cli.top_feed import News, Picture, picture
from orch.cli.words import harmless, stamp
from orch.errors import OrchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from textual.binding import BindingType

    from orch.cli.top_feed import Feed
    from orch.model.plans import Decision, Plan
    from orch.web.shapes import OrderTaken

DRAWS_APART_S = 0.5
"""Emulated nodes at 60 times real speed make twelve boards a second; a terminal over ssh shall not have all."""
TOLD_FOR_S = 8.0


class Came(Message):
    """Something came from another thread: `act` is what is to be done about it here."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        super().__init__()


def in_background(work: Callable[[], None]) -> None:
    """Do it in a thread that does not hold up the end."""
    threading.Thread(target=work, name="top", daemon=True).start()


class TopApp(App[None]):
    """The board of a feed.

    Args:
        feed: Where boards come from and orders go.
        start: Runs work that takes its time; tests run it at once.
        monotonic: Seconds that never step back.
    """

    CSS = """
    #head, #keys { height: auto; }
    #keys { dock: bottom; }
    #views { height: 1fr; }
    VerticalScroll { scrollbar-size: 1 1; }
    DataTable { height: auto; max-height: 50%; scrollbar-size: 1 1; margin-bottom: 1; }
    Ask, AskHowLong, Help { align: center middle; }
    .box { width: 76; max-width: 100%; height: auto; max-height: 100%; }
    .box { border: round $warning; padding: 0 1; background: $surface; }
    .box VerticalScroll { height: auto; max-height: 16; }
    """
    ENABLE_COMMAND_PALETTE = False
    TITLE = "orch"
    BINDINGS: ClassVar[list[BindingType]] = [
        *((name[0], f"view('{name}')", name) for name in panes.VIEWS),
        ("a", "approve", "approve"),
        ("x", "reject", "reject"),
        ("f", "freeze", "freeze"),
        ("u", "unfreeze", "unfreeze"),
        ("question_mark,h", "help", "help"),
        ("q", "quit", "quit"),
    ]

    def __init__(
        self,
        feed: Feed,
        *,
        start: Callable[[Callable[[], None]], None] = in_background,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self._feed = feed
        self._begin = start
        self._monotonic = monotonic
        self._known: News | None = None
        self._latest: News | None = None
        self._came_at = self._drawn_at = monotonic()
        self._decisions: dict[str, Decision] = {}
        self._asked_for: str | None = None

    # -- life ----------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """One line of what this is, a view, one line of keys."""
        yield Static(id="head")
        with ContentSwitcher(initial="board", id="views"):
            for name in panes.VIEWS:
                with VerticalScroll(id=name):
                    if name in ("nodes", "decisions"):
                        yield _table(name)
                    yield Static(id=f"{name}-pane")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Follow the feed, and let figures age once a second."""
        self.draw()
        self.action_view("board")
        self.set_interval(1.0, self.draw)
        self._begin(lambda: self._feed.follow(self._hear))

    def on_unmount(self) -> None:
        """Follow it no more."""
        self._feed.stop()

    def on_resize(self) -> None:
        """Few lines show less."""
        self.draw()

    def on_came(self, message: Came) -> None:
        """In the application's own thread."""
        message.act()

    def _hear(self, news: News) -> None:
        """From the feed's thread."""
        self.post_message(Came(lambda: self._take(news)))

    def _take(self, news: News) -> None:
        before, self._latest = self._latest, news
        if news.board is not None and news != self._known:
            self._known, self._came_at = news, self._monotonic()
        changed = before is None or before.contact != news.contact
        if changed or self._monotonic() - self._drawn_at >= DRAWS_APART_S:
            self.draw()

    # -- drawing -------------------------------------------------------------------------------------------

    def seen(self) -> Picture:
        """What is known now."""
        return picture(self._known, self._latest, self._monotonic() - self._came_at)

    def draw(self) -> None:
        """All that can be seen, as it is by now."""
        if not self.is_running:
            return
        self._drawn_at = self._monotonic()
        seen, view = self.seen(), self._view
        self.screen_stack[0].query_one("#head", Static).update(panes.head(seen))
        if view == "board" or seen.board is None or seen.now is None:
            self._pane(view, panes.board_pane(seen, self.size.height))
        elif view == "nodes":
            self._fill("nodes", panes.node_rows(seen.board, seen.now))
            self._detail("nodes")
        elif view == "decisions":
            self._draw_decisions(seen)
        elif view == "problems":
            self._pane(view, panes.problems_pane(seen.board, seen.now))
        else:
            self._pane(view, panes.moves_pane(seen.board, seen.now))

    def _draw_decisions(self, seen: Picture) -> None:
        newest = seen.board.opportunity.decision_id if seen.board is not None and seen.board.opportunity else ""
        if newest != self._asked_for:
            self._asked_for = newest
            self._aside(self._feed.decisions, self._keep_decisions)
        if seen.now is not None:
            self._fill("decisions", panes.decision_rows(tuple(self._decisions.values()), seen.now))
        self._detail("decisions")

    def _keep_decisions(self, decisions: tuple[Decision, ...]) -> None:
        self._decisions = {each.id: each for each in decisions}
        seen = self.seen()
        if self._view == "decisions" and seen.now is not None:
            self._fill("decisions", panes.decision_rows(decisions, seen.now))
            self._detail("decisions")

    def _detail(self, view: str) -> None:
        """What stands below a table: about the row that the cursor is on."""
        table, seen = self._grid(view), self.seen()
        if not table.row_count or seen.board is None or seen.now is None:
            self._pane(view, "")
            return
        chosen = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value or ""
        if view == "decisions" and chosen in self._decisions:
            self._pane(view, decision_page(self._decisions[chosen], seen.now))
        for node in seen.board.nodes:
            if view == "nodes" and harmless(node).name == chosen:
                self._pane(view, panes.node_pane(node, seen.now))

    def _fill(self, view: str, rows: dict[str, tuple[Any, ...]]) -> None:
        """The rows of a table; the cursor stays on its row."""
        table = self._grid(view)
        if [key.value for key in table.rows] == list(rows):
            for key, cells in rows.items():
                for column, cell in zip(table.columns, cells, strict=True):
                    table.update_cell(key, column, cell, update_width=True)
            return
        chosen = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value if table.row_count else None
        table.clear()
        for key, cells in rows.items():
            table.add_row(*cells, key=key)
        if chosen in rows:
            table.move_cursor(row=list(rows).index(chosen), animate=False)

    @property
    def _view(self) -> str:
        return str(self.screen_stack[0].query_one("#views", ContentSwitcher).current)

    def _grid(self, view: str) -> DataTable[Any]:
        return self.screen_stack[0].query_one(f"#{view}-table", DataTable)

    def _pane(self, view: str, what: Any) -> None:
        self.screen_stack[0].query_one(f"#{view}-pane", Static).update(what)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Another row, other details."""
        self._detail(str(event.data_table.id).partition("-")[0])

    # -- keys ----------------------------------------------------------------------------------------------

    def action_view(self, name: str) -> None:
        """Show another view."""
        self.query_one("#views", ContentSwitcher).current = name
        self.query_one("#keys", Static).update(panes.keys(name))
        self.draw()
        (self._grid(name) if name in ("nodes", "decisions") else self.query_one(f"#{name}")).focus()

    def action_help(self) -> None:
        """What each key does."""
        self.push_screen(Help(panes.help_pane()))

    def action_approve(self) -> None:
        """Show the newest plan, and carry it out if that is wanted."""

        def ask(plan: Plan) -> None:
            pane = panes.approval_pane(plan, self.seen().board)
            told = f"Plan {plan.id} is being carried out; what comes of it stands in moves."
            self._ask(pane, lambda: self._feed.approve(plan.id), told)

        self._of_newest_plan(ask)

    def action_reject(self) -> None:
        """Show the newest plan, and turn it down if that is wanted."""

        def ask(plan: Plan) -> None:
            pane = panes.rejection_pane(plan, self.seen().board)
            self._ask(pane, lambda: self._feed.reject(plan.id), f"Plan {plan.id} is rejected.")

        self._of_newest_plan(ask)

    def action_freeze(self) -> None:
        """Begin no move, for as long as is said."""

        def frozen(taken: OrderTaken) -> None:
            self._say("Nothing is moved" + ("." if taken.until is None else f" until {stamp(taken.until)}."))

        def answered(lasting: timedelta | None) -> None:
            if lasting is not None:
                self._aside(lambda: self._feed.freeze(lasting), frozen)

        self.push_screen(AskHowLong(panes.freeze_pane(self.seen().board)), answered)

    def action_unfreeze(self) -> None:
        """Let moves begin again."""
        self._ask(panes.unfreeze_pane(self.seen().board), self._feed.unfreeze, "Moves may begin again.")

    # -- orders --------------------------------------------------------------------------------------------

    def _of_newest_plan(self, ask: Callable[[Plan], None]) -> None:
        def known(plan: Plan | None) -> None:
            if plan is None:
                self._say("There is no plan yet: the first one comes with the first decision.")
            else:
                ask(plan)

        self._aside(self._feed.plan, known)

    def _ask(self, pane: Any, order: Callable[[], object], told: str) -> None:
        def answered(wanted: bool | None) -> None:
            if wanted:
                self._aside(order, lambda _: self._say(told))

        self.push_screen(Ask(pane), answered)

    def _aside(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do something that takes its time elsewhere, and go on with what came of it here."""

        def run() -> None:
            try:
                found = work()
            except OrchError as error:
                sentence = str(error)
                self.post_message(Came(lambda: self._say(sentence, wrong=True)))
            else:
                self.post_message(Came(lambda: then(found)))

        self._begin(run)

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        self.notify(
            harmless(sentence), severity="error" if wrong else "information", timeout=TOLD_FOR_S, markup=False
        )


def _table(view: str) -> DataTable[Any]:
    table: DataTable[Any] = DataTable(id=f"{view}-table", cursor_type="row", zebra_stripes=True)
    for title in panes.NODE_COLUMNS if view == "nodes" else panes.DECISION_COLUMNS:
        table.add_column(title, key=title)
    return table
