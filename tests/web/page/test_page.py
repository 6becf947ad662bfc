"""The page in a genuine browser, on the demonstration's engine: every view, every order, light and dark."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.browsing import Demo, axe_source, chromium, violations

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

VIEWS = {
    "overview": ("#/", "#net"),
    "nodes": ("#/nodes", "#nodes tbody tr"),
    "node": ("#/node/disk", "#resources tbody tr"),
    "decisions": ("#/decisions", "#decisions tbody tr"),
    "reallocations": ("#/reallocations", "#switches"),
    "alerts": ("#/alerts", "#firing, #history"),
    "report": ("#/report", ".filters + *"),
}
PAGE = Path(__file__).parents[3] / "orch" / "web" / "page"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TALL = {"width": 1280, "height": 1240}
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Iterator[Demo]:
    engine = Demo(tmp_path_factory.mktemp("page") / "data", "--mode", "approve", "--seed", "7")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def visit(browser, demo) -> Iterator[Any]:
    """Opens the page as a new reader, and holds what every visit must keep: no fault, and nothing leaves."""
    contexts, faults, strangers = [], [], []

    def judge(request) -> None:
        if urlsplit(request.url).netloc != f"127.0.0.1:{demo.port}":
            strangers.append(request.url)

    def open_page(address: str = "#/", viewport=DESKTOP, scheme: str = "light", without: str = "", **rest: Any):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **rest)
        contexts.append(context)
        context.on("request", judge)
        if without:
            context.route(without, lambda route: route.fulfill(status=404, body="{}"))
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if "Security Policy" in line.text else None)
        page.goto(f"{demo.url}/{address}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
    assert strangers == []


def enter_token(page, demo: Demo) -> None:
    """Answer the question for the token, which comes with the first order of a reader."""
    page.locator("dialog input[name=token]").fill(demo.token)
    page.get_by_role("button", name="Enter").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_there_and_axe_finds_nothing(visit, scheme):
    source = axe_source()
    page = visit(scheme=scheme)
    found = []
    for name, (address, sign) in VIEWS.items():
        page.goto(page.url.partition("#")[0] + address)
        page.wait_for_selector(sign)
        if name in ("overview", "node"):
            page.wait_for_selector(".canvas canvas")
        found += [f"{name}: {each}" for each in violations(page, source)]
    page.goto(page.url.partition("#")[0] + "#/")
    page.get_by_role("button", name="Hold").click()
    page.wait_for_selector("dialog[open]")
    found += [f"dialog: {each}" for each in violations(page, source)]
    page.keyboard.press("Escape")
    assert found == []


def test_emulated_cannot_be_missed_and_unknown_is_a_dash(visit):
    page = visit()
    page.wait_for_selector("#net")
    assert "EMULATED" in page.inner_text("#emulated")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.locator("#emulated").bounding_box()["y"] >= 0
    assert page.title().startswith("[emulated]")
    address = page.locator("#problems tr[data-key=address] td.money")
    assert address.inner_text().startswith("—")
    assert "Leaves out address" in page.inner_text("#problems tr.total")
    assert "Leaves out address" in page.inner_text("#income")


def test_a_reader_far_away_reads_times_in_his_own_zone(visit):
    page = visit(timezone_id="Asia/Kolkata", locale="en-GB")
    page.wait_for_selector("#problems time")
    assert "Asia/Calcutta" in page.inner_text("#foot") or "Asia/Kolkata" in page.inner_text("#foot")
    heard = page.locator("#problems time").first
    assert re.search(r"ago|now|in ", heard.inner_text())
    minute = int(heard.get_attribute("datetime")[14:16])
    assert f":{(minute + 30) % 60:02d}:" in heard.get_attribute("title")


def test_decisions_are_filtered_by_reason_and_one_is_read(visit):
    page = visit("#/decisions")
    page.wait_for_selector("#decisions tbody tr")
    page.get_by_label("Reason").select_option("LEVER_NEEDS_APPROVAL")
    rows = page.locator("#decisions tbody tr")
    page.get_by_role("heading", level=2, name=re.compile("newest")).wait_for()
    assert rows.count() == rows.filter(has=page.locator("[title=LEVER_NEEDS_APPROVAL]")).count() > 0
    assert "reason=LEVER_NEEDS_APPROVAL" in page.url
    page.locator("#decisions tbody tr a").first.click()
    page.wait_for_selector("#decision .figures")
    assert page.get_by_role("heading", level=1).inner_text() == "Decision"


def test_the_keyboard_is_enough(visit):
    page = visit()
    page.wait_for_selector("#net")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("#nav a").first.focus()
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#history")
    assert page.evaluate("document.activeElement.id") == "main"


def test_nothing_moves_under_a_pressed_finger(visit):
    """Else a click whose button moves between press and release is lost."""
    page = visit()
    button = page.get_by_role("button", name="Hold", exact=True)
    button.scroll_into_view_if_needed()
    button.hover()
    page.evaluate("""async () => {
        const { unlessPressed } = await import("/assets/press.js");
        window.shown = [];
        const arrive = () => ["one", "two"].forEach((word) => unlessPressed(() => window.shown.push(word)));
        addEventListener("mousedown", arrive, { once: true });
    }""")
    page.mouse.down()
    assert page.evaluate("window.shown") == []
    page.mouse.up()
    page.wait_for_selector("dialog[open]")
    page.wait_for_function("window.shown.join() === 'one,two'")


def test_scripts_fetched_one_by_one_show_the_same_page(visit):
    """So it is where the build could not put them together, or somebody has edited one since."""
    page = visit()
    page.wait_for_selector("#net")
    shown = page.locator("h2").all_inner_texts()
    alone = (PAGE / "index.html").read_text()
    page.route(page.url.partition("#")[0], lambda route: route.fulfill(body=alone, content_type="text/html"))
    page.reload()
    page.wait_for_selector("#chart canvas")
    assert page.locator("h2").all_inner_texts() == shown
    asked = page.evaluate("performance.getEntriesByType('resource').map((each) => new URL(each.name).pathname)")
    assert "/assets/main.js" in asked
    assert "/assets/vendor/page.js" not in asked


def test_an_engine_too_busy_for_a_moment_is_asked_again_within_seconds(visit):
    page = visit("#/alerts")
    page.wait_for_selector("#firing, #history")
    busy = {"error": {"code": "busy", "message": "Too much at once", "details": {}}}
    page.route("**/metrics-history?*", lambda route: route.fulfill(status=503, json=busy), times=1)
    page.goto(page.url.partition("#")[0] + "#/")
    page.wait_for_selector("text=Too much at once")
    page.wait_for_selector("#chart canvas", timeout=15_000)


def test_a_phone_shows_the_money_and_never_scrolls_sideways(visit):
    page = visit(viewport=PHONE)
    for address, sign in VIEWS.values():
        page.goto(page.url.partition("#")[0] + address)
        page.wait_for_selector(sign, state="attached")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
    page.goto(page.url.partition("#")[0] + "#/")
    money = page.locator("#problems tr[data-key=disk] td.money").bounding_box()
    assert money["x"] + money["width"] <= PHONE["width"]


def test_without_the_chart_library_the_tables_stand_alone(visit):
    page = visit(without="**/vendor/echarts.js")
    page.wait_for_selector("#chart details[open] table")
    assert "Charts are missing" in page.inner_text("#chart")
    assert page.locator("#chart canvas").count() == 0


def test_contact_is_lost_and_found_again(visit, demo):
    page = visit()
    page.locator("#contact-word", has_text="live").wait_for()
    before = page.inner_text("#net")
    demo.stop()
    try:
        page.wait_for_selector("#lost:not([hidden])")
        assert "No contact with orch" in page.inner_text("#lost")
        assert page.inner_text("#net") == before
        page.locator("#contact-word", has_text="no contact").wait_for()
    finally:
        demo.start()
    page.locator("#contact-word", has_text="live").wait_for()
    assert page.locator("#lost").is_hidden()


def test_a_wrong_token_is_refused_and_a_hold_is_made_and_ended(visit, demo):
    page = visit()
    page.get_by_role("button", name="Hold", exact=True).click()
    page.locator("dialog").get_by_text("orch goes on measuring").wait_for()
    page.locator("dialog").get_by_role("button", name="Hold").click()
    page.locator("dialog input[name=token]").fill("not the token")
    page.get_by_role("button", name="Enter").click()
    page.wait_for_selector("dialog [role=alert]")
    enter_token(page, demo)
    page.get_by_role("button", name="Resume").wait_for()
    assert "If you resume" in page.inner_text("#hold")
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Hold", exact=True).wait_for()


def test_an_alert_is_silenced(visit, demo):
    page = visit("#/alerts")
    # A node that is lost comes back within half a minute of the demonstration: that is no alert to wait with.
    lasting = page.locator("#firing li:has(button):not([data-key^='node_lost'])").first
    lasting.wait_for()
    key = lasting.get_attribute("data-key")
    page.locator(f"#firing li[data-key='{key}'] button").click()
    page.get_by_label("Why").fill("known since the morning")
    page.locator("dialog").get_by_role("button", name="Silence").click()
    enter_token(page, demo)
    alert = page.locator(f"#firing li[data-key='{key}']")
    alert.get_by_text("Silenced").wait_for()
    alert.get_by_role("button", name="Lift the silence").click()
    alert.get_by_role("button", name="Silence", exact=True).wait_for()


def test_pictures_of_a_plan_that_waits(visit):
    take_picture(visit, "overview-light", "#/", TALL, "light", "#chart canvas")
    take_picture(visit, "phone-light", "#/", PHONE, "light", "#chart canvas")


def test_a_plan_is_approved_and_carried_out(visit, demo):
    page = visit()
    page.get_by_role("button", name="Approve this plan").click()
    page.wait_for_selector("dialog[open] li")
    page.locator("dialog").get_by_role("button", name="Approve").click()
    enter_token(page, demo)
    page.wait_for_selector("#did .badge.good")
    assert "settled" in page.inner_text("#did")
    page.locator("#did li a").first.click()
    page.wait_for_selector("#move table")
    assert page.locator("#move ol.saga li.done").count() == 6
    page.wait_for_selector("#steps tbody tr")


def test_pictures_of_what_came_of_it(visit):
    take_picture(visit, "moves-dark", "#/reallocations", DESKTOP, "dark", "#moves li")
    take_picture(visit, "report-light", "#/report", TALL, "light", "#income-chart canvas")
    take_picture(visit, "phone-dark", "#/nodes", PHONE, "dark", "#nodes tr")


def take_picture(visit, name: str, address: str, viewport, scheme: str, sign: str) -> None:
    """For the README, when `ORCH_SHOTS` names a folder to keep it in."""
    page = visit(address, viewport=viewport, scheme=scheme)
    page.wait_for_selector(sign)
    if address == "#/":
        page.wait_for_selector("#left .figures dd strong, #left > p:not(:has-text('Asking'))")
    page.locator("#contact-word", has_text="live").wait_for()
    picture = page.screenshot(animations="disabled")
    assert picture.startswith(b"\x89PNG")
    if folder := os.environ.get("ORCH_SHOTS"):
        save(picture, Path(folder) / f"page-{name}.png")


def save(picture: bytes, path: Path) -> None:
    """A picture with as many colours as it needs and no more."""
    import io

    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)
