"""Beside the emulator: what a real operator has elsewhere, found at the emulator's own ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orch.discovery.knock import Opened
    from orch.discovery.proposal import Given


def companions(
    given: Given, prices_url: str | None, opened: tuple[Opened, ...]
) -> tuple[Given, str | None, dict[str, Any]]:
    """What was given, completed by the emulated provider's files and prices, and the emulated host's tables.

    Nothing real is ever completed so: only what says itself that it is emulated counts.
    """
    from msgspec.structs import replace

    from orch.discovery.knock import EMULATED_HEADER, ask_all
    from orch.emulator.demo import demo_nodes, provider_dir
    from orch.emulator.shell import DEFAULT_PORTS, LOOPBACK
    from orch.model.wire import HttpRequest

    urls = {service: f"http://{LOOPBACK}:{port}" for service, port in DEFAULT_PORTS.items()}
    provider, prices = ask_all(
        [
            HttpRequest(url=f"{provider_dir(urls)}/hardware.json", deadline_s=1.0),
            HttpRequest(url=f"{urls['prices']}/api/v3/simple/price?ids=golem&vs_currencies=usd", deadline_s=1.0),
        ]
    )
    golem = any(each.emulated for each in opened if each.network == "golem")
    if golem and given.provider_dir is None and _emulated(provider.headers, EMULATED_HEADER):
        given = replace(given, provider_dir=provider_dir(urls))
    if prices_url is None and _emulated(prices.headers, EMULATED_HEADER):
        prices_url = urls["prices"]
    tables = demo_nodes({**urls, "prices": prices_url or urls["prices"]})
    return given, prices_url, {"host": tables["host"], "prices": tables["prices"]}


def _emulated(headers: tuple[tuple[str, str], ...], wanted: str) -> bool:
    return any(name.lower() == wanted for name, _ in headers)
