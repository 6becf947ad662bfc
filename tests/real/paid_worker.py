"""A worker that is paid for the processor time it really gets, and keeps books of it by the hour: a script.

`python paid_worker.py BOOKS BEGAN HOUR_S USD` is paid USD for each core of an hour. Its hours are HOUR_S real
seconds long and are counted from BEGAN, a time of the monotonic clock. BOOKS is replaced whole after each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(books, began, hour_s, usd):
    books, began, hour_s, usd = Path(books), float(began), float(hour_s), float(usd)
    hours, hour, mark, earned = [], int((time.monotonic() - began) / hour_s), time.process_time(), 0.0
    while True:
        for _ in range(20_000):
            pass
        now, used = int((time.monotonic() - began) / hour_s), time.process_time()
        earned += usd * (used - mark) / hour_s
        mark = used
        while hour < now:
            hours.append([hour, f"{earned:.12f}"])
            hour, earned = hour + 1, 0.0
            keep(books, hours)


def keep(books, hours):
    fresh = books.with_suffix(".new")
    fresh.write_text(json.dumps(hours))
    fresh.replace(books)


if __name__ == "__main__":
    main(*sys.argv[1:])
