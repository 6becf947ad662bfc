"""Whole houses on emulated worlds."""

from __future__ import annotations

import sys
from pathlib import Path

# The tests and the processes they start import helpers and benches by name, of which importlib mode knows nothing.
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
