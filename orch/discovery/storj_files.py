"""What a storage node's config.yaml says of other places on its host. Pure."""

from __future__ import annotations

import re

from orch.discovery.proposal import Key

PLACES = (
    ("storage_path", "storage.path", "room on its disk is compared with the node's own count"),
    ("log_path", "log.output", "its end is shown when the node does not answer"),
)


def places_in(text: str | None) -> tuple[Key, ...]:
    """The absolute paths among them; a relative one, `stderr` or a comment names no place that can be known."""
    found = []
    for name, key, comment in PLACES:
        line = re.search(rf"^{re.escape(key)}:[ \t]*[\"']?(/[^\"'\n]+?)[\"']?[ \t]*$", text or "", re.MULTILINE)
        if line is not None:
            found.append(Key(name=name, value=line[1], comment=comment))
    return tuple(found)
