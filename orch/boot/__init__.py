"""The composition root: from a configuration to a wired house, live or on the stage."""

from __future__ import annotations

from orch.boot.engine import Engine
from orch.boot.start import demo_engine, real_engine, serve_emulator

__all__ = ["Engine", "demo_engine", "real_engine", "serve_emulator"]
