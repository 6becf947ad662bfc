"""The processor's energy counters (Linux kernel documentation, power/powercap)."""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


def rapl_counters(root: Path = POWERCAP) -> tuple[tuple[str, int], ...]:
    """The counters that together are all that this machine can measure of itself, each once.

    The whole platform (`psys`) where it is counted, else every processor package with its memory; cores and other
    parts of a package are within it already. Whether they can be read is found by reading: often only by root.

    Returns:
        For each its file, and the microjoules after which it begins again. Empty where the kernel has none.
    """
    found: dict[str, tuple[str, int]] = {}
    for domain in sorted(root.glob("intel-rapl:*")):
        name, largest = _text(domain / "name"), _text(domain / "max_energy_range_uj")
        if name and largest.isdigit():
            found[f"{domain.name}/{name}"] = (str(domain / "energy_uj"), int(largest))
    whole = [each for key, each in found.items() if key.endswith("/psys")]
    if whole:
        return tuple(whole)
    return tuple(each for key, each in found.items() if key.count(":") == 1 or key.endswith("/dram"))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
