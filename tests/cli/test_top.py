"""`orch top`: what it draws, what its keys do, what it says of its age."""

from __future__ import annotations

import asyncio
import io
import os
import re
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from rich.console import Console

from orch.cli import top_panes as panes
from orch.cli.top_feed import DataDirFeed, News, picture
from orch.errors import ApiError
from orch.messages import ApprovePlan, Freeze, Unfreeze
from orch.model.plans import Blocker
from orch.system.paths import remove_engine


def drawn(what, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    console.print(what)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


class Feed:
    """A feed in memory, and the orders it was given."""

    def __init__(self, make):
        self.make = make
        self.orders = []
        self.refusal = None
        self.news = News("live", make.board(), make.NOW)

    def follow(self, told):
        self.told = told
        told(self.news)

    def stop(self):
        self.orders.append("stopped")

    def decisions(self):
        return (self.make.decision("d2"), self.make.decision("d1", verdict="move"))

    def plan(self):
        return self.make.plan(self.make.decision("d2"))

    def _take(self, *order):
        if self.refusal:
            raise self.refusal
        self.orders.append(order)
        return SimpleNamespace(until=self.make.NOW)

    def approve(self, plan_id):
        return self._take("approve", plan_id)

    def reject(self, plan_id):
        return self._take("reject", plan_id)

    def freeze(self, lasting):
        return self._take("freeze", lasting)

    def unfreeze(self):
        return self._take("unfreeze")


# -- how old, how sure ---------------------------------------------------------------------------------------


def test_figures_age_while_nothing_is_heard_at_the_speed_of_their_world(make):
    known = News("live", make.board(), make.NOW)
    seen = picture(known, News("lost", sentence="It does not answer."), 10.0)
    assert seen.now == make.NOW + timedelta(seconds=600)
    assert seen.board.total.usd_per_hour.age_s == known.board.total.usd_per_hour.age_s + 600
    assert drawn(panes.head(seen)).splitlines() == [
        " EMULATED 60x  orch · auto · CONTACT LOST · 10:30:00 UTC, 10 min old · no",
        "problems",
        "Nothing for 10 s; what you see is as old. It does not answer. Trying again.",
    ]


def test_a_recorded_board_says_stopped_and_the_world_of_emulated_nodes_stands_still(make):
    board = make.board()
    board = replace(board, engine=replace(board.engine, running=False, pid=None))
    seen = picture(News("recorded", board, make.NOW + timedelta(hours=3)), News("recorded"), 50.0)
    assert drawn(panes.head(seen), 100) == (
        " EMULATED 60x  orch · auto · STOPPED · 2026-03-01 10:30 UTC, 3 h old · no problems"
    )
    real = replace(board, engine=replace(board.engine, kind="real", speed=1.0))
    assert picture(News("recorded", real, make.NOW), News("recorded"), 50.0).now == make.NOW + timedelta(
        seconds=50
    )


def test_a_live_board_is_live_and_a_freeze_is_told_on_every_view(make):
    board = make.board(blockers=(Blocker(code="FROZEN", sentence="Frozen."),))
    assert drawn(panes.head(picture(News("live", board, make.NOW), News("live"), 1.0))) == (
        " EMULATED 60x  orch · auto · live · 10:30:00 UTC · FROZEN · no problems"
    )


def test_before_the_first_board_it_says_what_it_waits_for(make):
    seen = picture(None, News("none", sentence="Nothing is recorded in d."), 0.0)
    assert drawn(panes.head(seen)) == "orch · Nothing is recorded in d."
    assert drawn(panes.board_pane(seen, 24)) == "Nothing is recorded in d."


def test_unknown_is_a_dash_and_a_loss_is_told_in_words(make):
    losing = make.node("compute", usd_per_hour=make.rate(0.01, net=-0.002))
    rows = panes.node_rows(make.board(nodes=(make.node("address", usd=None), losing)), make.NOW)
    assert [str(cell) for cell in rows["address"][3:6]] == ["—", "—", "—"]
    assert str(rows["compute"][4]) == "-0.0020 loses"
    shown = drawn(panes.node_pane(make.node("address", usd=None), make.NOW))
    assert "— USD/h: not known" in shown
    assert "EMULATED" in shown


def test_the_keys_fit_a_terminal_of_80_columns():
    for view in panes.VIEWS:
        assert len(panes.keys(view).plain) <= 80


# -- the application ---------------------------------------------------------------------------------------


def text_of(app):
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips(app.size))


def keep_picture(picture, path):
    """For the README: without the fonts that it would fetch from elsewhere."""
    path.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL))


@pytest.mark.slow
def test_it_is_used_by_its_keys_and_asks_before_it_changes_anything(make):
    from orch.cli.top_app import TopApp

    feed = Feed(make)
    app = TopApp(feed, start=lambda work: work(), monotonic=lambda: 0.0)

    async def use():
        async with app.run_test(size=(80, 24)) as pilot:

            async def press(*keys):
                await pilot.press(*keys)
                await pilot.pause()
                return text_of(app)

            await pilot.pause()
            shown = text_of(app)
            assert "EMULATED 60x" in shown.splitlines()[0]
            assert "0.9144 USD net a day" in shown
            if folder := os.environ.get("ORCH_SHOTS"):
                keep_picture(app.export_screenshot(title="orch top"), Path(folder) / "top.svg")
            shown = await press("n", "down")
            assert "compute · golem on here · EMULATED" in shown
            assert "STAY" in await press("d")
            assert "MOVE" in await press("down")
            assert "No problems." in await press("p")
            assert "Carry out this plan?" in await press("a")
            await press("n")
            assert feed.orders == []
            await press("a", "y")
            await press("x", "y")
            assert "For how long" in await press("f")
            assert "is not a duration" in await press("x", "enter")
            await press("backspace", "1", "h", "enter")
            await press("u", "y")
            assert feed.orders == [
                ("approve", "p2"),
                ("reject", "p2"),
                ("freeze", timedelta(hours=1)),
                ("unfreeze",),
            ]
            feed.refusal = ApiError(409, "plan_stale", "The plan is [too] old.")
            await press("a", "y")
            assert "The plan is [too] old." in [each.message for each in app._notifications]
            assert "what each" not in await press("question_mark", "q")
            feed.told(News("lost", sentence="It does not answer."))
            await pilot.pause()
            assert "CONTACT LOST" in text_of(app)
            await pilot.press("q")

    asyncio.run(use())
    assert feed.orders[-1] == "stopped"


# -- where it comes from -------------------------------------------------------------------------------------


def heard(feed, most):
    """The first news of a feed."""
    found, enough = [], threading.Event()

    def told(news):
        found.append(news)
        if len(found) >= most:
            feed.stop()
            enough.set()

    feed.follow(told)
    assert enough.is_set()
    return found


def test_a_running_engine_is_followed_and_given_orders(make, own_running):
    feed = DataDirFeed(own_running.data_dir)
    (news,) = heard(feed, 1)
    assert (news.contact, news.board) == ("live", make.board())
    assert [each.id for each in feed.decisions()] == ["d2", "d1"]
    plan = feed.plan()
    feed.approve(plan.id)
    feed.freeze(timedelta(minutes=5))
    feed.unfreeze()
    assert [type(message) for _, message in own_running.orders] == [ApprovePlan, Freeze, Unfreeze]


def test_without_an_engine_the_file_is_read_and_read_again_only_when_it_changed(stopped):
    feed = DataDirFeed(stopped)
    (news,) = heard(feed, 1)
    assert (news.contact, news.board.engine.running) == ("recorded", False)
    assert feed._recorded() is news
    assert [each.id for each in feed.decisions()] == ["d2", "d1"]
    (nothing,) = heard(DataDirFeed(stopped / "nowhere"), 1)
    assert (nothing.contact, nothing.board) == ("none", None)


def test_an_engine_that_does_not_answer_is_contact_lost(own_running):
    own_running.announce(url="http://127.0.0.1:9")
    (news,) = heard(DataDirFeed(own_running.data_dir), 1)
    assert (news.contact, news.board) == ("lost", None)
    remove_engine(own_running.data_dir)


@pytest.mark.parametrize("places", [(), ("--data-dir", "d")])
def test_without_a_terminal_it_says_what_to_use_instead(orch, places):
    found = orch("top", *places)
    assert (found.exit_code, found.stdout) == (2, "")
    assert "orch status" in found.stderr
