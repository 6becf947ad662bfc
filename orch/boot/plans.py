"""From the configuration to what each actor is told."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.adapter import NodePlan
from actors.coordinator import CoordinatorPlan
from actors.optimizer import OptimizerPlan
from actors.pricing import PricingPlan
from actors.reallocation import ReallocationPlan
from orch.config.resolve import HostLimits, effective_mode, flat_usd_per_kwh, resolve
from orch.earnings.costs import RunningCosts
from orch.earnings.price_desk import PriceTerms
from orch.levers.together import FittedLever, settable, together_cost
from orch.model.entrypoints import load_group
from orch.model.fleet import LeverState
from orch.model.problems import Budget
from orch.planning.settings import NodeTerms, PlanSettings
from orch.planning.snapshot import HostProfile, NodeProfile
from orch.protocols import registry
from orch.protocols.base import Context
from orch.reallocation.settings import LeverTiming, MoveLimits, SagaSettings
from orch.solvers.registry import solvers_for
from orch.strategies.registry import load_strategies

if TYPE_CHECKING:
    from orch.config.schema import Config, NodeConfig
    from orch.model.fleet import Mode
    from orch.model.resources import Resources
    from orch.ports import Cache
    from orch.protocols.base import ProtocolSpec

LEVERS = "orch.levers"


@dataclass(frozen=True)
class FittedNode:
    """A configured node with its protocol and levers loaded."""

    config: NodeConfig
    spec: ProtocolSpec
    levers: tuple[FittedLever, ...]
    context: Context
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """A configuration with everything resolved and loaded."""

    config: Config
    host: str
    mode: Mode
    limits: HostLimits
    nodes: tuple[FittedNode, ...]


def make_setting(config: Config, *, host: str, measured: Resources, mode: Mode | None = None) -> Setting:
    """Load what a configuration names, and resolve its amounts. Raises ConfigError with every fault."""
    ceiling = mode or config.mode
    kinds = load_group(LEVERS)
    nodes = []
    for node in config.nodes:
        spec = registry.load(node.protocol)
        levers = tuple(
            FittedLever(
                spec=kinds[lever.kind](),
                options=lever.options,
                mode=effective_mode(ceiling, node.mode, lever.mode),
                protocol=node.protocol,
            )
            for lever in node.levers
        )
        context = Context(node=node.name, host=host, base_dir=str(config.base_dir))
        nodes.append(
            FittedNode(
                config=node, spec=spec, levers=levers, context=context, tokens=tokens_of(spec, node.options)
            )
        )
    return Setting(config=config, host=host, mode=ceiling, limits=resolve(config, measured), nodes=tuple(nodes))


def tokens_of(spec: ProtocolSpec, options: object) -> tuple[str, ...]:
    """The tokens whose price a node's income is counted in; points without a conversion need none."""
    if getattr(options, "tokens_per_point", ...) is None:
        return ()
    return tuple(spec.tokens)


def running_costs(setting: Setting) -> RunningCosts:
    """What running costs, or nothing known."""
    costs = setting.config.costs
    if costs.watts_idle is None or costs.watts_per_core is None:
        return RunningCosts()
    return RunningCosts(
        usd_per_kwh=flat_usd_per_kwh(costs),
        watts_idle=costs.watts_idle,
        watts_per_core=costs.watts_per_core,
    )


def coordinator_plan(setting: Setting) -> CoordinatorPlan:
    """The coordinator's."""
    config = setting.config
    return CoordinatorPlan(
        host=HostProfile(
            host=setting.host,
            capacity=setting.limits.capacity,
            reserve=setting.limits.reserve,
            horizon_h=config.optimizer.horizon_h,
            silent_after_s=max(300.0, 5 * config.cadence.poll_s),
        ),
        nodes=tuple(_profile(setting, node) for node in setting.nodes),
        tokens=_tokens(setting),
        costs=running_costs(setting),
        poll_s=config.cadence.poll_s,
        stale_after_s=config.prices.stale_after_s,
        unknown_after_s=config.prices.unknown_after_s,
    )


def node_plan(setting: Setting, node: FittedNode) -> NodePlan:
    """One adapter's."""
    from orch.system.host import ProcessUsage

    target = node.config.pidfile or node.config.process
    return NodePlan(
        context=node.context,
        spec=node.spec,
        options=node.config.options,
        levers=node.levers,
        seed=zlib.crc32(f"{setting.host}/{node.config.name}".encode()),
        measure=None if target is None else ProcessUsage(target).used,
    )


def optimizer_plan(setting: Setting, solver_s: float) -> OptimizerPlan:
    """The optimizer's. Its solver may take `solver_s` real seconds for one problem."""
    chosen = setting.config.optimizer
    strategy = load_strategies()[chosen.strategy]()
    terms = tuple(
        NodeTerms(node=node.config.name, tokens=node.tokens, downtime_s=together_cost(node.levers).downtime_s)
        for node in setting.nodes
    )
    return OptimizerPlan(
        settings=PlanSettings(
            horizon_h=chosen.horizon_h, solver=chosen.solver, budget=Budget(seconds=solver_s), terms=terms
        ),
        strategy=strategy,
        options=chosen.options.get(chosen.strategy) or strategy.options(),
        solvers=solvers_for(chosen.solver, elsewhere=True),
        analyze_s=setting.config.cadence.analyze_s,
        decide_s=setting.config.cadence.decide_s,
    )


def reallocation_plan(setting: Setting) -> ReallocationPlan:
    """The reallocation engine's."""
    timing, dwell_s = {}, {}
    for node in setting.nodes:
        cost = together_cost(node.levers)
        dwell_s[node.config.name] = cost.dwell_s
        timing[node.config.name] = LeverTiming(
            downtime_s=cost.downtime_s, settle_s=cost.settle_s, deadline_s=cost.deadline_s
        )
    limits = setting.config.limits
    return ReallocationPlan(
        limits=MoveLimits(
            min_hold_s=limits.min_hold_s, max_moves_per_hour=limits.max_reallocations_per_hour, dwell_s=dwell_s
        ),
        settings=SagaSettings(levers=timing),
    )


def pricing_plan(setting: Setting, cache: Cache | None = None) -> PricingPlan:
    """The price sources', with where accepted prices are kept."""
    return PricingPlan(terms=price_terms(setting), cache=cache)


def price_terms(setting: Setting) -> PriceTerms:
    """Which prices are wanted, and of whom: those that income is counted in, and the rates of currencies."""
    prices = setting.config.prices
    return PriceTerms(
        tokens=(*_tokens(setting), *currencies(setting)),
        names=prices.names,
        urls=prices.urls,
        overrides=prices.override,
        refresh_s=prices.refresh_s,
        unknown_after_s=prices.unknown_after_s,
        coingecko_key=prices.coingecko_key,
    )


def currencies(setting: Setting) -> tuple[str, ...]:
    """The currencies besides USD that people are shown, or that electricity is paid in."""
    wanted = {setting.config.prices.display} - {None, "USD"}
    return tuple(sorted(each for each in wanted if each is not None))


def lever_targets(setting: Setting) -> tuple[str, ...]:
    """What the levers set, each by a name that two engines on this host would share."""
    return tuple(
        f"{node.config.name} {lever.lever.kind} {lever.options!r}"
        for node in setting.nodes
        for lever in node.levers
    )


def _tokens(setting: Setting) -> tuple[str, ...]:
    return tuple(sorted({token for node in setting.nodes for token in node.tokens}))


def _profile(setting: Setting, node: FittedNode) -> NodeProfile:
    sets = settable(node.levers)
    return NodeProfile(
        name=node.config.name,
        protocol=node.config.protocol,
        limits=setting.limits.nodes[node.config.name],
        levers=tuple(
            LeverState(
                kind=lever.lever.kind, sets=tuple(name for name in lever.sets() if name in sets), mode=lever.mode
            )
            for lever in node.levers
        ),
        findings=node.config.findings,
    )
