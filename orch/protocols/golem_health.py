"""Whether a Golem provider is online, and what its operator should know.

Online means: the REST API answers, the daemon has a session to the network, and something is on sale (or an
agreement runs, or nothing is meant to be sold). Money is read whether or not the node is online.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from orch.model.readings import Finding, Health
from orch.protocols.golem_host import host_findings
from orch.protocols.golem_work import differences_of, price_of

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import NoReply
    from orch.protocols.golem_memory import GolemMemory

SILENT_AFTER = timedelta(minutes=10)
"""Ten times the period of `/me`: by then what it said last is no longer believed."""

STALE_OFFER_AFTER = timedelta(minutes=65)
"""Offers live an hour and are published anew before that."""

DIFFERS_AFTER = timedelta(minutes=5)
"""The agent notices an edited file within seconds; both are read once a minute."""

IDLE_AFTER = timedelta(hours=24)
FEWEST_ENDED = 3
SUCCESS = "Success"

_UNREACHED = frozenset({"refused", "timeout", "unreachable"})


def health_of(memory: GolemMemory, now: datetime) -> tuple[Health, str]:
    """The node's health and, in a few words, why."""
    failure = memory.failures.get("me")
    if failure is not None:
        return _unanswered(failure)
    if memory.last_seen_at is None:
        return "unknown", "not asked yet"
    if now - memory.last_seen_at > SILENT_AFTER:
        return "unknown", f"no usable answer since {memory.last_seen_at:%Y-%m-%d %H:%M:%S} UTC"
    if memory.sessions is None:
        return "unknown", "the network status has not been read yet"
    if memory.sessions == 0:
        return "offline", "no relay session: the daemon runs but has no connection to the network"
    return _selling(memory)


def _unanswered(failure: NoReply) -> tuple[Health, str]:
    if failure.reason in _UNREACHED:
        return "offline", failure.sentence
    if failure.reason == "unauthorised":
        return "degraded", "unauthorised: yagna refuses the application key"
    return "degraded", failure.sentence


def _selling(memory: GolemMemory) -> tuple[Health, str]:
    if memory.running:
        return "online", f"{len(memory.running)} agreement(s) running"
    if memory.presets is not None and not memory.presets.active:
        return "online", "nothing on sale: no preset is active"
    if memory.offers is None:
        return "unknown", "the offers have not been read yet"
    if not memory.offers:
        return "degraded", "no offer is published"
    if (memory.signs.trouble or "").startswith("market-check"):
        return "degraded", "nothing is heard from the market"
    return "online", "on sale"


def findings_of(memory: GolemMemory, now: datetime) -> tuple[Finding, ...]:
    """What the operator should know of the node itself, most urgent kinds first; its money is another matter."""
    return (
        *_key(memory),
        *_provider(memory),
        *host_findings(memory),
        *_offers(memory, now),
        *_network(memory),
        *_work(memory, now),
    )


def _key(memory: GolemMemory) -> list[Finding]:
    failure = memory.failures.get("me")
    if failure is None or failure.reason != "unauthorised":
        return []
    remedy = "run `yagna app-key list --json` as the node's user and configure that key as `app_key`"
    return [_finding("app_key_refused", "page", "yagna refuses the application key.", remedy)]


def _provider(memory: GolemMemory) -> list[Finding]:
    found = []
    for name in ("hardware", "presets"):
        failure = memory.failures.get(name)
        if failure is not None:
            found.append(
                _finding(
                    f"{name}_unreadable",
                    "warning",
                    f"{name}.json of ya-provider cannot be read: {failure.sentence}",
                    "set `provider_dir` to the data directory of ya-provider and let orch read it",
                )
            )
    selling = memory.presets is not None and bool(memory.presets.active)
    if selling and memory.offers == () and not memory.running:
        names = ", ".join(memory.presets.active) if memory.presets is not None else ""
        found.append(
            _finding(
                "no_offers",
                "warning",
                f"Nothing is published although {names} is active: the node cannot be hired.",
                "look at ya-provider's log (a stale `ya-provider.lock` after a power cut keeps it from starting); "
                "deactivating and activating the preset publishes it anew",
            )
        )
    return found


def _offers(memory: GolemMemory, now: datetime) -> list[Finding]:
    found = []
    seen_at = memory.last_seen_at or now
    times = [offer.published_at for offer in memory.offers or () if offer.published_at is not None]
    if times and seen_at - max(times) > STALE_OFFER_AFTER and not memory.running:
        found.append(
            _finding(
                "offers_stale",
                "warning",
                f"The offers were last published at {max(times):%Y-%m-%d %H:%M} UTC: ya-provider seems dead.",
                "look whether the process runs, and at its log",
            )
        )
    if memory.differs_since is not None and now - memory.differs_since > DIFFERS_AFTER:
        found.append(
            _finding(
                "offers_differ",
                "warning",
                f"What is published is not what the files say: {'; '.join(differences_of(memory))}.",
                "deactivate the preset, wait ten seconds and activate it; less disk than wanted means that the "
                "partition is too full",
            )
        )
    return found


def _network(memory: GolemMemory) -> list[Finding]:
    found = []
    if memory.sessions == 0:
        found.append(
            _finding(
                "no_relay_session",
                "warning",
                "The daemon has no session to the Golem network.",
                "check the host's internet connection and outgoing UDP",
            )
        )
    elif memory.signs.had_public_ip and memory.public_ip is None:
        found.append(
            _finding(
                "public_address_lost",
                "info",
                "The node is no longer reached directly, only through a relay, which is slower.",
                "check the port forwarding of UDP 11500",
            )
        )
    if memory.signs.trouble:
        found.append(
            _finding(
                "daemon_unwell",
                "warning",
                f"yagna's own check fails: {memory.signs.trouble}.",
                "see yagna's log; `relay-check` and `market-check` mean the network, `payments-check` the chain",
            )
        )
    if memory.signs.update is not None:
        found.append(
            _finding(
                "update_pending",
                "info",
                f"yagna {memory.signs.update} is out; this is {memory.signs.version}.",
                "update while no agreement runs: a restart breaks it",
            )
        )
    return found


def _work(memory: GolemMemory, now: datetime) -> list[Finding]:
    found = []
    seen_at = memory.last_seen_at or now
    counters = memory.signs.counters
    unresponsive = [each for each in memory.signs.activities or () if each.state == "Unresponsive"]
    if unresponsive:
        sentence = f"{len(unresponsive)} activity(ies) no longer respond."
        found.append(
            _finding("unresponsive", "warning", sentence, "see the runtime's log under ya-provider's data")
        )
    ended = sum(count for _, count in counters.ended)
    broken = [(reason, count) for reason, count in counters.ended if reason != SUCCESS and count]
    if ended >= FEWEST_ENDED and 2 * sum(count for _, count in broken) > ended:
        told = ", ".join(f"{count} for {reason}" for reason, count in broken)
        sentence = f"Of {ended} agreements that ended since the daemon started most did not end well: {told}."
        remedy = "DebitNotesDeadline and RequestorUnreachable often mean a bad connection of this node"
        found.append(_finding("agreements_broken", "warning", sentence, remedy))
    last = memory.digest.ended[:1]
    ended_at = memory.digest.invoices[last[0]].issued_at if last else None
    if ended_at is not None and memory.offers and not memory.running and seen_at - ended_at > IDLE_AFTER:
        found.append(
            _finding("idle", "info", f"No work since {ended_at:%Y-%m-%d %H:%M} UTC: {_demand(memory)}.", _DEAR)
        )
    return found


def _demand(memory: GolemMemory) -> str:
    counters = memory.signs.counters
    if counters.proposals is None:
        return "how much was asked for is not known"
    if not counters.proposals:
        return "nobody has asked since the daemon started"
    refused = (counters.refused_by_them or 0) + (counters.refused_by_us or 0)
    return f"of {counters.proposals} proposal(s) since the daemon started {refused} came to nothing"


_DEAR = "compare the price with what others ask; without any proposal the network's demand is low"


def facts_of(memory: GolemMemory) -> tuple[tuple[str, str], ...]:
    """What is worth showing of a node besides its figures, by name."""
    price, work = price_of(memory), memory.work
    demand = "not enough data: fewer than three finished agreements"
    if work.busy_share is not None and work.saturation is not None:
        demand = f"busy {work.busy_share:.0%} of the time, {work.saturation:.0%} of the cores in use then"
    hours = work.window_s / 3600
    measured = work.idle_inclusive is not None and timedelta(hours=hours) >= IDLE_AFTER
    now = [f"{each.runtime or 'unknown runtime'} {each.state}" for each in memory.signs.activities or ()]
    known = (
        ("identity", memory.identity),
        ("version", memory.signs.version),
        ("sessions", None if memory.sessions is None else str(memory.sessions)),
        ("public address", memory.public_ip),
        ("price per core-hour", None if price is None else f"{price.cpu_hour:.6g} GLM"),
        ("agreements", f"{len(memory.pays)} paid or due, {memory.digest.finished} finished"),
        ("demand", demand),
        ("utilisation", f"{work.busy_share:.1%} of {hours:.0f} h" if measured else None),
        ("busy rate", None if work.busy_rate is None else f"{work.busy_rate:.6g} GLM per hour of work"),
        ("idle-inclusive rate", f"{work.idle_inclusive:.6g} GLM/h over {hours:.0f} h" if measured else None),
        (
            "realised",
            None if work.realised is None else f"{work.realised:.1%} of {work.matured} matured agreements",
        ),
        ("running now", ", ".join(each for each in now if "Terminated" not in each) or None),
    )
    return tuple((name, value) for name, value in known if value is not None)


def _finding(code: str, severity: Literal["info", "warning", "page"], sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity=severity, sentence=sentence, remedy=remedy)
