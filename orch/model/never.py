"""What orch never does, whatever the gain: the one place that says so.

Every request to the outside world passes `forbidden` in the transport, and every move `forbidden_moves` before it
begins. An operator's own script is theirs: only its words are looked at, not what it does.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from orch.model.plans import Blocker
from orch.model.resources import TOLERANCE
from orch.model.wire import CommandRun, FileRead, FileWrite, HttpRequest, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orch.model.fleet import NodeState
    from orch.model.resources import Resources

LEAVING = re.compile(r"graceful[-_]?exit|(exit|forget)[-_](untrusted[-_])?satellites?", re.IGNORECASE)
CHAIN_READS = re.compile(r"eth_(get\w+|call|chainId|gasPrice|blockNumber|feeHistory|estimateGas)|net_\w+|web3_\w+")
"""Calls to a chain that sign nothing and send nothing. Everything that changes it needs a signature."""
FORCED = re.compile(r"forceUnstake", re.IGNORECASE)
DELETING = frozenset({"rm", "rmdir", "unlink", "shred", "wipefs", "blkdiscard", "dd", "prune", "-delete"})
FORMATTING = re.compile(r"mk(e2)?fs(\.\w+)?|mkswap")
REMOVING = frozenset({"remove", "delete", "kill", "prune"})
KEYS = frozenset({".key", ".pem", ".keystore"})
KEY_PLACES = frozenset({"keystore", "keystores", "wallet", "wallets", ".streamr"})


def forbidden(request: Request) -> str | None:
    """Why a request is never made; None when it may be."""
    match request:
        case HttpRequest(url=url, body=body):
            if LEAVING.search(url) or LEAVING.search((body or b"").decode(errors="replace")):
                return "orch never takes a node out of a Storj satellite"
            return _on_chain(body) if request.method == "POST" and body else None
        case FileRead(path=path) if PurePosixPath(path).suffix in KEYS:
            return f"orch never reads a key: {path}"
        case FileWrite(path=path) if _is_key(PurePosixPath(path)):
            return f"orch never writes where keys are: {path}"
        case CommandRun(argv=argv):
            return _of_program(argv)
        case ToolCall(action=action) if action in REMOVING:
            return f"orch never removes anything: {request.tool} {action}"
        case _:
            return None


def _on_chain(body: bytes) -> str | None:
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    for call in found if isinstance(found, list) else [found]:
        if not isinstance(call, dict) or "jsonrpc" not in call:
            continue
        method = str(call.get("method"))
        if not CHAIN_READS.fullmatch(method):
            return f"orch never signs and never sends a transaction, such as forceUnstake: {method}"
    return None


def _is_key(path: PurePosixPath) -> bool:
    return path.suffix in KEYS or not KEY_PLACES.isdisjoint(path.parts)


def _of_program(argv: tuple[str, ...]) -> str | None:
    words = [word for argument in argv for word in re.split(r"[\s;&|()`$]+", argument) if word]
    for word in words:
        name = PurePosixPath(word).name
        if LEAVING.search(word):
            return f"orch never takes a node out of a Storj satellite: {word}"
        if FORCED.search(word):
            return f"orch never unstakes by force: {word}"
        if name in DELETING or FORMATTING.fullmatch(name):
            return f"orch never deletes data: {name}"
    return None


def forbidden_moves(nodes: Iterable[NodeState], goal: Mapping[str, Resources]) -> Iterator[Blocker]:
    """What is never done to nodes: taking what one needs to live, a second Grass device behind one address.

    A Streamr node's floor is the most it is known to need while stake is at risk; its reading says it.
    """
    states = tuple(nodes)
    for state in states:
        if state.name in goal:
            yield from _below_floor(state, goal[state.name])
    yield from _second_device([state for state in states if state.protocol == "grass"], goal)


def _below_floor(state: NodeState, goal: Resources) -> Iterator[Blocker]:
    for name, wanted in goal.known():
        has, floor = state.allocation.get(name), state.floor.get(name)
        if has is None or floor is None or wanted >= has:
            continue
        if wanted < floor - TOLERANCE * max(1.0, floor):
            yield Blocker(
                code="PROTECTED_FLOOR",
                sentence=f"{state.name} must keep {floor:g} {name}; it cannot go down to {wanted:g}.",
                node=state.name,
            )


def _second_device(devices: list[NodeState], goal: Mapping[str, Resources]) -> Iterator[Blocker]:
    """One host has one address, and the network counts one device behind it: a second earns nothing."""
    runs = {state.name: _runs(state.allocation) for state in devices}
    after = {
        state.name: _runs(goal[state.name].filled(state.allocation)) for state in devices if state.name in goal
    }
    running = [name for name, on in {**runs, **after}.items() if on]
    for name in sorted(running):
        if len(running) > 1 and not runs[name]:
            yield Blocker(
                code="INFEASIBLE",
                sentence=f"{name} would be a second Grass device behind this host's address.",
                node=name,
            )


def _runs(has: Resources) -> bool:
    """Whether a node is given anything; one whose cores nobody knows is taken to run."""
    return has.cpu_cores is None or has.cpu_cores > 0.0
