"""The page of a report in a genuine Chromium without a network: light, dark, on a phone, on paper."""

from __future__ import annotations

import pytest

from orch.reports.html import report_html
from tests.fakes.browsing import axe_source, chromium, violations
from tests.reports.test_report import made

pytestmark = [pytest.mark.real, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_html(made()))
    return path


def test_it_opens_offline_asks_for_nothing_and_has_no_barrier(page_file):
    axe = axe_source()
    with chromium() as browser:
        for scheme, width in (("light", 1000), ("dark", 1000), ("light", 390)):
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, bypass_csp=False
            )
            page, asked, said = context.new_page(), [], []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=said: said.append(message.text))
            page.goto(page_file.as_uri())
            assert asked == [page_file.as_uri()]
            assert said == []
            assert page.locator("svg").count() == 3
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert violations(page, axe) == []
            context.close()


def test_it_can_be_printed(page_file):
    with chromium() as browser:
        page = browser.new_page()
        page.goto(page_file.as_uri())
        assert page.pdf(format="A4").startswith(b"%PDF")
