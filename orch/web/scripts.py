"""The page's own scripts, and the one file that a build makes of them: whether that is of these very scripts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRY = "main.js"
FOREIGN = "vendor/"
TOGETHER = f"{FOREIGN}page.js"


def stamp_of(files: Mapping[str, bytes]) -> bytes:
    """The first line of the file that holds these scripts (by their path in the page) together."""
    made_of = hashlib.sha256()
    for name, body in sorted(files.items()):
        if name.endswith(".js") and not name.startswith(FOREIGN):
            made_of.update(f"{name} {len(body)} ".encode() + body)
    return f"/* {made_of.hexdigest()} */".encode()


def is_together(files: Mapping[str, bytes]) -> bool:
    """Whether the scripts are there in one file, too, as they are now."""
    return files.get(TOGETHER, b"").startswith(stamp_of(files))
