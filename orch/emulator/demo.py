"""The configuration of the four emulated nodes, as a TOML file would give it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from orch.emulator import restart
from orch.emulator.answers_grass import TOKEN
from orch.emulator.answers_prices import PRICE_SOURCES
from orch.emulator.facts import APP_KEY, FLOORS, HOST, NODES, PROTOCOLS, RESERVE, NodeName
from orch.emulator.files import CONFIG, PROVIDER
from orch.emulator.handwork import ROOT
from orch.emulator.inprocess import emulated_urls
from orch.emulator.streamr import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.emulator.asks import Service
    from orch.model.resources import Resources


APP_KEY_VARIABLE = "YAGNA_APPKEY"
GRASS_VARIABLE = "GRASS_TOKEN"
RESTART = str(restart.__file__)
AGENT_S = 3.0
"""How often the provider's agent looks at its files, in seconds of its world."""
SHORTEST_LOOK_S = 0.2


def demo_environment() -> dict[str, str]:
    """The environment variables that `demo_nodes` refers to."""
    return {APP_KEY_VARIABLE: APP_KEY, GRASS_VARIABLE: TOKEN}


def unannounced(urls: Mapping[Service, str], place: str | None = None) -> dict[str, str]:
    """What nobody can find by looking at the networks' own ports, by the environment variable `orch init` reads.

    The addresses of what a real operator has elsewhere (a chain's RPC, a dashboard, prices), the operator
    contract, and where the provider's two files are: below `place`, else served.
    """
    return {
        "STREAMR_RPC_URL": urls["streamr_rpc"],
        "STREAMR_OPERATOR": OPERATOR,
        "GRASS_URL": urls["grass"],
        "YA_PROVIDER_DIR": _provider_dir(urls, place),
        "COINGECKO_URL": urls["prices"],
    }


def provider_dir(urls: Mapping[Service, str]) -> str:
    """Where the emulated provider's two files are served."""
    return f"{urls['control']}/provider"


def demo_nodes(urls: Mapping[Service, str], place: str | None = None, speed: float = 1.0) -> dict[str, Any]:
    """The `[host]`, `[prices]` and `[nodes.*]` tables for a world behind these URLs.

    `place` is the directory of the nodes' own files (in process there is one without being asked for). With it
    storage and compute are moved as on real nodes, by these files; without, by the control service alone. The
    world runs at `speed`, and with it the provider's agent.
    """
    if place is None and urls["control"] == emulated_urls()["control"]:
        place = ROOT
    own: dict[NodeName, dict[str, Any]] = {
        "disk": {"url": urls["storj"]},
        "compute": {
            "url": urls["golem"],
            "app_key": {"env": APP_KEY_VARIABLE},
            "provider_dir": _provider_dir(urls, place),
        },
        "relay": {"rpc_url": urls["streamr_rpc"], "operator": OPERATOR, "info_url": urls["streamr_info"]},
        "address": {"url": urls["grass"], "token": {"env": GRASS_VARIABLE}},
    }
    return {
        "host": {**_table(HOST), "reserve": _table(RESERVE)},
        "prices": {f"{source}_url": urls["prices"] for source in PRICE_SOURCES},
        "nodes": {
            node: {
                "protocol": PROTOCOLS[node],
                **own[node],
                "min": _table(FLOORS[node]),
                "levers": _levers(node, urls, place, speed),
            }
            for node in NODES
        },
    }


def _provider_dir(urls: Mapping[Service, str], place: str | None) -> str:
    return provider_dir(urls) if place is None else f"{place}/{PROVIDER}"


def _levers(node: NodeName, urls: Mapping[Service, str], place: str | None, speed: float) -> list[dict[str, Any]]:
    """A node's levers: the real networks' own for what they set, the control service for the rest."""
    rest: dict[str, Any] = {"kind": "emulated", "url": urls["control"], "node": node, "mode": "auto"}
    if place is None or node not in ("disk", "compute"):
        return [rest]
    if node == "disk":
        own = {
            "kind": "storj_config",
            "path": f"{place}/{CONFIG}",
            "restart": [sys.executable, "-I", RESTART, f"{urls['control']}/restart/disk"],
            "program": "emulated-storagenode",
            "mode": "auto",
        }
        return [own, {**rest, "sets": ["cpu_cores", "memory_gb", "bandwidth_mbps"]}]
    agent = {"kind": "golem_provider", "look_every_s": max(AGENT_S / speed, SHORTEST_LOOK_S), "mode": "auto"}
    return [agent, {**rest, "sets": ["bandwidth_mbps"]}]


def _table(amounts: Resources) -> dict[str, float]:
    return dict(amounts.known())
