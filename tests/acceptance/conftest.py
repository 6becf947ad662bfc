"""Whole houses on emulated worlds."""

from __future__ import annotations

import sys
from pathlib import Path

# The tests and the processes they start import helpers and benches by name; importlib mode adds nothing to the path.
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
