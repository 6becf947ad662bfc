"""The workers that tell people, against a real web hook: retries, dead letters, secrets, and nobody held up."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from orch.messages import NoticeDelivered, NoticeFailed
from orch.model.notices import Notice
from orch.model.wire import Secret
from orch.system.notify import AppriseNotifier, address_parts, deliver
from tests.fakes.sink import CREDENTIAL, Sink

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = (0.0, 0.0)


class Told:
    """A directory that remembers."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._changed = threading.Condition()

    def tell(self, name: str, message: Any) -> bool:
        with self._changed:
            self.messages.append((name, message))
            self._changed.notify_all()
        return True

    def await_count(self, count: int) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, timeout=20)
            return [message for _, message in self.messages]


def notice(number: int = 1, channel: str = "hook", **rest) -> Notice:
    known = {
        "kind": "alerts",
        "title": "Node lost: x",
        "body": "x is lost.",
        "severity": "page",
        "created_at": NOW,
    }
    return Notice(id=f"n{number}", channel=channel, **(known | rest))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def made(sink, told, tmp_path):
    """Makes a notifier that is closed after the test."""
    open_ones = []

    def make(**rest) -> AppriseNotifier:
        channels = rest.pop("channels", {"hook": sink.url})
        rest = {"waits_s": SOON} | rest
        open_ones.append(AppriseNotifier(told, channels, tmp_path / "dead.jsonl", lambda: NOW, **rest))
        return open_ones[-1]

    yield make
    sink.hold.set()
    for each in open_ones:
        each.close()


def letters(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "dead.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_notice_arrives_after_two_refusals(made, sink, told, tmp_path):
    sink.statuses = [503, 500]
    made().send(notice(), reply_to="monitor")
    assert told.await_count(1) == [NoticeDelivered(notice_id="n1", channel="hook")]
    assert (sink.asked, sink.titles, letters(tmp_path)) == (3, ["Node lost: x"], [])
    assert (sink.bodies[0]["message"], sink.bodies[0]["type"]) == ("x is lost.", "failure")


def test_what_never_arrives_is_a_dead_letter_without_secrets(made, sink, told, tmp_path):
    sink.statuses = [503] * 3
    made().send(notice(body=f"look at {CREDENTIAL}"), reply_to="monitor")
    (failed,) = told.await_count(1)
    assert isinstance(failed, NoticeFailed)
    (letter,) = letters(tmp_path)
    assert (letter["channel"], letter["title"], letter["tries"]) == ("hook", "Node lost: x", 3)
    assert letter["body"] == "look at ***"
    assert "503" in letter["reason"]
    assert CREDENTIAL not in f"{failed} {letter}"
    assert (tmp_path / "dead.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_address_that_is_none_is_not_tried_again(made, told, tmp_path):
    made(channels={"hook": Secret(value=f"nonsense://{CREDENTIAL}")}).send(notice(), reply_to="monitor")
    (failed,) = told.await_count(1)
    assert "no address that Apprise knows" in failed.sentence
    assert letters(tmp_path)[0]["tries"] == 1
    assert CREDENTIAL not in failed.sentence


def test_a_channel_that_hangs_holds_up_neither_the_sender_nor_the_others(made, sink, told, tmp_path):
    slow = Sink()
    slow.hold.clear()
    notifier = made(channels={"slow": slow.url, "hook": sink.url}, most_waiting=2)
    notifier.send(notice(0, "slow"), reply_to="monitor")
    assert slow.reached.wait(20)
    for number in range(1, 5):
        notifier.send(notice(number, "slow"), reply_to="monitor")
    notifier.send(notice(9), reply_to="monitor")
    found = told.await_count(3)
    assert NoticeDelivered(notice_id="n9", channel="hook") in found
    full = [each for each in found if isinstance(each, NoticeFailed)]
    assert [each.notice_id for each in full] == ["n3", "n4"]
    assert all("wait for this channel already" in each.sentence for each in full)
    slow.close()
    notifier.close()


def test_a_report_is_written_by_the_worker_and_one_that_cannot_be_is_tried_again(made, sink, told):
    tries = iter([ValueError("busy"), None])

    def compose(each: Notice) -> str:
        error = next(tries)
        if error is not None:
            raise error
        return f"the last {each.period_s:g} s"

    made(compose=compose).send(notice(kind="report", body="", period_s=86_400.0), reply_to="monitor")
    assert isinstance(told.await_count(1)[0], NoticeDelivered)
    assert sink.bodies[0]["message"] == "the last 86400 s"


def test_nothing_is_told_after_the_end(made, sink, told):
    notifier = made(waits_s=(60.0,))
    sink.statuses = [503]
    notifier.send(notice(), reply_to="monitor")
    assert sink.await_asked(1)
    notifier.close()
    notifier.send(notice(2), reply_to="monitor")
    assert told.messages == []


def test_one_try_says_what_the_service_said(sink):
    assert deliver(sink.url, notice(is_over=True)).arrived
    assert sink.bodies[0]["type"] == "success"
    sink.statuses = [404]
    refused = deliver(sink.url, notice())
    assert not refused.arrived
    assert "404" in refused.sentence


def test_every_part_of_an_address_that_may_be_secret_is_known():
    parts = set(address_parts("tgram://123456:AAE%2Fverysecret/987654/?key=topsecret"))
    assert {"AAE%2Fverysecret", "verysecret", "topsecret", "123456", "987654"} <= parts
