"""Whole houses on emulated worlds."""

from __future__ import annotations

import sys
from pathlib import Path

# The tests and the processes they start import the helpers by name; importlib mode adds nothing to the path.
sys.path.insert(0, str(Path(__file__).parent))
