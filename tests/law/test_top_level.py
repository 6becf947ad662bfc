"""What stands at the top of the repository, beside dot-files."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {"setup.cfg", "pyproject.toml", "orch", "actors", "tests", "bench", "README.md"}


def test_nothing_else_stands_at_the_top():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: what is tracked cannot be told")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    top = {path.partition("/")[0] for path in listed.stdout.split("\0") if path}
    assert {each for each in top if not each.startswith(".")} == ALLOWED
