"""Lost trust is an alert by node, and stands until a person restores it."""

from orch.alerts.rules import Facts, check_alerts
from orch.alerts.unseen import OF_HOST
from orch.model.moves import Demotion, Guards, LeverName
from tests.fakes.values import NOON, node_state, snapshot


def facts(*levers):
    guards = Guards(
        demotions=tuple(
            Demotion(lever=LeverName(node=node, kind=kind), mode=mode, since=NOON, sentence="")
            for node, kind, mode in levers
        )
    )
    return Facts(now=NOON, snapshot=snapshot(node_state("a"), node_state("b")), guards=guards)


def demoted(seen):
    return [each for each in check_alerts(seen) if each.rule == "lever_demoted"]


def test_each_node_has_one_alert_that_names_its_levers_and_the_remedy():
    first, second = demoted(facts(("b", "tc", "observe"), ("a", "cgroup", "approve"), ("a", "tc", "suggest")))

    assert (first.node, second.node) == ("a", "b")
    assert "cgroup to approve, tc to suggest" in first.sentence
    assert "orch promote a" in first.remedy


def test_without_lost_trust_there_is_none_and_without_guards_nothing_is_seen():
    assert demoted(facts()) == []
    unseen = Facts(now=NOON, snapshot=snapshot(node_state("a")))
    assert demoted(unseen) == []
    assert OF_HOST["lever_demoted"](unseen)
    assert not OF_HOST["lever_demoted"](facts())
