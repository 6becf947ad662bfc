"""What a reader of the page waits for, in a genuine browser: numbers on screen, the first chart, its weight.

Each round is a reader who has never been here: a new profile, nothing cached. The page itself marks the moments
(`orch-numbers`: the board's figures are in the document; `orch-chart`: the first chart is drawn), counted from the
beginning of the navigation. Weight is what was transferred, and what it comes to unpacked.
"""

from __future__ import annotations

import os
import shutil
import statistics
from typing import Any

from orch.errors import OrchError

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
AIMS = {"numbers_ms": 250.0, "chart_ms": 1000.0, "weight_bytes": 700_000.0}
ROUNDS = 7
PATIENCE_MS = 30_000
LOOK = """() => {
  const moment = (name) => performance.getEntriesByName(name)[0]?.startTime ?? null;
  const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const page = all.filter((each) => !each.name.includes("/api/"));
  const sum = (key) => page.reduce((total, each) => total + each[key], 0);
  return {
    numbers_ms: moment("orch-numbers"),
    chart_ms: moment("orch-chart"),
    paint_ms: moment("first-contentful-paint"),
    transferred_bytes: sum("transferSize"),
    weight_bytes: sum("decodedBodySize"),
    requests: all.length,
    strangers: all.filter((each) => new URL(each.name).host !== location.host).length,
  };
}"""


def measure(url: str, rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians over readers of the page at `url`, and the slowest; `missing` says why there is no figure.

    The first reader warms the browser itself and is not counted.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return {"missing": "Playwright is not installed: extra real"}
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        return {"missing": "there is no Chromium: apt install chromium"}
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=options)
        seen = [_visit(browser, url) for _ in range(rounds + 1)][1:]
        version = browser.version
        browser.close()
    return {
        "chromium": version,
        "rounds": rounds,
        **{name: statistics.median(each[name] for each in seen) for name in seen[0]},
        **{f"{name}_worst": max(each[name] for each in seen) for name in ("numbers_ms", "chart_ms")},
        "aims": AIMS,
    }


def _visit(browser: Any, url: str) -> dict[str, float]:
    from playwright.sync_api import TimeoutError as NotSeenError

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    try:
        page.locator("#chart canvas").wait_for()
    except NotSeenError as error:
        shown = " | ".join(page.locator("body").inner_text().split("\n"))
        late = f"no chart within {PATIENCE_MS / 1000:.0f} s"
        raise OrchError(f"{late}; the page shows: {shown}; the browser says: {said}") from error
    found: dict[str, float] = page.evaluate(LOOK)
    context.close()
    return found


def lines(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows for a table: what, measured, aimed at."""
    if "missing" in found:
        return [("page in a browser", f"not measured: {found['missing']}", "")]
    return [
        ("numbers on screen, cold", _ms(found, "numbers_ms"), "under 250 ms"),
        ("first chart drawn, cold", _ms(found, "chart_ms"), "under 1 s"),
        ("page weight, unpacked", f"{found['weight_bytes'] / 1000:.0f} kB", "under 700 kB"),
        ("page weight, transferred", f"{found['transferred_bytes'] / 1000:.0f} kB", ""),
        ("requests, of them to other hosts", f"{found['requests']:.0f}, {found['strangers']:.0f}", "none"),
    ]


def _ms(found: dict[str, Any], name: str) -> str:
    return f"{found[name]:.0f} ms (worst of {found['rounds']}: {found[name + '_worst']:.0f})"
