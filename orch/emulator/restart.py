"""Restart an emulated node: the program that stands where `systemctl restart` stands for a real one.

Run as a file with one argument, the control service's `/restart/NODE`. It imports nothing of orch: it starts fast.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

DEADLINE_S = 10.0


def main(url: str) -> str | None:
    """Order the restart; a sentence when it was not accepted."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=DEADLINE_S)
    try:
        connection.request("POST", place.path)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"the emulated world does not answer at {url}: {error}"
    finally:
        connection.close()
    return None if answer.status == 202 else f"the restart was refused with status {answer.status}: {said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
