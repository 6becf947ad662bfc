"""The configuration of the four emulated nodes, as a TOML file would give it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.emulator.answers_grass import TOKEN
from orch.emulator.facts import APP_KEY, FLOORS, HOST, NODES, PROTOCOLS, RESERVE, NodeName
from orch.emulator.streamr import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.emulator.asks import Service
    from orch.model.resources import Resources


APP_KEY_VARIABLE = "YAGNA_APPKEY"
GRASS_VARIABLE = "GRASS_TOKEN"


def demo_environment() -> dict[str, str]:
    """The environment variables that `demo_nodes` refers to."""
    return {APP_KEY_VARIABLE: APP_KEY, GRASS_VARIABLE: TOKEN}


def demo_nodes(urls: Mapping[Service, str]) -> dict[str, Any]:
    """The `[host]`, `[prices]` and `[nodes.*]` tables for a world behind these URLs."""
    own: dict[NodeName, dict[str, Any]] = {
        "disk": {"url": urls["storj"]},
        "compute": {
            "url": urls["golem"],
            "app_key": {"env": APP_KEY_VARIABLE},
            "provider_dir": f"{urls['control']}/provider",
        },
        "relay": {"rpc_url": urls["streamr_rpc"], "operator": OPERATOR, "info_url": urls["streamr_info"]},
        "address": {"url": urls["grass"], "token": {"env": GRASS_VARIABLE}},
    }
    return {
        "host": {**_table(HOST), "reserve": _table(RESERVE)},
        "prices": {"sources": ["coingecko"], "coingecko_url": urls["prices"]},
        "nodes": {
            node: {
                "protocol": PROTOCOLS[node],
                **own[node],
                "min": _table(FLOORS[node]),
                "levers": [{"kind": "emulated", "url": urls["control"], "node": node, "mode": "auto"}],
            }
            for node in NODES
        },
    }


def _table(amounts: Resources) -> dict[str, float]:
    return dict(amounts.known())
