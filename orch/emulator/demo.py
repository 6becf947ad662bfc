"""The configuration of the four emulated nodes, as a TOML file would give it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.emulator.answers_grass import TOKEN
from orch.emulator.answers_prices import PRICE_SOURCES
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


def unannounced(urls: Mapping[Service, str]) -> dict[str, str]:
    """What nobody can find by looking at the networks' own ports, by the environment variable `orch init` reads.

    The addresses of what a real operator has elsewhere (a chain's RPC, a dashboard, prices), the operator
    contract, and where the provider's two files are served.
    """
    return {
        "STREAMR_RPC_URL": urls["streamr_rpc"],
        "STREAMR_OPERATOR": OPERATOR,
        "GRASS_URL": urls["grass"],
        "YA_PROVIDER_DIR": provider_dir(urls),
        "COINGECKO_URL": urls["prices"],
    }


def provider_dir(urls: Mapping[Service, str]) -> str:
    """Where the emulated provider's two files are served."""
    return f"{urls['control']}/provider"


def demo_nodes(urls: Mapping[Service, str]) -> dict[str, Any]:
    """The `[host]`, `[prices]` and `[nodes.*]` tables for a world behind these URLs."""
    own: dict[NodeName, dict[str, Any]] = {
        "disk": {"url": urls["storj"]},
        "compute": {
            "url": urls["golem"],
            "app_key": {"env": APP_KEY_VARIABLE},
            "provider_dir": provider_dir(urls),
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
                "levers": [{"kind": "emulated", "url": urls["control"], "node": node, "mode": "auto"}],
            }
            for node in NODES
        },
    }


def _table(amounts: Resources) -> dict[str, float]:
    return dict(amounts.known())
