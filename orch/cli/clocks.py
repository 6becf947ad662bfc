"""Is this host's clock right: its time beside the dates of the answers. Pure."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from statistics import median
from typing import TYPE_CHECKING

from orch.cli.findings import Line
from orch.model.base import Value
from orch.model.wire import NoReply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orch.model.wire import Reply

OFF = timedelta(seconds=15)
"""A date has whole seconds, and an answer some seconds of way; accruals and tokens rest on minutes."""
FAR_OFF = timedelta(minutes=5)
REMEDY = "let the system keep its clock by NTP: timedatectl set-ntp true; a Storj node with a wrong clock stops"


class ClockSample(Value):
    """How far the clock of whoever answered is ahead of ours, by the date of its answer."""

    source: str
    ahead: timedelta


def sample(source: str, reply: Reply | NoReply) -> ClockSample | None:
    """What an answer says of the time; None when it has no date, or none that can be read.

    The date was put on it at most `elapsed_s` ago, so that much is no difference.
    """
    stated = next((value for name, value in reply.headers if name.lower() == "date"), None)
    if stated is None:
        return None
    try:
        ahead = parsedate_to_datetime(stated) - (
            reply.failed_at if isinstance(reply, NoReply) else reply.received_at
        )
    except (ValueError, TypeError, OverflowError):
        return None
    slack = timedelta(seconds=reply.elapsed_s + 1.0)
    if ahead < timedelta(0):
        ahead = min(ahead + slack, timedelta(0))
    return ClockSample(source=source, ahead=ahead)


def clock_lines(samples: Sequence[ClockSample]) -> Iterator[Line]:
    """One line: the clock is right, ours is off (most others agree on that), or one other's is."""
    by_source: dict[str, list[float]] = {}
    for each in samples:
        by_source.setdefault(each.source, []).append(each.ahead.total_seconds())
    offsets = {source: median(values) for source, values in by_source.items()}
    if not offsets:
        return
    off = {source: seconds for source, seconds in offsets.items() if abs(seconds) > OFF.total_seconds()}
    if not off:
        said = f"agrees with the dates of {', '.join(sorted(offsets))}"
        yield Line(subject="orch", asked="clock", result="ok", sentence=said)
        return
    common = median(offsets.values())
    if len(off) > 1 and abs(common) > OFF.total_seconds():
        way = "behind" if common > 0 else "ahead of"
        said = f"this host's clock is {abs(common):.0f} s {way} that of {', '.join(sorted(off))}"
        yield _off("orch", said, common)
        return
    for source, seconds in sorted(off.items()):
        way = "ahead of" if seconds > 0 else "behind"
        yield _off(
            source, f"its clock is {abs(seconds):.0f} s {way} this host's: one of the two is wrong", seconds
        )


def _off(subject: str, sentence: str, seconds: float) -> Line:
    far = abs(seconds) > FAR_OFF.total_seconds()
    return Line(
        subject=subject, asked="clock", result="failed" if far else "warning", sentence=sentence, remedy=REMEDY
    )
