"""Whether a storage node is well, and what its operator should know and do about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from orch.model.readings import Finding
from orch.protocols.storj_growth import BYTES_PER_GB, serving, unpriced
from orch.protocols.storj_host import host_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.readings import Health
    from orch.protocols.storj_values import Memory, Month, Node, Satellite, Trouble

VITAL = "sno"
SILENT_AFTER = timedelta(minutes=15)
STARTING_FOR = timedelta(minutes=15)
UNPINGED_AFTER = timedelta(minutes=120)
UNPINGED_AFTER_START = timedelta(minutes=30)
REPORT_OLD_AFTER = timedelta(hours=48 + 24)
"""A day's report is 48 h old this long after its first minute."""

QUIC_BAD_FOR = timedelta(hours=3)
RESTARTS_WITHIN = timedelta(hours=1)
RESTARTS = 4
AUDIT_LOW, SUSPENSION_LOW, ONLINE_LOW, ONLINE_SERIOUS = 0.98, 0.8, 0.9, 0.7
HANGING_FOR = timedelta(hours=2)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FULL_BYTES = 50_000_000_000
FAILURES_TO_TELL = 3
CLOCKS_DIFFER_S = 300.0

_DOWN = frozenset({"refused", "timeout", "unreachable"})


def health(memory: Memory, now: datetime) -> tuple[Health, str]:
    """Health and its reason in words. One failed poll never makes a node offline that has answered before."""
    trouble = _trouble(memory, VITAL)
    node = memory.node
    if trouble is not None:
        return _in_trouble(memory, trouble, first_contact=node is None)
    if node is None:
        return "unknown", "no usable answer yet"
    if now - node.as_of > SILENT_AFTER:
        return "unknown", f"no answer for {_span(now - node.as_of)}"
    unheard = _unheard(node)
    if unheard is not None:
        return "offline", unheard
    ill = [finding.sentence for finding in _satellites(memory) if finding.code in _ILL]
    if ill:
        return "degraded", ill[0]
    if not node.satellites:
        return "online", "running; no satellite heard of yet"
    return "online", "running and in contact with its satellites"


def findings(memory: Memory, now: datetime) -> tuple[Finding, ...]:
    """Everything worth telling, the gravest first."""
    found = [*_satellites(memory), *_node(memory, now), *_figures(memory, now), *_endpoints(memory)]
    found += host_findings(memory, silent=is_silent(memory))
    order = {"page": 0, "warning": 1, "info": 2}
    return tuple(sorted(found, key=lambda each: (order[each.severity], each.code, each.sentence)))


_ILL = frozenset(
    {
        "storj_disqualified",
        "storj_suspended",
        "storj_audit_score",
        "storj_suspension_score",
        "storj_online_score_low",
    }
)


def is_silent(memory: Memory) -> bool:
    """Whether the node does not answer now."""
    return _trouble(memory, VITAL) is not None


def _hangs(memory: Memory, trouble: Trouble) -> bool:
    """Whether the port is open and nothing answers: over loopback a closed one is refused, so it only hangs."""
    host = urlsplit(memory.options.url).hostname
    return trouble.failure.reason == "timeout" and host in LOOPBACK and memory.node is not None


def _in_trouble(memory: Memory, trouble: Trouble, *, first_contact: bool) -> tuple[Health, str]:
    sentence = trouble.failure.sentence
    silent = trouble.failure.failed_at - trouble.since
    if _hangs(memory, trouble) and trouble.count > 1 and silent < HANGING_FOR:
        return "degraded", f"its port is open and nothing answers ({_span(silent)}); disk scans can take hours"
    if trouble.failure.reason not in _DOWN:
        return "degraded", f"answers, but not as a storage node should: {sentence}"
    if not first_contact and trouble.count < 2:
        return "degraded", f"missed one poll: {sentence}"
    if first_contact:
        return "offline", sentence
    for_so_long = trouble.failure.failed_at - trouble.since
    if for_so_long < STARTING_FOR:
        return "offline", f"{sentence} (a node that has just started opens its port late)"
    return "offline", f"{sentence} since {_span(for_so_long)}"


def _unheard(node: Node) -> str | None:
    """Why the network cannot be reaching the node, or None. Ages are those at the time of the answer."""
    if node.last_pinged_at is not None:
        silence = node.as_of - node.last_pinged_at
        return (
            f"no satellite and no customer reached it for {_span(silence)}" if silence > UNPINGED_AFTER else None
        )
    if node.started_at is not None and node.as_of - node.started_at > UNPINGED_AFTER_START:
        return f"nobody reached it since it started {_span(node.as_of - node.started_at)} ago"
    return None


def _satellites(memory: Memory) -> Iterator[Finding]:
    months = dict(memory.satellites)
    for satellite in memory.node.satellites if memory.node else ():
        if satellite.disqualified_at is not None:
            yield _finding(
                "storj_disqualified",
                "page",
                f"{satellite.host} disqualified the node on {satellite.disqualified_at:%Y-%m-%d}; "
                f"its running month and what it held back{_at_stake(memory, satellite.id)} are lost",
                "This is final for that satellite. Check the disk and its logs before the others follow.",
            )
            continue
        if satellite.suspended_at is not None:
            yield _finding(
                "storj_suspended",
                "page",
                f"{satellite.host} suspended the node on {satellite.suspended_at:%Y-%m-%d} for audit errors",
                "Look for read errors in the node's log and on the disk; the suspension ends with good audits.",
            )
        if satellite.id in months:
            yield from _scores(satellite, months[satellite.id])


def _at_stake(memory: Memory, satellite: str) -> str:
    """What a satellite still holds back, in words; nothing when that is unknown or nothing."""
    outstanding = next((each.outstanding for each in memory.held if each.satellite == satellite), None)
    return f" ({outstanding:.2f} USD)" if outstanding else ""


def _scores(satellite: Satellite, month: Month) -> Iterator[Finding]:
    """Scores of 0 are those of a node that the satellite has not judged yet."""
    if 0 < month.audit_score < AUDIT_LOW:
        yield _finding(
            "storj_audit_score",
            "page",
            f"the audit score on {satellite.host} is {month.audit_score:.3f}; below 0.96 the node is disqualified",
            "Data is missing or cannot be read in time: check the disk, its file system and its mount now.",
        )
    elif month.audit_fell_from is not None and month.audit_score > 0:
        yield _finding(
            "storj_audit_falling",
            "page",
            f"the audit score on {satellite.host} fell from {month.audit_fell_from:.4f} "
            f"to {month.audit_score:.4f}; below 0.96 the node is disqualified",
            "Data is missing or cannot be read in time: look for errors in the node's log and on the disk.",
        )
    if 0 < month.suspension_score < SUSPENSION_LOW:
        yield _finding(
            "storj_suspension_score",
            "warning",
            f"the suspension score on {satellite.host} is {month.suspension_score:.3f}; below 0.6 it is suspended",
            "Audits fail with unknown errors: read the node's log.",
        )
    if 0 < month.online_score < ONLINE_LOW:
        low = month.online_score < ONLINE_SERIOUS
        yield _finding(
            "storj_online_score_low" if low else "storj_online_score",
            "warning",
            f"the online score on {satellite.host} is {month.online_score:.3f}; below 0.6 it gets no new data",
            "It looks back 30 days: keep the node reachable and it recovers by itself.",
        )


def _node(memory: Memory, now: datetime) -> Iterator[Finding]:
    node = memory.node
    if node is None:
        return
    unheard = _unheard(node)
    if unheard is not None:
        yield _finding(
            "storj_unreached",
            "page",
            unheard,
            "Check the port forwarding, the external address and the node's log.",
        )
    if not node.up_to_date:
        yield _finding(
            "storj_outdated",
            "warning",
            f"version {node.version} is below the network's minimum {node.allowed_version}",
            "Update the node: once stopped it will not start again, and satellites may stop choosing it.",
        )
    recent = [start for start in memory.starts if now - start <= RESTARTS_WITHIN]
    if len(recent) >= RESTARTS:
        yield _finding(
            "storj_restarts",
            "page",
            f"the node was started {len(recent)} times within an hour",
            "It stops by itself: read the end of its log (disk checks and the 500 GB minimum are usual causes).",
        )
    bad_since = memory.quic_bad_since
    if bad_since is not None and now - bad_since >= QUIC_BAD_FOR:
        yield _finding(
            "storj_quic",
            "info",
            f"QUIC is misconfigured for {_span(now - bad_since)}",
            "Forward the port for UDP as well; TCP works meanwhile.",
        )
    if abs(memory.clock_ahead_s) > CLOCKS_DIFFER_S:
        ahead = "ahead of" if memory.clock_ahead_s > 0 else "behind"
        yield _finding(
            "storj_clock",
            "warning",
            f"the node's clock is {_span(timedelta(seconds=abs(memory.clock_ahead_s)))} {ahead} this one",
            "Set the clock by NTP, here or there: a node that is 30 min off does not start. "
            "Its money is booked by its own months meanwhile.",
        )
    yield from _notices(memory)
    yield from _disk(node)


def _notices(memory: Memory) -> Iterator[Finding]:
    """What the node tells its operator by itself, but for reminders of new versions."""
    grave = [notice for notice in memory.notices if notice.kind > 0]
    if grave:
        more = f", and {len(grave) - 1} more" if len(grave) > 1 else ""
        yield _finding(
            "storj_notified",
            "warning",
            f"the node has an unread notification: {grave[0].title}{more}",
            "Read it on the node's own page and mark it read there; it stays until then.",
        )


def _disk(node: Node) -> Iterator[Finding]:
    disk = node.disk
    if disk.overused > 0:
        yield _finding(
            "storj_overused",
            "warning",
            f"the node uses {disk.overused / BYTES_PER_GB:.0f} GB more than its allocation",
            "Growth has stopped; nothing is deleted. Raise the allocation or wait for customers to delete.",
        )
    elif disk.free < FULL_BYTES:
        yield _finding(
            "storj_full",
            "info",
            f"{disk.free / BYTES_PER_GB:.0f} GB are left to fill: growth stops",
            "Grant more storage if the disk has it.",
        )
    if disk.used > 0 and (disk.trash > 0.1 * disk.used or disk.reclaimable > 0.2 * disk.used):
        yield _finding(
            "storj_unpaid_space",
            "info",
            f"{disk.trash / BYTES_PER_GB:.0f} GB of trash and {disk.reclaimable / BYTES_PER_GB:.0f} GB of garbage "
            f"take space that is not paid",
            "Nothing to do: trash goes after a week, garbage with the next compaction.",
        )


def _figures(memory: Memory, now: datetime) -> Iterator[Finding]:
    hosts = {satellite.id: satellite.host for satellite in memory.node.satellites} if memory.node else {}
    months = dict(memory.satellites)
    paying = serving(memory)
    priceless = sorted({*unpriced(memory), *(each for each in memory.untrusted if each in paying)})
    if priceless:
        yield _finding(
            "storj_no_prices",
            "warning",
            f"the node knows no prices of {', '.join(hosts.get(each, each[:12]) for each in priceless)}, "
            f"so its estimate of 0 is not believed",
            "It asks for prices only when it starts: restart it once the satellite can be reached.",
        )
    for estimate in memory.estimates:
        host = hosts.get(estimate.satellite, estimate.satellite[:12])
        if estimate.kept > 0:
            yield _finding(
                "storj_count_lost",
                "info",
                f"the node's own count of {estimate.month} for {host} "
                f"fell; {estimate.kept:.4f} USD of traffic that it had counted are kept",
                "Nothing to do: the satellite's statement decides. A node loses its newest counts in a crash.",
            )
    for key in paying:
        stored = months[key].stored if key in months else None
        if stored is not None and not stored.projected and now - stored.day > REPORT_OLD_AFTER:
            yield _finding(
                "storj_report_old",
                "warning",
                f"{hosts.get(key, key[:12])} last reported stored bytes for {stored.day:%Y-%m-%d}",
                "The rate rests on an old figure; it corrects itself with the next report.",
            )


def _endpoints(memory: Memory) -> Iterator[Finding]:
    vital = _trouble(memory, VITAL)
    if vital is not None and vital.count > 1 and _hangs(memory, vital):
        silent = vital.failure.failed_at - vital.since
        yield _finding(
            "storj_hangs",
            "page" if silent >= HANGING_FOR else "warning",
            f"the node's port is open and nothing has answered for {_span(silent)}",
            "Its databases are locked or its disk is scanned: see its log and the disk's load; it should pass.",
        )
    for trouble in memory.troubles:
        if trouble.key != VITAL and trouble.count >= FAILURES_TO_TELL:
            yield _finding(
                "storj_endpoint",
                "warning",
                f"{trouble.key} fails since {trouble.since:%Y-%m-%d %H:%M} UTC: {trouble.failure.sentence}",
                "Its figures keep their last values. Databases are slow during a disk scan; it should pass.",
            )


def _trouble(memory: Memory, key: str) -> Trouble | None:
    return next((trouble for trouble in memory.troubles if trouble.key == key), None)


def _finding(code: str, severity: Literal["info", "warning", "page"], sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity=severity, sentence=sentence, remedy=remedy)


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"
