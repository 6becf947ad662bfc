"""Genuine peers as fixtures; each is skipped with its reason where the machine cannot run it."""

from __future__ import annotations

import sys
from pathlib import Path

# The fixtures' modules import each other by name, and importlib mode adds nothing to the path.
sys.path.insert(0, str(Path(__file__).parent))

from yagna import genuine_yagna

__all__ = ["genuine_yagna"]
