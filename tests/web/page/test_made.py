"""What the page is made of, without a browser: the chart library's build, and words that keep up."""

from __future__ import annotations

import logging
import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from orch.model.moves import SagaState
from orch.model.plans import Code
from orch.model.proofs import MoneyVerdict

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


def test_a_library_made_of_the_same_is_not_made_again(bundle, tmp_path):
    target = tmp_path / "vendor"
    target.mkdir()
    (target / "echarts.js").write_text("made before")
    (target / "made-of.txt").write_text(bundle.digest())
    assert bundle.ensure(target)
    assert (target / "echarts.js").read_text() == "made before"


def test_a_library_that_cannot_be_made_is_left_out_with_the_reason(bundle, tmp_path, monkeypatch, caplog):
    target = tmp_path / "vendor"
    target.mkdir()
    (target / "echarts.js").write_text("of another version")
    (target / "made-of.txt").write_text("something else")
    answer = subprocess.CompletedProcess([], 1, "", "npm error code ENOTFOUND\nnpm notice what it is\n")
    monkeypatch.setattr(bundle, "find_node", lambda: ("/usr/bin/node", ["/usr/bin/npm"]))
    monkeypatch.setattr(bundle.subprocess, "run", lambda *_, **__: answer)
    with caplog.at_level(logging.WARNING):
        assert not bundle.ensure(target)
    assert not target.exists()
    (line,) = caplog.messages
    assert "npm error code ENOTFOUND" in line
    assert "without charts" in line
    assert "npm notice" not in line


def test_what_is_kept_of_a_build_are_the_bundle_its_licences_and_what_it_is_made_of(bundle, tmp_path, monkeypatch):
    def call(command, *, cwd, **_):
        if "ci" in command:
            for name in bundle.LICENSED:
                (cwd / "node_modules" / name).mkdir(parents=True)
                (cwd / "node_modules" / name / "LICENSE").write_text(f"licence of {name}")
        else:
            made = Path(command[-1].partition("=")[2])
            assert made.is_absolute()
            made.parent.mkdir()
            made.write_text("bundled")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(bundle, "find_node", lambda: ("/usr/bin/node", ["/usr/bin/npm"]))
    monkeypatch.setattr(bundle.subprocess, "run", call)
    target = tmp_path / "page" / "vendor"
    assert bundle.ensure(target)
    assert sorted(path.name for path in target.iterdir()) == ["LEGAL.txt", "echarts.js", "made-of.txt"]
    assert "licence of zrender" in (target / "LEGAL.txt").read_text()
    assert bundle.is_made_of(target, bundle.digest())


def test_without_any_node_the_reason_says_so(bundle, monkeypatch):
    monkeypatch.setattr(bundle.shutil, "which", lambda _: None)
    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(bundle.BundleError, match="no Node"):
        bundle.find_node()
