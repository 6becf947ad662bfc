"""The time zone that this machine's clock on the wall shows."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOCALTIME = Path("/etc/localtime")
ZONES = "zoneinfo/"


def local_zone(localtime: Path = LOCALTIME) -> str:
    """Its name: `TZ`, or where `/etc/localtime` points to; UTC when neither says."""
    for name in (os.environ.get("TZ", "").lstrip(":"), _pointed_to(localtime)):
        try:
            if name and ZoneInfo(name):
                return name
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return "UTC"


def _pointed_to(link: Path) -> str:
    try:
        return str(link.resolve(strict=True)).partition(ZONES)[2]
    except OSError:
        return ""
