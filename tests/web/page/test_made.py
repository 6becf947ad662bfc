"""What the page is made of, without a browser: the chart library's build, and words that keep up."""

from __future__ import annotations

import logging
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from orch.model.moves import SagaState
from orch.model.plans import Code
from orch.model.proofs import MoneyVerdict
from orch.web.scripts import is_together

PAGE = Path(__file__).parents[3] / "orch" / "web" / "page"
SOURCES = sorted(
    path for path in PAGE.rglob("*") if path.suffix in (".html", ".css", ".js") and "vendor" not in path.parts
)


@pytest.fixture
def bundle():
    pytest.importorskip("setuptools", reason="setuptools builds packages, and need not be there otherwise")
    from orch.web import bundle

    return bundle


def words(name: str) -> set[str]:
    table = (PAGE / "words.js").read_text().partition(f"export const {name} = {{")[2].partition("};")[0]
    return set(re.findall(r"^  (\w+):", table, re.MULTILINE))


def test_every_reason_state_and_verdict_has_its_words():
    assert set(get_args(Code)) <= words("REASONS")
    assert set(get_args(SagaState)) <= words("STATES")
    assert set(get_args(MoneyVerdict)) <= words("VERDICTS")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_of_it_is_foreign_inline_or_lost(path):
    text = path.read_text()
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert not re.search(r"<style|<script>|\sstyle=|\son\w+=\"|innerHTML|insertAdjacentHTML|\beval\(", text)
    named = re.findall(r"(?:from|import\() ?\"(\.[^\"]+)\"|import \"(\.[^\"]+)\"", text)
    for found in (one or other for one, other in named):
        assert (path.parent / found).exists() or "vendor" in found, f"{path.name} wants {found}"
    for asset in re.findall(r"\"/assets/([^\"]+)\"", text):
        assert (PAGE / asset).is_file()


def test_the_page_is_a_tenth_of_a_megabyte_without_its_chart_library():
    assert sum(path.stat().st_size for path in SOURCES) < 120_000


@pytest.fixture
def page(tmp_path):
    (tmp_path / "page" / "views").mkdir(parents=True)
    (tmp_path / "page" / "main.js").write_text('import "./views/one.js";\n')
    (tmp_path / "page" / "views" / "one.js").write_text("export {};\n")
    return tmp_path / "page"


def made_before(bundle, page, *, charts_of=None, scripts_of=None):
    """What an earlier build left in a page."""
    (page / "vendor").mkdir()
    (page / "vendor" / "echarts.js").write_text("made before")
    (page / "vendor" / "made-of.txt").write_text(charts_of or bundle.digest())
    (page / "vendor" / "page.js").write_bytes(scripts_of or bundle.stamp_of(bundle.scripts(page)))


@pytest.fixture
def npm(bundle, monkeypatch):
    """npm and esbuild as far as a build sees them; what they were told."""
    told = []

    def call(command, *, cwd, **_):
        told.append(command)
        if "ci" in command:
            for name in bundle.LICENSED:
                (cwd / "node_modules" / name).mkdir(parents=True)
                (cwd / "node_modules" / name / "LICENSE").write_text(f"licence of {name}")
        else:
            made = Path(command[-1].partition("=")[2])
            assert made.is_absolute()
            made.parent.mkdir(exist_ok=True)
            banner = [each.partition("=")[2] for each in command if each.startswith("--banner:js=")]
            made.write_text("".join([*banner, "bundled"]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(bundle, "find_node", lambda: ("/usr/bin/node", ["/usr/bin/npm"]))
    monkeypatch.setattr(bundle.subprocess, "run", call)
    return told


@pytest.fixture
def no_npm(bundle, monkeypatch):
    answer = subprocess.CompletedProcess([], 1, "", "npm error code ENOTFOUND\nnpm notice what it is\n")
    monkeypatch.setattr(bundle, "find_node", lambda: ("/usr/bin/node", ["/usr/bin/npm"]))
    monkeypatch.setattr(bundle.subprocess, "run", lambda *_, **__: answer)


def test_it_needs_nothing_of_orch_which_is_not_there_yet_while_it_is_built(bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "orch", None)
    assert runpy.run_path(bundle.__file__)["digest"]() == bundle.digest()


def test_what_is_made_of_the_same_is_not_made_again(bundle, page, npm):
    made_before(bundle, page)
    assert bundle.ensure(page)
    assert npm == []
    assert (page / "vendor" / "echarts.js").read_text() == "made before"


@pytest.mark.parametrize("stale", ["charts_of", "scripts_of"])
def test_what_has_changed_is_made_again(bundle, page, npm, stale):
    made_before(bundle, page, **{stale: b"/* of others */" if stale == "scripts_of" else "others"})
    assert bundle.ensure(page)
    assert len(npm) == 3
    assert (page / "vendor" / "echarts.js").read_text() == "bundled"
    assert is_together(bundle.scripts(page))


@pytest.mark.usefixtures("no_npm")
def test_a_library_that_cannot_be_made_is_left_out_with_the_reason(bundle, page, caplog):
    made_before(bundle, page, charts_of="another version")
    with caplog.at_level(logging.WARNING):
        assert not bundle.ensure(page)
    assert not (page / "vendor").exists()
    (line,) = caplog.messages
    assert "npm error code ENOTFOUND" in line
    assert "without charts" in line
    assert "npm notice" not in line


@pytest.mark.usefixtures("no_npm")
def test_scripts_that_cannot_be_put_together_leave_the_charts_alone(bundle, page, caplog):
    made_before(bundle, page, scripts_of=b"/* of others */")
    with caplog.at_level(logging.WARNING):
        assert not bundle.ensure(page)
    assert sorted(path.name for path in (page / "vendor").iterdir()) == ["echarts.js", "made-of.txt"]
    (line,) = caplog.messages
    assert "one by one" in line


@pytest.mark.usefixtures("npm")
def test_what_is_kept_of_a_build_are_its_files_the_licences_and_what_it_is_made_of(bundle, page):
    assert bundle.ensure(page)
    kept = sorted(path.name for path in (page / "vendor").iterdir())
    assert kept == ["LEGAL.txt", "echarts.js", "made-of.txt", "page.js"]
    assert "licence of zrender" in (page / "vendor" / "LEGAL.txt").read_text()
    assert bundle.is_made_of(page / "vendor", bundle.digest())
    assert is_together(bundle.scripts(page))


def test_without_any_node_the_reason_says_so(bundle, monkeypatch):
    monkeypatch.setattr(bundle.shutil, "which", lambda _: None)
    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(bundle.BundleError, match="no Node"):
        bundle.find_node()
