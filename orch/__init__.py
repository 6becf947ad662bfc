"""orch: one host, several earning nodes, one honest split of its resources."""

__version__ = "0.1.0"
