"""From the configuration to what each actor is told."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from actors.adapter import NodePlan
from actors.base import adapter_name
from actors.coordinator import CoordinatorPlan
from actors.metering import MeteringPlan
from actors.optimizer import OptimizerPlan
from actors.pricing import PricingPlan
from actors.reallocation import ReallocationPlan
from orch.boot.bounded import bounded
from orch.boot.costs import cost_terms, table_terms, watts_terms
from orch.boot.trust import describer, move_limits, trusted_levers
from orch.config.resolve import HostLimits, effective_mode, resolve
from orch.config.userfiles import loaders_of
from orch.earnings.costs_now import costs_now
from orch.earnings.price_desk import PriceTerms
from orch.earnings.prices import overridden, price_now
from orch.forecast.registry import load_forecasters
from orch.levers.together import FittedLever, dwells, pauses, pegged, settable, together_cost
from orch.model.entrypoints import load_group
from orch.model.fleet import LeverState
from orch.model.problems import Budget
from orch.planning.settings import NodeTerms, PlanSettings
from orch.planning.snapshot import HostProfile, NodeProfile
from orch.protocols import registry
from orch.protocols.base import Context
from orch.reallocation.proof import DAY_S, ProofTerms
from orch.reallocation.settings import LeverTiming, SagaSettings
from orch.solvers.far import FarSolver
from orch.solvers.job import load_solver
from orch.solvers.registry import solvers_for
from orch.strategies.registry import fit_strategy, load_strategies

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.config.schema import Config, NodeConfig, OptimizerConfig
    from orch.earnings.costs import RunningCosts
    from orch.model.fleet import Mode
    from orch.model.resources import Resources
    from orch.ports import Cache
    from orch.protocols.base import ProtocolSpec
    from orch.solvers.base import Solver
    from orch.strategies.base import StrategySpec

LEVERS = "orch.levers"
CROWD, CROWD_POLL_S = 20, 10.0
"""More nodes than this, polled so often, are got to know tick by tick: all at once they would hold others up."""


@dataclass(frozen=True)
class FittedNode:
    """A configured node with its protocol and levers loaded."""

    config: NodeConfig
    spec: ProtocolSpec
    levers: tuple[FittedLever, ...]
    context: Context
    tokens: tuple[str, ...]
    cost_tokens: tuple[str, ...] = ()


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
                config=node,
                spec=spec,
                levers=levers,
                context=context,
                tokens=tokens_of(spec, node.options),
                cost_tokens=tuple(getattr(spec, "cost_tokens", ())),
            )
        )
    return Setting(config=config, host=host, mode=ceiling, limits=resolve(config, measured), nodes=tuple(nodes))


def tokens_of(spec: ProtocolSpec, options: object) -> tuple[str, ...]:
    """The tokens whose price a node's income is counted in; points without a conversion need none."""
    if getattr(options, "tokens_per_point", ...) is None:
        return ()
    return tuple(spec.tokens)


def running_costs(setting: Setting) -> RunningCosts:
    """What running costs before anything was asked: what configuration alone can say."""
    now = datetime.now(UTC)
    pinned = {each.token: each for each in overridden(setting.config.prices.override, now)}
    rates = {name: price_now(pinned, name, now) for name in currencies(setting)}
    return costs_now(cost_terms(setting.config.costs), (), None, rates, None, now)


def metering_plan(setting: Setting, cache: Cache | None = None) -> MeteringPlan | None:
    """What is asked about electricity; None when configuration says it all."""
    table, watts = table_terms(setting.config.costs), watts_terms(setting.config.costs)
    if table is None and watts is None:
        return None
    return MeteringPlan(table=table, watts=watts, cache=cache)


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
        cost_tokens=cost_tokens(setting),
        costs=running_costs(setting),
        cost_terms=cost_terms(config.costs),
        currencies=currencies(setting),
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
        levers_every_s=together_cost(node.levers).read_every_s,
        analyze_s=setting.config.cadence.analyze_s,
        in_crowd=len(setting.nodes) > CROWD and setting.config.cadence.poll_s <= CROWD_POLL_S,
    )


def optimizer_plan(setting: Setting, solver_s: float, *, elsewhere: bool = True) -> OptimizerPlan:
    """The optimizer's. Its solver may take `solver_s` real seconds for one problem.

    Without `elsewhere` slow solvers, too, are asked directly: for commands that wait for them.
    """
    chosen = setting.config.optimizer
    strategies = {**load_strategies(), **loaders_of(chosen.strategy_files)}
    loaders = {name: partial(_bounded, load) for name, load in strategies.items()}
    fitted = fit_strategy(chosen.strategy, chosen.options, loaders)
    terms = tuple(
        NodeTerms(
            node=node.config.name,
            tokens=node.tokens,
            downtime_s=together_cost(node.levers).downtime_s,
            pause_s=pauses(node.levers),
        )
        for node in setting.nodes
    )
    return OptimizerPlan(
        settings=PlanSettings(
            horizon_h=chosen.horizon_h,
            longest_horizon_h=chosen.longest_horizon_h,
            solver=chosen.solver,
            budget=Budget(seconds=solver_s),
            max_changes=setting.config.limits.max_changed_nodes,
            terms=terms,
        ),
        strategy=fitted.strategy,
        options=fitted.options,
        solvers=_solvers(chosen, elsewhere=elsewhere),
        forecaster=load_forecasters()[chosen.forecaster](),
        analyze_s=setting.config.cadence.analyze_s,
        decide_s=setting.config.cadence.decide_s,
        all_options=msgspec.msgpack.encode(chosen.options),
        describe=describer(setting),
    )


def _bounded(load: Callable[[], StrategySpec]) -> StrategySpec:
    return bounded(load())


def _solvers(chosen: OptimizerConfig, *, elsewhere: bool) -> dict[str, Solver]:
    """The solver of the configuration, what it falls back to, and the one for bounded variances."""
    solvers = {**solvers_for("conic"), **solvers_for(chosen.solver, elsewhere=elsewhere)}
    if chosen.solver_file is not None:
        there = f"{chosen.solver_file}:solve"
        solvers[chosen.solver] = FarSolver(there) if elsewhere else load_solver(there)
    return solvers


def reallocation_plan(setting: Setting) -> ReallocationPlan:
    """The reallocation engine's."""
    timing, dwell_s = {}, {}
    window_s: dict[str, float] = {}
    for node in setting.nodes:
        cost = together_cost(node.levers)
        dwell_s[node.config.name] = dwells(node.levers)
        window_s[node.config.name] = cost.verify_s or float(getattr(node.spec, "verify_s", DAY_S))
        timing[node.config.name] = LeverTiming(
            downtime_s=cost.downtime_s,
            settle_s=cost.settle_s,
            deadline_s=cost.deadline_s,
            pause_s=pauses(node.levers),
        )
    return ReallocationPlan(
        limits=move_limits(setting.config.limits, dwell_s, window_s),
        settings=SagaSettings(levers=timing),
        proof=ProofTerms(window_s=window_s),
        levers=trusted_levers(setting),
        plan_expires_s=setting.config.limits.plan_expires_s,
    )


def pricing_plan(setting: Setting, cache: Cache | None = None) -> PricingPlan:
    """The price sources', with where accepted prices are kept."""
    also_tell = tuple(adapter_name(node.config.name) for node in setting.nodes if pegged(node.levers))
    return PricingPlan(terms=price_terms(setting), cache=cache, also_tell=also_tell)


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
    tariff = setting.config.costs.tariff
    wanted = (setting.config.prices.display, tariff.currency if tariff is not None else None)
    return tuple(sorted({each for each in wanted if each is not None} - {"USD"}))


def lever_targets(setting: Setting) -> tuple[str, ...]:
    """What the levers set, each by a name that two engines on this host would share."""
    return tuple(dict.fromkeys(_target(lever) for node in setting.nodes for lever in node.levers))


def _target(lever: FittedLever) -> str:
    names = getattr(lever.lever, "target", lever.options.__struct_fields__)
    values = {name: getattr(lever.options, name) for name in names}
    # One file has many names: a link, a home directory, a dot.
    for name in ("path", "pidfile"):
        if values.get(name) is not None:
            values[name] = os.path.realpath(os.path.expanduser(values[name]))  # noqa: PTH111 - Path raises without a home
    said = ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
    return f"{lever.lever.kind} of {said}"


def _tokens(setting: Setting) -> tuple[str, ...]:
    return tuple(sorted({token for node in setting.nodes for token in (*node.tokens, *node.cost_tokens)}))


def cost_tokens(setting: Setting) -> tuple[str, ...]:
    """The tokens that no node's income is counted in."""
    income = {token for node in setting.nodes for token in node.tokens}
    return tuple(token for token in _tokens(setting) if token not in income)


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
