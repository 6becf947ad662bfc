"""What a Streamr operator should know of the nodes: their keys, their number, their ports, their own helpers."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from orch.model.readings import Finding
from orch.protocols.streamr_beats import fleet_now, silence
from orch.protocols.streamr_memory import POLYGON
from orch.protocols.streamr_money import WHOLE, newest_heartbeat, to_data
from orch.protocols.streamr_rates import effective_stake

if TYPE_CHECKING:
    from orch.protocols.streamr_memory import StreamrMemory

LEAST_POL = 0.1
"""What the node's own wizard asks for: every node key needs it, for the leader changes."""

OLD_RULES_BELOW = 3
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ENVIRONMENTS = {"polygon": POLYGON, "polygonAmoy": 80002}


def fleet_findings(memory: StreamrMemory) -> tuple[Finding, ...]:
    """What the operator should know of its nodes."""
    return (*_alive(memory), *_keys(memory), *_fleet(memory), *_node(memory), *_ports(memory))


def finding(code: str, severity: Literal["info", "warning", "page"], sentence: str, remedy: str) -> Finding:
    """A finding, in one line."""
    return Finding(code=code, severity=severity, sentence=sentence, remedy=remedy)


def redundancy(memory: StreamrMemory) -> int | None:
    """How many of the fleet's nodes do each piece of work; None while unknown, or where it cannot be read."""
    return None if memory.metadata is None else _redundancy(memory.metadata)


@lru_cache(maxsize=256)
def _redundancy(metadata: str) -> int | None:
    if not metadata.strip():
        return 1
    try:
        factor = json.loads(metadata)["redundancyFactor"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return factor if type(factor) is int and factor >= 1 else None


def autostaker(memory: StreamrMemory) -> str | None:
    """Whether the node moves the stake by itself, and how that is known; None while nothing tells."""
    heard = fleet_now(memory)
    live = [each.autostaker for each in heard.beats if each.autostaker is not None] if heard is not None else []
    if memory.setup is not None:
        return "on (configuration)" if "autostaker" in memory.setup.plugins else "off (configuration)"
    if live:
        return f"{'on' if any(live) else 'off'} (heartbeat)"
    beat = newest_heartbeat(memory)
    said = None if beat is None else _autostaker_says(beat.said)
    if said is not None:
        return f"{'on' if said else 'off'} (heartbeat)"
    roles = [value for word, value in memory.words.items() if word.startswith("role/")]
    if any(roles):
        return "possible: a node's key may move stake"
    return "off: no node's key may move stake" if roles else None


@lru_cache(maxsize=256)
def _autostaker_says(heartbeat: str) -> bool | None:
    try:
        said = json.loads(heartbeat)
    except (ValueError, RecursionError):
        return None
    enabled = said.get("autostakerEnabled") if isinstance(said, dict) else None
    return enabled if isinstance(enabled, bool) else None


def _alive(memory: StreamrMemory) -> list[Finding]:
    """What the fleet's live heartbeats say, where they can be heard."""
    fleet = fleet_now(memory)
    if fleet is None:
        return []
    silent = silence(memory)
    if silent is not None:
        return [
            finding(
                "no_live_heartbeat",
                "page",
                f"No node of the operator has published a heartbeat for {silent.total_seconds() / 60:.0f} min: "
                "peers count them all as dead, and may flag the operator.",
                "see whether a node runs, and in its log whether its RPC answers and it may publish to the "
                "coordination stream",
            )
        ]
    if not fleet.beats:
        return []  # not yet long enough
    found, factor = [], redundancy(memory)
    if factor is not None and len(fleet.beats) < factor:
        found.append(
            finding(
                "few_live_nodes",
                "warning",
                f"{len(fleet.beats)} node(s) publish heartbeats where {factor} are to do each piece of work.",
                "start the others, or lower the redundancy factor",
            )
        )
    if len({each.autostaker for each in fleet.beats if each.autostaker is not None}) > 1:
        found.append(
            finding(
                "autostaker_differs",
                "warning",
                "The autostaker is on at some nodes and off at others; only the leader acts, and that changes.",
                "enable it in the configuration of every node, or of none",
            )
        )
    hidden = [each.node_id for each in fleet.beats if not each.reachable]
    if hidden and memory.info is None:
        found.append(
            finding(
                "not_reachable",
                "warning",
                f"{len(hidden)} of {len(fleet.beats)} node(s) judge themselves not reachable from outside.",
                "open their websocket port (32200 by default) to the internet",
            )
        )
    versions = sorted({each.version for each in fleet.beats if each.version})
    if len(versions) > 1:
        found.append(
            finding(
                "versions_differ",
                "info",
                f"The operator's nodes run different versions: {', '.join(versions)}.",
                "bring the older ones up to date, one at a time",
            )
        )
    return found


def _keys(memory: StreamrMemory) -> list[Finding]:
    found = []
    if memory.nodes is not None and not memory.nodes:
        found.append(
            finding(
                "no_nodes",
                "warning",
                "The operator lists no node: nobody may publish its heartbeats.",
                "add the node's address to the operator",
            )
        )
    poor = [each for each in memory.nodes or () if memory.words.get(f"pol/{each}", WHOLE) < LEAST_POL * WHOLE]
    found += [
        finding(
            "pol_low",
            "warning",
            f"Node {each} has {to_data(memory.words[f'pol/{each}']):.3f} POL left for gas.",
            f"send it some: at least {LEAST_POL:g} POL, to every node's key, for the leader changes",
        )
        for each in poor
    ]
    version = memory.words.get("version")
    if version is not None and version < OLD_RULES_BELOW:
        found.append(
            finding(
                "old_contract",
                "info",
                f"The Operator contract has version {version}: older rules for kicks and slashing hold.",
                "read the network's notes on upgrading the contract",
            )
        )
    return found


def _fleet(memory: StreamrMemory) -> list[Finding]:
    found, factor = [], redundancy(memory)
    if memory.metadata is not None and factor is None:
        found.append(
            finding(
                "metadata_malformed",
                "warning",
                "The operator's metadata on the chain has no valid redundancy factor: no node will start with it.",
                "set the redundancy factor anew (a whole number from 1)",
            )
        )
    if factor is not None and memory.nodes and len(memory.nodes) < factor:
        found.append(
            finding(
                "too_few_nodes",
                "warning",
                f"The operator lists {len(memory.nodes)} node(s) where {factor} are to do each piece of work.",
                "add a node on another host, or lower the redundancy factor",
            )
        )
    state = autostaker(memory) or ""
    if state.startswith("on"):
        trapped = [
            each
            for each in (() if memory.earnings is None else memory.earnings.sponsorships)
            if memory.words.get(f"penalty/{each}") and effective_stake(memory, each)
        ]
        if trapped:
            found.append(
                finding(
                    "autostaker_trap",
                    "warning",
                    f"The autostaker will try to leave {', '.join(trapped)} within its penalty period: "
                    "its runs fail, cost gas and leave money idle until the period ends.",
                    "switch the autostaker off until then, or leave that stake to it alone afterwards",
                )
            )
    return found


def _node(memory: StreamrMemory) -> list[Finding]:
    found = []
    failure = memory.failures.get("info")
    if failure is not None and failure.reason == "unauthorised":
        found.append(
            finding(
                "info_key_refused",
                "warning",
                "The node refuses the key for /info.",
                "set `info_key` to one of the keys in the node's `apiAuthentication`",
            )
        )
    if failure is not None and failure.reason == "refused" and (autostaker(memory) or "").startswith("on"):
        found.append(
            finding(
                "autostaker_waits",
                "warning",
                "The node's HTTP port is closed while its autostaker is on: it may wait for a first heartbeat.",
                "see whether the node may publish its heartbeats; its port opens after the first",
            )
        )
    environment = None if memory.setup is None else memory.setup.environment
    if (
        environment is not None
        and ENVIRONMENTS.get(environment, memory.options.chain_id) != memory.options.chain_id
    ):
        found.append(
            finding(
                "other_environment",
                "warning",
                f"The node's configuration names the network {environment}, "
                f"orch reads chain {memory.options.chain_id}.",
                "set `chain_id` and `rpc_url` to the node's network, or correct the node",
            )
        )
    info = memory.info
    if info is None or memory.options.info_url is None:
        return found
    if not info.reachable:
        found.append(
            finding(
                "not_reachable",
                "warning",
                "The node judges itself not reachable from outside.",
                "open its websocket port (32200 by default) to the internet",
            )
        )
    if info.lonely_parts:
        found.append(
            finding(
                "partitions_alone",
                "warning",
                f"{info.lonely_parts} stream partition(s) have no neighbour.",
                "if it lasts, restart the node while no flag is open",
            )
        )
    return found


def _ports(memory: StreamrMemory) -> list[Finding]:
    """Ports that answer without a key. The node has no setting for the address: it listens on all of them."""
    options, found = memory.options, []
    answered = dict(memory.open_to_all)
    if memory.info is not None and options.info_key is None:
        answered["info"] = True
    hosts = {"info": options.info_url, "websocket": options.websocket_url}
    public: list[str] = []
    local: list[str] = []
    for name, is_open in sorted(answered.items()):
        url = hosts.get(name)
        if is_open and url is not None:
            parts = urlsplit(url)
            (local if parts.hostname in LOOPBACK else public).append(f"{parts.port or 80} ({name})")
    if public:
        found.append(
            finding(
                "info_open",
                "warning",
                f"SECURITY: the node answers anybody without a key on port {', '.join(public)}.",
                "set `apiAuthentication` in the node's configuration, or publish the port on 127.0.0.1 only",
            )
        )
    wide = [] if memory.setup is None else [f"{port} ({name})" for port, name in memory.setup.open_ports]
    if wide:
        found.append(
            finding(
                "ports_open",
                "warning",
                f"SECURITY: the node's configuration opens port {', '.join(wide)} on all addresses without a key.",
                "set `apiAuthentication` in it, or publish the ports on 127.0.0.1 only",
            )
        )
    elif local:
        found.append(
            finding(
                "no_key_on_loopback",
                "info",
                f"The node answers without a key on port {', '.join(local)}: any web page open on this host can "
                "ask it, and others too unless the port is published on 127.0.0.1 only.",
                "set `apiAuthentication` in the node's configuration",
            )
        )
    return found
