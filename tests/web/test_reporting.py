"""The report by HTTP: three forms of one thing, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from litestar.testing import TestClient

from orch.messages import NoticeDelivered
from orch.model.notices import Notice
from orch.store.database import open_for_writing
from orch.store.shelf import Shelf
from orch.web.app import create_app
from orch.web.backend import Backend, BoardSlot
from tests.fakes.sink import Sink
from tests.fakes.values import node_state, reallocation, snapshot
from tests.fakes.web import HERE

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROUTE = "/api/v1/report"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    writer = open_for_writing(tmp_path_factory.mktemp("web") / "orch.duckdb", "emulated", "h", NOW)
    writer.add_tick(snapshot(node_state("a"), at=NOW - timedelta(minutes=5)), (), 1)
    writer.add_reallocation(reallocation("r1", started_at=NOW - timedelta(hours=3)))
    writer.commit()
    found = Shelf()
    found.put(writer)
    yield found
    found.clear()
    writer.close()


@pytest.fixture(scope="module")
def client(shelf):
    backend = Backend(
        board=BoardSlot(),
        shelf=shelf,
        tell=lambda *_: True,
        token="t" * 43,
        open_reads=True,
        version="1",
        started_at=NOW,
        now=lambda: NOW,
        config={},
    )
    with TestClient(create_app(backend), base_url=HERE) as client:
        yield client


def test_one_report_in_three_forms(client):
    body = client.get(ROUTE, params={"period": "6h"}).json()
    assert (body["period_s"], body["moves"]["count"], body["uptime"]["ticks"]) == (21_600.0, 1, 1)
    assert body["booked"]["income_usd"] == "0"
    assert client.get(ROUTE, params={"period": "2h"}).json()["moves"]["count"] == 0
    page = client.get(ROUTE, params={"period": "6h", "format": "html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")
    text = client.get(ROUTE, params={"format": "text"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.text.startswith("orch on h: report of 7 days")


@pytest.mark.parametrize("query", [{"period": "soon"}, {"period": "0h"}, {"period": "99999d"}, {"format": "pdf"}])
def test_what_is_no_period_or_form_is_refused(client, query):
    refused = client.get(ROUTE, params=query)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "bad_request"


def test_a_report_that_is_due_is_written_by_the_notifiers_worker(shelf, tmp_path):
    from orch.boot.people import notifier_of
    from orch.boot.plans import make_setting
    from orch.config.load import from_tables
    from orch.model.resources import Resources

    sink, told = Sink(), []

    class Clock:
        def now(self):
            return NOW

    class Directory:
        def tell(self, name, message):
            told.append(message)

    tables = {"notify": {"urls": [sink.url.value]}}
    setting = make_setting(from_tables(tables, {}, tmp_path), host="h", measured=Resources())
    notifier = notifier_of(setting, Directory(), Clock(), tmp_path, shelf)
    due = Notice(
        id="n1",
        channel="json-1",
        kind="report",
        title="Daily report",
        body="",
        severity="info",
        created_at=NOW,
        period_s=86_400.0,
    )
    notifier.send(due, reply_to="monitor")
    assert sink.await_asked(1)
    assert sink.bodies[0]["message"].startswith("orch on h: report of 24 h")
    notifier.close(5.0)
    sink.close()
    assert told == [NoticeDelivered(notice_id="n1", channel="json-1")]
    assert (
        notifier_of(make_setting(from_tables({}, {}, tmp_path), host="h", measured=Resources()), *[None] * 4)
        is None
    )
