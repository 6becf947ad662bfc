"""The whole of alerting as one function of what was remembered, what is known now, and the time.

`look` is called at every tick. What it returns is remembered, kept over a restart (`resumed`), and told: changes
to the recorder, notices to the notifier.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.alerts.desk import Desk, Terms, dispatch, silenced, undelivered
from orch.alerts.engine import Tracked, advance, resumed
from orch.alerts.mute import INHIBITS, marked
from orch.alerts.own import OwnRule, OwnRules
from orch.alerts.reporting import ReportTerms, report_notices
from orch.alerts.rules import TIMING, Facts, check_alerts
from orch.alerts.unseen import unseen
from orch.model.alerts import Alert, Silence
from orch.model.base import Value
from orch.model.notices import Notice

if TYPE_CHECKING:
    from orch.alerts.rules import Timing
    from orch.model.board import Kpis


class Memory(Value):
    """What alerting remembers. `reported_at`: when the last report was due that has been told."""

    tracked: tuple[Tracked, ...] = ()
    desk: Desk = Desk()
    reported_at: datetime | None = None

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts, those that wait for their time too."""
        return tuple(each.alert for each in self.tracked)


class Looked(Value):
    """What came of a look: what to remember, and what to tell. `changed`: it is worth keeping at once."""

    memory: Memory
    raised: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()
    turned: tuple[Alert, ...] = ()
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None
    changed: bool = False


class Watch:
    """The rules, built-in and own, as configured.

    Args:
        rules: The operator's own.
        off: Built-in rules that are switched off.
        timing: Other times for built-in rules.
        terms: Who is told, and how.
        reports: When reports are due.
    """

    def __init__(
        self,
        rules: tuple[OwnRule, ...] = (),
        off: tuple[str, ...] = (),
        timing: dict[str, Timing] | None = None,
        terms: Terms = Terms(),  # noqa: B008 - a frozen value
        reports: ReportTerms | None = None,
    ) -> None:
        self._own = OwnRules(rules)
        self._off = frozenset(off)
        self._terms = terms
        self._reports = reports
        self._timing: dict[str, Timing] = {
            **TIMING,
            **(timing or {}),
            **{each.name: each.timing for each in rules},
        }
        self._inhibits = INHIBITS | {each.name: each.inhibited_by for each in rules if each.inhibited_by}

    @property
    def has_own(self) -> bool:
        """Whether there are rules that need all figures at every tick."""
        return bool(self._own.names)

    def look(self, memory: Memory, facts: Facts, kpis: Kpis | None = None) -> Looked:
        """Look at every rule, and at who has to be told."""
        own, own_unseen = self._own.look(facts, kpis)
        conditions = (*(each for each in check_alerts(facts) if each.rule not in self._off), *own)
        dark = unseen(facts, (each.alert.key for each in memory.tracked)) | own_unseen
        dark = frozenset(key for key in dark if key[0] in self._timing and key[0] not in self._off)
        outcome = advance(memory.tracked, conditions, facts.now, self._timing, dark)
        before = {each.alert.id: each.alert.state for each in memory.tracked}
        after = {each.alert.id: each.alert.state for each in outcome.tracked}
        found = self.tell(replace(memory, tracked=outcome.tracked), facts.now)
        return replace(
            found,
            raised=outcome.raised,
            resolved=outcome.resolved,
            turned=outcome.turned,
            changed=found.changed or before != after,
        )

    def tell(self, memory: Memory, now: datetime) -> Looked:
        """Only look at who has to be told: of the alerts as they stand, and of reports."""
        alerts = marked(memory.alerts, memory.desk.silences, now, self._inhibits)
        # One that is only kept firing stays explained: it would be told when it is over already.
        alerts = tuple(
            replace(alert, inhibited_by=alert.inhibited_by or each.alert.inhibited_by)
            if each.last_held_at < now
            else alert
            for each, alert in zip(memory.tracked, alerts, strict=True)
        )
        tracked = tuple(replace(each, alert=alert) for each, alert in zip(memory.tracked, alerts, strict=True))
        dispatched = dispatch(memory.desk, alerts, now, self._terms)
        due, reported_at = report_notices(memory.reported_at, now, self._reports, self._terms)
        after = Memory(tracked=tracked, desk=dispatched.desk, reported_at=reported_at)
        return Looked(
            memory=after,
            notices=(*dispatched.notices, *due),
            wake_at=dispatched.wake_at,
            changed=bool(dispatched.notices or due or reported_at != memory.reported_at),
        )

    def resumed(self, kept: Memory, saved_at: datetime, now: datetime) -> Memory:
        """What was kept over a restart. Nobody looked meanwhile, so nothing is over by itself.

        What was on its way then may be lost, so it is decided anew; alerts of rules that are gone are forgotten.
        """
        tracked = tuple(each for each in kept.tracked if each.alert.rule in self._timing)
        return replace(kept, tracked=resumed(tracked, min(saved_at, now), now), desk=undelivered(kept.desk))


def with_silence(
    memory: Memory, rule: str, node: str | None, now: datetime, until: datetime, comment: str
) -> Memory:
    """The same with a silence; until now lifts it."""
    silence = Silence(rule=rule, node=node, since=now, until=until, comment=comment)
    return replace(memory, desk=silenced(memory.desk, silence))
