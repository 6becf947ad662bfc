"""CoinGecko's `/api/v3/simple/price`, keyless: prices of the minute, unknown ids simply missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.emulator.asks import Ask, Response, json_response
from orch.emulator.facts import MINUTE
from orch.emulator.market import COINS

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """Answer one request to the price service."""
    if ask.path.rstrip("/") == "/api/v3/ping":
        return json_response({"gecko_says": "(V3) To the Moon!"})
    if ask.path.rstrip("/") != "/api/v3/simple/price":
        return json_response({"error": "Not Found"}, 404)
    parameters = ask.parameters
    wanted = [each.strip() for each in parameters.get("ids", "").split(",") if each.strip()]
    currencies = [each.strip() for each in parameters.get("vs_currencies", "").split(",") if each.strip()]
    if not wanted or not currencies:
        missing = "ids" if not wanted else "vs_currencies"
        return json_response({"error": f"Missing parameter {missing}"}, 422)
    minute = int(now.timestamp()) // MINUTE
    tokens = {coin: token for token, (coin, _, _) in COINS.items()}
    body: dict[str, dict[str, float]] = {}
    for coin in wanted:
        if coin not in tokens:
            continue
        price = world.market.usd(tokens[coin], minute)
        quote: dict[str, float] = {}
        if "usd" in currencies:
            quote["usd"] = price
            if parameters.get("include_24hr_vol") == "true":
                quote["usd_24h_vol"] = round(price * 2.5e7, 2)
        if parameters.get("include_last_updated_at") == "true":
            quote["last_updated_at"] = minute * MINUTE
        body[coin] = quote
    return json_response(body)
