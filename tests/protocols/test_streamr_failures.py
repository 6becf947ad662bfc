"""Streamr's ways to fail, one test each: what orch sees of it, what it says, and that no money comes or goes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from orch.model.wire import Reply, Secret
from orch.protocols.streamr import PROTOCOL
from tests.fakes.streamr import (
    LATER,
    NEWEST,
    NOW,
    STAKES,
    WHOLE,
    Teller,
    begin,
    codes,
    facts,
    mined,
    outcome,
    reading,
    silence,
)

WITH_INFO = {"info_url": "http://127.0.0.1:7171"}


@pytest.fixture
def tell(answers):
    return Teller(answers("streamr"))


def same_money(before, after):
    return reading(before).accruals == reading(after).accruals and reading(before).pace == reading(after).pace


def test_info_plugin_absent_means_local_diagnostics_off_and_not_that_the_node_is_down(tell):
    memory = tell(*WHOLE, memory=begin(**WITH_INFO))
    failure, after = outcome(memory, "info", silence("refused"))
    assert (failure.reason, failure.vital) == ("refused", False)
    assert reading(after).health == "online"
    assert facts(after)["local diagnostics"] == "off"
    assert same_money(memory, after)


def test_an_autostaker_without_heartbeats_keeps_the_port_closed(tell):
    memory = tell(*WHOLE, "setup_open_ports", memory=begin(config_path="node.json", **WITH_INFO))
    failure, after = outcome(memory, "info", silence("refused"))
    assert failure.reason == "refused"
    assert "autostaker_waits" in codes(after)
    assert "autostaker_waits" not in codes(memory)


@pytest.mark.parametrize("situation", ["info_401", "info_403"])
def test_an_api_key_that_is_missing_or_wrong_is_told(tell, situation):
    failure, after = tell.fail(situation, tell(*WHOLE, memory=begin(**WITH_INFO)))
    assert (failure.reason, failure.retryable) == ("unauthorised", False)
    assert "info_key_refused" in codes(after)


@pytest.mark.parametrize("situation", ["info_buffer", "info_indexed", "info_proxied"])
def test_both_shapes_of_byte_arrays_and_a_proxied_part_are_read(tell, situation):
    failure, after = tell.fail(situation, begin(**WITH_INFO))
    assert failure is None
    assert after.info.node_id == "112233"
    assert after.info.lonely_parts == 0, "a proxied part states no neighbours, which is not none"


def test_an_rpc_that_is_down_from_the_start_leaves_health_and_money_unknown():
    failure, after = outcome(begin(), "block", silence("refused"))
    assert (failure.reason, failure.vital) == ("refused", True)
    assert reading(after).health == "unknown"
    assert (reading(after).accruals, reading(after).pace) == ((), None)


def test_an_rpc_that_dies_is_told_though_the_node_goes_on_answering(tell):
    memory = tell(*WHOLE, "info_buffer", memory=begin(**WITH_INFO))
    failure, after = outcome(memory, "block", silence("timeout"))
    assert failure.reason == "timeout"
    assert reading(after).health == "degraded"
    assert "the chain cannot be read" in reading(after).health_reason
    assert same_money(memory, after)


def test_an_autostaker_with_stake_in_a_penalty_period_is_trapped(tell):
    memory = tell(*WHOLE, *STAKES, "penalty_second", memory=begin(config_path="node.json"))
    assert "autostaker_trap" not in codes(memory)
    assert "autostaker_trap" in codes(tell("setup_open_ports", memory=memory))


def test_an_autostaker_on_a_node_that_may_not_lead_is_seen_by_its_keys_role(tell):
    memory = tell(*WHOLE, "nodes_one", "role_none")
    assert facts(memory)["autostaker"].startswith("off")
    beatless = replace(memory, events=tuple(each for each in memory.events if each.kind != "heartbeat"))
    assert facts(tell("role_controller", memory=beatless))["autostaker"].startswith("possible")


@pytest.mark.parametrize(
    ("situation", "reason"),
    [("429_block", "rate_limited"), ("block_backwards", "absurd"), ("time_backwards_block", "absurd")],
    ids=["rate limited", "blocks go backwards", "block time goes backwards"],
)
def test_an_rpc_that_is_limited_or_goes_backwards_is_a_dropped_sample(tell, situation, reason):
    memory = tell(*WHOLE, *STAKES, *LATER)
    failure, after = tell.fail(situation, memory)
    assert failure.reason == reason
    assert same_money(memory, after)


def test_an_rpc_that_lags_is_told(tell):
    failure, after = tell.fail("lagging_block", begin())
    assert failure is None
    assert (reading(after).health, "15 min behind" in reading(after).health_reason) == ("degraded", True)


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        ("graph_402", "http_status"),
        ("graph_429", "rate_limited"),
        ("graph_errors_200", "shape"),
        ("graph_unknown_operator", "shape"),
        ("graph_negative", "shape"),
    ],
)
def test_a_subgraph_that_fails_leaves_the_money_to_the_chain(tell, situation, reason):
    memory = tell(*WHOLE, *STAKES, *LATER, memory=begin(subgraph_url="https://graph.example/sub"))
    failure, after = tell.fail(situation, memory)
    assert failure.reason == reason
    assert same_money(memory, after)
    assert reading(after).health == "online"


def test_a_stale_subgraph_is_marked_with_its_block_and_one_gone_backwards_is_refused(tell):
    memory = tell(*WHOLE, "graph_behind", memory=begin(subgraph_url="https://graph.example/sub"))
    assert "subgraph_behind" in codes(memory)
    assert facts(memory)["subgraph"] == f"as of block {NEWEST - 9000}"
    fresh = tell("graph_healthy", memory=memory)
    assert "subgraph_behind" not in codes(fresh)
    failure, _ = tell.fail("graph_behind", fresh)
    assert failure.reason == "absurd"


def test_earnings_that_fall_between_samples_make_no_rate_and_no_loss(tell):
    memory = tell(*WHOLE, *STAKES)
    fallen = tell("next_block", "later_logs", "fallen_earnings", memory=memory)
    assert reading(fallen).pace is None
    earned = [each for each in reading(fallen).accruals if each.kind == "earned"]
    assert all(each.amounts.total >= 0 for each in earned)


def test_a_withdrawal_between_samples_makes_no_rate(tell):
    memory = tell("next_block", "withdrawal_between_logs", "after_withdrawal_earnings", memory=tell(*WHOLE))
    assert reading(memory).pace is None


@pytest.mark.parametrize(
    ("history", "code"),
    [("old_heartbeat_history", "heartbeat_old"), ("strangers_heartbeat_history", "node_not_listed")],
    ids=["a stream registry without the newer call: publishing fails", "a node key that is not paired"],
)
def test_a_node_that_cannot_publish_is_seen_by_its_heartbeat(tell, history, code):
    memory = tell("healthy_block", history, "healthy_earnings", "nodes_one")
    assert codes(memory) == {code}


def test_a_heartbeat_of_another_shape_is_refused(tell):
    failure, _ = tell.fail("crooked_heartbeat_history", tell("healthy_block"))
    assert failure.reason == "shape"


@pytest.mark.parametrize(
    ("situation", "factor", "found"),
    [
        ("metadata_malformed", None, {"metadata_malformed"}),
        ("metadata_empty", "1", set()),
        ("metadata_one", "1", set()),
        ("metadata_two", "2", {"too_few_nodes"}),
    ],
)
def test_malformed_metadata_lets_no_node_start(tell, situation, factor, found):
    memory = tell(*WHOLE, "nodes_one", situation)
    assert facts(memory).get("redundancy factor") == factor
    assert codes(memory) == found


def test_a_node_without_geo_data_is_as_well_as_any(tell):
    memory = tell(*WHOLE, "info_proxied", memory=begin(**WITH_INFO))
    assert reading(memory).health == "online"


def test_a_process_that_exits_is_told_by_its_silence_and_its_old_heartbeat(tell):
    memory = tell("healthy_block", "old_heartbeat_history", "healthy_earnings", memory=begin(**WITH_INFO))
    failure, after = outcome(memory, "info", silence("refused"))
    assert failure.reason == "refused"
    assert "heartbeat_old" in codes(after)


def test_an_insolvent_sponsorship_still_says_that_it_runs(tell):
    memory = tell(*WHOLE, *STAKES, "running_yes", "solvent_soon")
    assert "sponsorship_dry" in codes(memory)
    assert "sponsorship_stopped" not in codes(memory)
    assert "sponsorship_stopped" in codes(tell("running_no", memory=memory))


def test_another_node_id_after_a_restart_or_of_a_second_node_is_the_same_operator(tell):
    memory = tell(*WHOLE, *STAKES, *LATER, "info_buffer", memory=begin(**WITH_INFO))
    other = replace(memory, info=replace(memory.info, node_id="445566"))
    assert same_money(memory, other)
    assert reading(other).node == "relay"


@pytest.mark.parametrize(("situation", "found"), [("version_old", {"old_contract"}), ("version_new", set())])
def test_an_old_operator_contract_has_older_rules(tell, situation, found):
    assert codes(tell(*WHOLE, situation)) == found


def test_tokens_of_a_test_network_have_another_unit_and_so_no_price(tell):
    memory = tell(
        "healthy_block", "chain_amoy", "healthy_history", "healthy_earnings", memory=begin(chain_id=80002)
    )
    found = reading(memory)
    assert {each.unit for each in found.accruals} == {"DATA@80002"}
    assert {each.unit for each in found.outlooks} == {"DATA@80002"}
    assert "test_tokens" in codes(memory)


def test_a_configuration_for_another_network_is_told(tell):
    assert "other_environment" in codes(tell(*WHOLE, "setup_amoy", memory=begin(config_path="node.json")))


# -- the rest of the health section ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situation", "severity"),
    [("queue_empty", None), ("queue_waiting", "warning"), ("queue_nearly_forced", "page")],
)
def test_a_queue_of_delegators_warns_and_then_pages(tell, situation, severity):
    found = {each.code: each for each in reading(tell(*WHOLE, situation)).findings}
    assert (found["queue_waiting"].severity if "queue_waiting" in found else None) == severity


def test_a_queue_that_is_cut_off_is_refused(tell):
    failure, _ = tell.fail("queue_cut_off", tell(*WHOLE))
    assert failure.reason == "shape"


@pytest.mark.parametrize(
    ("situations", "found"),
    [
        (("nodes_one", "pol_enough"), set()),
        (("nodes_one", "pol_low"), {"pol_low"}),
        (("nodes_none",), {"no_nodes", "node_not_listed"}),
        (("min_stake", *STAKES), set()),
        (("min_stake_raised", *STAKES), {"stake_below_minimum"}),
    ],
)
def test_keys_nodes_and_minimum(tell, situations, found):
    assert codes(tell(*WHOLE, *situations)) == found


def test_ports_that_want_no_key_are_a_security_finding_and_the_private_key_is_never_kept(tell):
    memory = tell(*WHOLE, "setup_open_ports", memory=begin(config_path="node.json"))
    (finding,) = [each for each in reading(memory).findings if each.code == "ports_open"]
    assert "7170 (websocket)" in finding.sentence
    assert "1884 (mqtt)" in finding.sentence
    assert "7171 (http)" in finding.sentence
    assert "(info)" not in finding.sentence, "its own key protects it"
    assert "ab" * 32 not in repr(memory)
    assert "s3cret" not in repr(memory)
    assert "ports_open" not in codes(tell(*WHOLE, "setup_keys", memory=begin(config_path="node.json")))


@pytest.mark.parametrize("situation", ["setup_truncated", "setup_crooked"])
def test_a_configuration_file_that_cannot_be_read_shows_nothing_of_itself(tell, situation):
    failure, after = tell.fail(situation, begin(config_path="node.json"))
    assert failure.reason == "shape"
    assert "ab" * 8 not in failure.sentence
    assert after.setup is None


def test_a_missing_configuration_file_is_a_typed_failure_and_no_trouble_for_the_node(tell):
    memory = tell(*WHOLE, memory=begin(config_path="node.json"))
    failure, after = outcome(memory, "setup", silence("missing_file"))
    assert failure.reason == "missing_file"
    assert reading(after).health == "online"


def test_an_answer_without_the_key_that_was_given_is_an_open_port(tell):
    options = {"info_url": "http://192.0.2.1:7171", "info_key": Secret(value="k")}
    memory = tell(*WHOLE, "info_buffer", memory=begin(websocket_url="http://192.0.2.1:7170", **options))
    asked = {each.key: each.request for each in PROTOCOL.endpoints(memory, NOW)}
    assert asked["open/info"].secret_headers == ()
    assert ("Upgrade", "websocket") in asked["open/websocket"].headers
    assert "info_open" not in codes(memory)
    answer = Reply(status=200, headers=(), body=b"{}", received_at=NOW, elapsed_s=0.1)
    _, opened = outcome(memory, "open/info", answer)
    failure, opened = outcome(opened, "open/websocket", silence("http_status", 101))
    assert failure is None, "it is what was to be found out"
    (finding,) = [each for each in reading(opened).findings if each.code == "info_open"]
    assert "7171 (info)" in finding.sentence
    assert "7170 (websocket)" in finding.sentence
    _, closed = outcome(opened, "open/info", silence("unauthorised", 401))
    failure, closed = outcome(closed, "open/websocket", silence("unauthorised", 401))
    assert failure is None
    assert "info_open" not in codes(closed)


# -- clocks, order, repetition ---------------------------------------------------------------------------


def test_a_clock_that_steps_back_or_forward_changes_no_money(tell):
    memory = tell(*WHOLE, *STAKES, *LATER)
    for now in (NOW - timedelta(days=3), NOW - timedelta(minutes=30)):
        assert reading(memory, now).accruals == reading(memory).accruals
        assert reading(memory, now).pace == reading(memory).pace
    assert reading(memory, NOW + timedelta(days=2)).pace is None, "what is so old says nothing of now"
    assert reading(memory, NOW + timedelta(days=2)).health == "unknown"


def test_a_block_from_a_clock_far_behind_is_refused_and_heals(tell):
    failure, memory = tell.fail("next_block", tell(*WHOLE), now=NOW - timedelta(days=2))
    assert failure.reason == "absurd"
    failure, _ = tell.fail("next_block", memory)
    assert failure is None


def test_the_same_answers_again_change_nothing(tell):
    memory = tell(*WHOLE, *STAKES, *LATER)
    again = tell("next_block", "later_logs", "later_earnings", memory=memory)
    assert same_money(memory, again)
    assert again.slopes == memory.slopes


def test_earnings_of_an_older_block_that_come_late_are_dropped(tell):
    memory = tell(*WHOLE, *STAKES, *LATER)
    late = tell("healthy_earnings", memory=memory)
    assert same_money(memory, late)


def test_an_event_that_a_reorganisation_took_back_is_gone_when_its_blocks_are_read_again(tell):
    memory = tell(*WHOLE)
    block = NEWEST - 10
    extra = replace(memory.events[0], block=block, index=99, mined_at=mined(block))
    doubled = replace(memory, events=(*memory.events, extra))
    again = tell("next_block", "later_logs", memory=doubled)
    assert extra not in again.events
