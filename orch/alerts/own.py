"""An operator's own rules: a threshold over named metrics, per node or for the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.alerts.expressions import Expression
from orch.alerts.metrics import METRICS, OF_A_NODE, host_metrics, node_metrics
from orch.alerts.rules import Timing
from orch.model.alerts import Condition, Severity
from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.alerts.rules import Facts
    from orch.model.board import Kpis


class OwnRule(Value):
    """One rule as configured. `when` is a condition, `cost` a figure in USD a day; both have been checked.

    With `node` it is about that one only; without, a rule that names a node's metric is about each.
    """

    name: str
    when: str
    timing: Timing
    severity: Severity = "warning"
    node: str | None = None
    sentence: str = ""
    remedy: str = ""
    cost: str | None = None
    inhibited_by: tuple[str, ...] = ()


class OwnRules:
    """All of them, parsed once."""

    def __init__(self, rules: Sequence[OwnRule]) -> None:
        self._rules = [
            (rule, Expression(rule.when), None if rule.cost is None else Expression(rule.cost)) for rule in rules
        ]
        self.names = tuple(rule.name for rule in rules)

    def look(
        self, facts: Facts, kpis: Kpis | None
    ) -> tuple[tuple[Condition, ...], frozenset[tuple[str, str | None]]]:
        """What holds now, and of which rules and nodes that cannot be said."""
        holding: list[Condition] = []
        unseen: set[tuple[str, str | None]] = set()
        host = host_metrics(facts, kpis) if self._rules else {}
        nodes = {node.name: host | node_metrics(facts, node) for node in facts.snapshot.nodes if self._rules}
        for rule, when, cost in self._rules:
            about = any(METRICS[name][0] == OF_A_NODE for name in when.metrics)
            subjects = [rule.node] if rule.node else [*nodes] if about else [None]
            for subject in subjects:
                known = host if subject is None else nodes.get(subject, {})
                holds = when.evaluate(known)
                if holds is None:
                    unseen.add((rule.name, subject))
                elif holds:
                    holding.append(_condition(rule, when, cost, subject, known))
        return tuple(holding), frozenset(unseen)


def _condition(
    rule: OwnRule, when: Expression, cost: Expression | None, node: str | None, known: dict[str, float | None]
) -> Condition:
    figures = ", ".join(f"{name} = {_shown(known[name])}" for name in when.metrics)
    subject = node or "the host"
    said = rule.sentence.replace("{node}", subject) or f"{rule.when} holds for {subject}"
    loses = None if cost is None else cost.evaluate(known)
    return Condition(
        rule=rule.name,
        node=node,
        severity=rule.severity,
        sentence=f"{said.rstrip('.')} ({figures}).",
        remedy=rule.remedy or f"It is your own rule {rule.name}: see [[alerts.rules]].",
        cost_usd_per_day=None if loses is None else float(loses),
    )


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
