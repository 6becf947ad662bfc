"""The lever of a Golem provider: `hardware.json`, which its agent watches, read back from its published offers.

The agent takes an edit up within seconds, withdraws its offers and publishes new ones; a running agreement keeps
its size. When the new offers cannot be made it is left with none and says nothing: its presets are then taken back
and given again, which makes it try anew. To give nothing its presets are taken off the market: a running agreement
goes on to its end, while stopping the agent would break it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from orch.errors import LeverError
from orch.levers.asking import grain, pause
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.levers.golem_files import (
    GIB_GB,
    hardware_of,
    presets_of,
    put_on_sale,
    take_off_sale,
    write_coefficients,
    write_profile,
)
from orch.levers.golem_price import COEFFICIENTS, Peg, Repricing, repricing
from orch.model.resources import Resources, resources
from orch.model.wire import HttpRequest, NoReply, Reply, Secret

if TYPE_CHECKING:
    from orch.levers.golem_price import GlmPrice
    from orch.model.resources import ResourceName

LOOKS = 10
"""So often offers are looked at before the agent has failed: it looks at its files every few seconds."""
TOGGLE_LOOKS = 4
NEAR = 0.01
SAME = 0.002
"""Offers state what the file says, to the rounding of GiB to GB."""
THREADS, MEMORY, STORAGE = "golem.inf.cpu.threads", "golem.inf.mem.gib", "golem.inf.storage.gib"
VECTOR, PRICES = "golem.com.usage.vector", "golem.com.pricing.model.linear.coeffs"

POSITIVE = msgspec.Meta(gt=0.0)


class GolemProviderOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent's data directory, and the daemon's address and key, to see what is published.

    `look_every_s`: seconds between two looks at the offers after an edit. `usd_per_cpu_hour` and `usd_per_hour`
    (of wall time) peg the price to USD: once the price of GLM has taken it further from them than
    `price_band_pct`, it is set anew, at most once in `price_hold_s`.
    """

    path: str
    app_key: Secret | None = None
    url: str = "http://127.0.0.1:7465"
    dwell_s: Annotated[float, msgspec.Meta(ge=0.0)] = 3600.0
    look_every_s: Annotated[float, msgspec.Meta(ge=0.1, le=60.0)] = 3.0
    usd_per_cpu_hour: Annotated[float, POSITIVE] | None = None
    usd_per_hour: Annotated[float, POSITIVE] | None = None
    price_band_pct: Annotated[float, msgspec.Meta(ge=1.0, le=100.0)] = 10.0
    price_hold_s: Annotated[float, msgspec.Meta(ge=1800.0)] = 6 * 3600.0


class _Offer(msgspec.Struct):
    properties: dict[str, Any]


class GolemProviderLever:
    """Sets the threads, the memory and the storage that an agreement gets."""

    kind = "golem_provider"
    options = GolemProviderOptions
    target = ("path",)
    cannot = (
        "take back what a running agreement has: it keeps its size and price until it ends",
        "set bandwidth, or parts of a thread",
        "keep a restarted agent without presets running: while nothing is on sale, do not restart it",
    )

    def sets(self, protocol: str, options: GolemProviderOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """Cores (whole threads), memory and storage."""
        return ("cpu_cores", "memory_gb", "storage_gb")

    def cost(self, protocol: str, options: GolemProviderOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """New offers take minutes to reach the network."""
        return CostPrior(
            downtime_s=60.0,
            settle_s=5.0,
            deadline_s=180.0,
            dwell_s=options.dwell_s,
            read_every_s=600.0,
        )

    def read(self, options: GolemProviderOptions) -> Task[LeverReading]:
        """What is offered; while nothing is, the file's word, or nothing if orch has taken it off the market.

        Raises:
            LeverError: The files cannot be read or are not the agent's, or it has not taken them up: what it will
                offer next is then not what it offers.
        """
        profile = (yield from hardware_of(options.path))[1]
        offers = yield from _offers(options)
        if offers:
            return LeverReading(allocation=_taken(profile.resources, [_offered(offer) for offer in offers]))
        presets = (yield from presets_of(options.path))[1]
        drained = bool(presets.paused) and not presets.active
        return LeverReading(allocation=profile.withdrawn if drained else profile.resources)

    def apply(self, options: GolemProviderOptions, goal: Resources) -> Task[None]:
        """Edit the active profile and wait until it is offered; with no core, wait until nothing is.

        Raises:
            LeverError: Not whole threads, not the agent's files, or the agent was left without an offer.
        """
        threads = goal.cpu_cores
        if threads is not None and abs(threads - round(threads)) > NEAR:
            raise LeverError(f"a provider has whole threads, not {threads:g}")
        if threads is not None and round(threads) < 1:
            yield from _drain(options, goal)
            return
        before, profile = yield from hardware_of(options.path)
        wanted = profile.with_goal(goal)
        yield from presets_of(options.path)
        had_offers = bool((yield from _offers(options)))
        yield from write_profile(options.path, before, wanted)
        if not (yield from put_on_sale(options.path)) and not had_offers:
            return
        sizes = resources({name: wanted.resources.get(name) for name, _ in goal.known()})
        if (yield from _taken_up(options, sizes)) or (yield from _is_busy(options)):
            return
        yield from _toggle_presets(options)
        if not (yield from _taken_up(options, sizes)):
            raise LeverError("the agent publishes no offer of this size: see its log, and restart it if need be")

    def describe(self, options: GolemProviderOptions, goal: Resources) -> str:
        """The command that does the same."""
        if goal.cpu_cores is not None and round(goal.cpu_cores) < 1:
            return f"ya-provider preset deactivate <each active one in {options.path}>"
        parts = []
        if goal.cpu_cores is not None:
            parts.append(f"--cpu-threads {goal.cpu_cores:g}")
        if goal.memory_gb is not None:
            parts.append(f"--mem-gib {goal.memory_gb / GIB_GB:.4f}")
        if goal.storage_gb is not None:
            parts.append(f"--storage-gib {goal.storage_gb / GIB_GB:.4f}")
        return f"ya-provider profile update --name <the active one in {options.path}> {' '.join(parts)}"

    # -- prices ------------------------------------------------------------------------------------------

    def peg(self, options: GolemProviderOptions) -> Peg | None:
        """What the price is pegged to; None when it is not."""
        if options.usd_per_cpu_hour is None and options.usd_per_hour is None:
            return None
        return Peg(
            cpu_usd_per_hour=options.usd_per_cpu_hour,
            wall_usd_per_hour=options.usd_per_hour,
            band_pct=options.price_band_pct,
            hold_s=options.price_hold_s,
        )

    def look_at_price(self, options: GolemProviderOptions, price: GlmPrice) -> Task[Repricing | None]:
        """What the price should be changed to; None while it is near its peg."""
        peg = self.peg(options)
        if peg is None:
            return None
        presets = (yield from presets_of(options.path))[1]
        return repricing(peg, presets, price)

    def reprice(self, options: GolemProviderOptions, order: Repricing) -> Task[None]:
        """Write new prices and wait until they are offered.

        Raises:
            LeverError: The prices are no more what they were when the order was made, or nobody takes them up.
        """
        before, presets = yield from presets_of(options.path)
        now = {each.name: each.usage_coeffs for each in presets.presets}
        if any(now.get(name, {}).get(key) != was for name, key, was, _ in order.changes):
            raise LeverError("the prices were changed by somebody else meanwhile: they are left alone")
        changes: dict[str, dict[str, float]] = {}
        for name, key, _, becomes in order.changes:
            changes.setdefault(name, {})[key] = becomes
        had_offers = bool((yield from _offers(options)))
        yield from write_coefficients(options.path, before, changes)
        if not had_offers:
            return
        for _ in range(LOOKS):
            yield from pause(options.look_every_s)
            offers = yield from _offers(options)
            if offers and all(_asks(offer, order) for offer in offers):
                return
        raise LeverError("the agent publishes no offer at the new price: see its log")


def _drain(options: GolemProviderOptions, goal: Resources) -> Task[None]:
    """Take everything off the market; what agreements have, they keep until they end."""
    before, profile = yield from hardware_of(options.path)
    yield from take_off_sale(options.path)
    wanted = profile.with_goal(goal)
    if wanted != profile:
        yield from write_profile(options.path, before, wanted)
    for _ in range(LOOKS):
        if not (yield from _offers(options)):
            return
        yield from pause(options.look_every_s)
    raise LeverError("the agent goes on offering although no preset is active: see its log")


def _asked(options: GolemProviderOptions, path: str) -> Task[bytes]:
    if options.app_key is None:
        raise LeverError("without the daemon's app_key nobody sees what is offered: configure it")
    headers = (("Authorization", Secret(value=f"Bearer {options.app_key.value}")),)
    answer: Reply | NoReply = yield HttpRequest(
        url=f"{options.url.rstrip('/')}/market-api/v1/{path}", secret_headers=headers, deadline_s=10.0
    )
    if isinstance(answer, NoReply):
        raise LeverError(f"the daemon does not say what is offered: {answer.sentence}")
    return answer.body


def _offers(options: GolemProviderOptions) -> Task[tuple[_Offer, ...]]:
    body = yield from _asked(options, "offers")
    try:
        return msgspec.json.decode(body, type=tuple[_Offer, ...])
    except msgspec.MsgspecError as error:
        raise LeverError(f"the daemon does not say what is offered: {error}") from error


def _is_busy(options: GolemProviderOptions) -> Task[bool]:
    """Whether an agreement runs: until it ends, an agent that takes one at a time offers nothing."""
    body = yield from _asked(options, "agreements?state=Approved")
    try:
        rows = msgspec.json.decode(body, type=list[dict[str, Any]])
    except msgspec.MsgspecError as error:
        raise LeverError(f"the daemon does not say what is agreed: {error}") from error
    return any(row.get("role") == "Provider" for row in rows)


def _offered(offer: _Offer) -> Resources:
    amounts = [offer.properties.get(name) for name in (THREADS, MEMORY, STORAGE)]
    if not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in amounts):
        raise LeverError("an offer does not say how much it offers")
    threads, memory_gib, storage_gib = (float(each) for each in amounts if each is not None)
    return Resources(
        cpu_cores=threads, memory_gb=grain(memory_gib * GIB_GB), storage_gb=grain(storage_gib * GIB_GB)
    )


def _asks(offer: _Offer, order: Repricing) -> bool:
    """Whether an offer asks the price of a changed preset."""
    prices = dict(zip(offer.properties.get(VECTOR, ()), offer.properties.get(PRICES, ()), strict=False))
    wanted: dict[str, dict[str, float]] = {}
    for name, key, _, becomes in order.changes:
        wanted.setdefault(name, {})[key] = becomes
    return any(
        all(
            abs(prices.get(key, -1.0) - value) <= 1e-6 * value
            for key, value in each.items()
            if key in COEFFICIENTS
        )
        for each in wanted.values()
    )


def _taken_up(options: GolemProviderOptions, goal: Resources) -> Task[bool]:
    """Whether every offer has the sizes that were set, within the time the agent needs to see an edit."""
    for _ in range(LOOKS):
        yield from pause(options.look_every_s)
        offers = yield from _offers(options)
        if offers and all(_about(_offered(offer), goal) for offer in offers):
            return True
    return False


def _taken(written: Resources, offered: list[Resources]) -> Resources:
    """What is offered, where that is what the file says: else a change is still to come, wanted or not.

    Less storage than the file's is no sign of that: an agent offers no more than its disk had free at its start.
    """
    for offer in offered:
        for name, amount in written.known():
            if name == "storage_gb" and offer.or_zero(name) < amount:
                continue
            if not math.isclose(offer.or_zero(name), amount, rel_tol=SAME, abs_tol=SAME):
                raise LeverError(
                    f"the agent offers {offer.or_zero(name):g} {name} and its file says {amount:g}: it has not "
                    "taken its file up; see its log, and restart it if need be"
                )
    return offered[0]


def _about(found: Resources, wanted: Resources) -> bool:
    return all(abs(found.or_zero(name) - amount) <= NEAR * max(1.0, amount) for name, amount in wanted.known())


def _toggle_presets(options: GolemProviderOptions) -> Task[None]:
    """Take the presets back and give them again; if nobody comes back to that, the next change does."""
    yield from take_off_sale(options.path)
    yield from pause(TOGGLE_LOOKS * options.look_every_s)
    yield from put_on_sale(options.path)


LEVER: LeverSpec = GolemProviderLever()
