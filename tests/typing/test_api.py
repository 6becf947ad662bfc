import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_typed_surface_accepts_what_it_should_and_nothing_else(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    root = Path(__file__).parents[2]
    api = Path(__file__).with_name("api.py")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", f"--cache-dir={tmp_path}", api],
        cwd=root,
        env=os.environ | {"MYPYPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
