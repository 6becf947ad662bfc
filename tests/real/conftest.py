"""Genuine peers as fixtures; each is skipped with its reason where the machine cannot run it."""

from __future__ import annotations

import sys
from pathlib import Path

# The fixtures' modules import each other by name, and importlib mode adds nothing to the path.
sys.path.insert(0, str(Path(__file__).parent))

from dockerd import docker_engine
from storagenode import genuine_storagenode
from yagna import genuine_yagna

__all__ = ["docker_engine", "genuine_storagenode", "genuine_yagna"]
