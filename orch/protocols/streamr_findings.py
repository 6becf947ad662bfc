"""What a Streamr operator should know: risks to the stake and to the income.

Thresholds are those of the contracts where they can be read, else of the node's own wizard and of its peers'
rules: an outside inspector flags an operator without a live heartbeat, a flag leads to a vote after an hour,
uncollected earnings above the limit may be collected by anybody for a quarter of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orch.protocols.streamr_fleet import finding, fleet_findings
from orch.protocols.streamr_health import flags, wrong_chain
from orch.protocols.streamr_memory import POLYGON
from orch.protocols.streamr_money import WHOLE, newest_heartbeat, penalties, time_of, to_data
from orch.protocols.streamr_rates import DISAGREEMENT, disagreement, effective_stake, own_share

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.readings import Finding
    from orch.protocols.streamr_memory import StreamrMemory

SLASHED_WITHIN = timedelta(days=7)
HEARTBEAT_WITHIN = timedelta(hours=26)
"""The leading node writes one a day."""

UNCOLLECTED_WARNING, UNCOLLECTED_PAGE = 0.25, 0.6
SOLVENT_FOR_S = 72 * 3600
LEAST_OWN_SHARE, OWN_SHARE_MARGIN = 0.05, 0.01
QUEUE_LIMIT_S, QUEUE_MARGIN_S = 30 * 86_400, 5 * 86_400
GRAPH_LAG = timedelta(hours=1)


def findings_of(memory: StreamrMemory, now: datetime) -> tuple[Finding, ...]:
    """What the operator should know, gravest subject first."""
    return (
        *_risk(memory, now),
        *_heartbeat(memory),
        *_stake(memory),
        *_queue(memory),
        *_rate(memory),
        *fleet_findings(memory),
        *_advice(memory),
    )


def _risk(memory: StreamrMemory, now: datetime) -> list[Finding]:
    found = []
    if wrong_chain(memory):
        found.append(
            finding(
                "wrong_chain",
                "page",
                f"The RPC serves chain {memory.words['chain']}: nothing there is worth money.",
                "set `rpc_url` to an endpoint of the chain that the operator contract is on, or `chain_id`",
            )
        )
    found += [
        finding(
            "flag_open",
            "page",
            f"A flag is open in sponsorship {sponsorship}: after an hour the vote may slash the stake.",
            "make sure that a node of the operator runs, is reachable and publishes its heartbeat",
        )
        for sponsorship in flags(memory)
    ]
    newest = memory.block.number if memory.block is not None else 0
    lost = [wei for _, mined_at, wei in penalties(memory, newest) if mined_at and now - mined_at < SLASHED_WITHIN]
    if lost:
        found.append(
            finding(
                "slashed",
                "page",
                f"The operator lost {to_data(sum(lost)):.2f} {memory.unit} in the last week.",
                "look for missed heartbeats in the node's log and at its uptime",
            )
        )
    if memory.options.chain_id != POLYGON:
        found.append(
            finding(
                "test_tokens",
                "info",
                f"Amounts are tokens of chain {memory.options.chain_id}, which have no price: USD is unknown.",
                "none is needed for a test network",
            )
        )
    return found


def _heartbeat(memory: StreamrMemory) -> list[Finding]:
    """The daily heartbeat on the chain, once events are known far enough back."""
    block, scan = memory.block, memory.scan
    if block is None or scan is None:
        return []
    blocks = HEARTBEAT_WITHIN.total_seconds() / memory.options.block_s
    beat = newest_heartbeat(memory)
    beaten_at = None if beat is None else time_of(memory, beat)
    if beat is not None and memory.nodes is not None and beat.who not in memory.nodes:
        return [
            finding(
                "node_not_listed",
                "warning",
                f"The last heartbeat came from {beat.who}, which is none of the operator's nodes.",
                "add the node's address to the operator, or give the node the right key",
            )
        ]
    late = beaten_at is not None and block.mined_at - beaten_at > HEARTBEAT_WITHIN
    never = beat is None and scan.high - scan.low >= blocks and block.number - scan.high < blocks
    if not late and not never:
        return []
    since = f"since {beaten_at:%Y-%m-%d %H:%M} UTC" if beaten_at is not None else "in all blocks that were read"
    return [
        finding(
            "heartbeat_old",
            "warning",
            f"No node has written its daily heartbeat on the chain {since}.",
            "see in the node's log whether its RPC answers, its key has POL, and it may publish",
        )
    ]


def _stake(memory: StreamrMemory) -> list[Finding]:
    found = []
    earnings = memory.earnings
    share = earnings.total / earnings.most if earnings is not None and earnings.most else 0.0
    if share > UNCOLLECTED_WARNING:
        found.append(
            finding(
                "uncollected",
                "page" if share > UNCOLLECTED_PAGE else "warning",
                f"Uncollected earnings are at {share:.0%} of their limit; above it anybody may take a quarter.",
                "withdraw earnings from the sponsorships; anyone may send that transaction",
            )
        )
    if earnings is not None:
        now_s = earnings.block.mined_at.timestamp()
        found += [each for one in earnings.sponsorships for each in _sponsorship(memory, one, now_s)]
    own, limit = own_share(memory), memory.words.get("own_limit")
    least = LEAST_OWN_SHARE if limit is None else limit / WHOLE
    if own is not None and own < least + OWN_SHARE_MARGIN:
        found.append(
            finding(
                "own_share_low",
                "warning",
                f"The owner holds {own:.1%} of the operator; below {least:.0%} nothing can be staked.",
                "delegate own DATA to the operator",
            )
        )
    return found


def _sponsorship(memory: StreamrMemory, sponsorship: str, now_s: float) -> list[Finding]:
    """Risk without pay: dry, not running, or a stake below the minimum."""
    found, words = [], memory.words
    until = words.get(f"solvent/{sponsorship}")
    if until is not None and until < now_s + SOLVENT_FOR_S:
        found.append(
            finding(
                "sponsorship_dry",
                "warning",
                f"Sponsorship {sponsorship} is dry within 72 h or already; the stake stays at risk.",
                "reduce the stake there, or wait for its sponsor",
            )
        )
    if words.get(f"running/{sponsorship}") == 0:
        found.append(
            finding(
                "sponsorship_stopped",
                "warning",
                f"Sponsorship {sponsorship} does not run, for want of operators: it pays nothing, "
                "and the stake stays at risk.",
                "reduce the stake there, or wait for other operators",
            )
        )
    staked, least = effective_stake(memory, sponsorship), words.get("min_stake")
    if staked is not None and least is not None and 0 < staked < least:
        found.append(
            finding(
                "stake_below_minimum",
                "warning",
                f"The stake in {sponsorship} is below the minimum of {to_data(least):.0f} {memory.unit}: "
                "the next flag throws the operator out.",
                "add stake there, or leave",
            )
        )
    return found


def _queue(memory: StreamrMemory) -> list[Finding]:
    """Delegators who wait for their money: no staking meanwhile; after the limit anybody may unstake."""
    if not memory.queue or memory.block is None:
        return []
    oldest = min(each.since for each in memory.queue)
    waited_s = (memory.block.mined_at - oldest).total_seconds()
    limit_s = memory.words.get("queue_limit", QUEUE_LIMIT_S)
    amount = to_data(sum(each.amount for each in memory.queue))
    return [
        finding(
            "queue_waiting",
            "page" if waited_s > limit_s - QUEUE_MARGIN_S else "warning",
            f"Delegators wait for {amount:.2f} {memory.unit}, the oldest for "
            f"{max(0.0, waited_s) / 86_400:.1f} days; nothing can be staked meanwhile, "
            f"and after {limit_s / 86_400:.0f} days anybody may unstake.",
            "reduce a stake by what the queue wants; collected earnings pay it too",
        )
    ]


def _rate(memory: StreamrMemory) -> list[Finding]:
    off = disagreement(memory)
    found = []
    if off is not None:
        found.append(
            finding(
                "rate_disagrees",
                "warning",
                f"What is earned has been {off:.0%} off what payout and stake share say for an hour "
                f"(more than {DISAGREEMENT:.0%}).",
                "see whether a sponsorship ran dry, does not run, or changed what it pays",
            )
        )
    graph, block = memory.graph, memory.block
    if graph is not None and block is not None and (graph.erring or block.mined_at - graph.as_of > GRAPH_LAG):
        found.append(
            finding(
                "subgraph_behind",
                "info",
                f"The subgraph stands at block {graph.block} ({graph.as_of:%Y-%m-%d %H:%M} UTC)"
                f"{' and reports errors' if graph.erring else ''}; its figures are only a cross-check.",
                "none is needed: money is read from the chain itself",
            )
        )
    elif "graph" in memory.failures:
        found.append(
            finding(
                "subgraph_silent",
                "info",
                f"The subgraph does not answer: {memory.failures['graph'].sentence}.",
                "none is needed: money is read from the chain itself; see `subgraph_url` and its key",
            )
        )
    return found


def _advice(memory: StreamrMemory) -> list[Finding]:
    if memory.advice is None:
        return []
    sentence, remedy = memory.advice
    return [finding("stake_advice", "info", sentence, remedy)]
