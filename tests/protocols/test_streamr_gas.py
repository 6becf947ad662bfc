"""Gas of the operator's own transactions: from receipts, booked once each, and not known where there are none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec import json
from msgspec.structs import replace

from orch.earnings.ledger import Ledger
from orch.model.wire import Reply
from orch.protocols.attend import Attended
from orch.protocols.schedule import due
from orch.protocols.streamr import PROTOCOL
from orch.protocols.streamr_gas import TRIES
from tests.fakes.streamr import NODE, NOW, WHOLE, Teller, begin, outcome, reading, silence

STRANGER = "0x9900000000000000000000000000000000000009"
PRICE = 40 * 10**9


@pytest.fixture
def tell(answers):
    return Teller(answers("streamr"))


@pytest.fixture
def memory(tell):
    return tell(*WHOLE, "nodes_one")


def said(result):
    body = json.encode({"jsonrpc": "2.0", "id": 1, "result": result})
    headers = (("Content-Type", "application/json"),)
    return Reply(status=200, headers=headers, body=body, received_at=NOW, elapsed_s=0.01)


def receipt(transaction, sender=NODE, used=500_000, **changed):
    return {
        "transactionHash": transaction,
        "from": sender,
        "blockNumber": "0x4c4a078",
        "gasUsed": hex(used),
        "effectiveGasPrice": hex(PRICE),
        "status": "0x1",
    } | changed


def asked(memory):
    return [each for each in PROTOCOL.endpoints(memory, NOW) if each.key.startswith("receipt/")]


def read_all(memory, sender=NODE):
    while questions := asked(memory):
        (question,) = questions
        transaction = question.key.partition("/")[2]
        failure, memory = outcome(memory, question.key, said(receipt(transaction, sender)))
        assert failure is None
    return memory


def gas(memory):
    return [each for each in reading(memory).accruals if each.kind == "gas"]


def test_each_own_transaction_is_asked_for_once_newest_first_and_one_at_a_time(memory):
    transactions = []
    while questions := asked(memory):
        (question,) = questions
        assert (question.once, question.lane) == (True, "slow")
        body = json.decode(question.request.body)
        assert (body["method"], body["params"]) == ("eth_getTransactionReceipt", [question.key[8:]])
        transactions.append(question.key[8:])
        memory = outcome(memory, question.key, said(receipt(question.key[8:])))[1]
    blocks = {event.transaction: event.block for event in memory.events}
    assert len(transactions) == len(set(transactions)) > 2
    assert [blocks[each] for each in transactions] == sorted(map(blocks.get, transactions), reverse=True)
    assert transactions == list(dict.fromkeys(e.transaction for e in reversed(memory.events)))
    assert set(map(len, map(gas, [memory]))) == {len(transactions)}


def test_gas_is_booked_with_the_transaction_as_its_reference_and_never_twice(memory):
    memory, ledger = read_all(memory), Ledger("here")
    entries = [each for each in ledger.book(reading(memory), lambda _: None, NOW) if each.kind == "gas"]
    assert {each.reference for each in entries} == set(memory.receipts)
    assert {(each.amount, each.unit, each.evidence) for each in entries} == {(Decimal("-0.02"), "POL", "settled")}
    assert ledger.book(reading(memory), lambda _: None, NOW) == ()


def test_what_others_send_is_not_the_operators_gas(memory):
    """Earnings may be withdrawn by anybody; who wrote a heartbeat is the operator's own whatever lists say."""
    assert gas(read_all(memory, STRANGER)) == []
    assert len(gas(read_all(replace(memory, nodes=())))) == len(gas(read_all(memory)))


def test_until_receipts_are_read_costs_say_what_they_leave_out(memory):
    count = len(memory.unread)
    assert reading(memory).cost_note == f"the gas of {count} transactions is not read yet"
    assert reading(read_all(memory)).cost_note == ""


def test_income_is_the_same_with_and_without_receipts(memory):
    def money(known):
        return [each for each in reading(known).accruals if each.kind != "gas"]

    assert money(read_all(memory)) == money(memory)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"transactionHash": "0x12"},
        receipt("0x" + "77" * 32),
        receipt("", gasUsed="many"),
        receipt("", effectiveGasPrice=hex(10**40)),
        receipt("", **{"from": "0x" + "1" * 64}),
    ],
)
def test_a_receipt_that_cannot_be_read_is_a_typed_failure_and_costs_stay_doubtful(memory, answer):
    (question,) = asked(memory)
    transaction = question.key.partition("/")[2]
    if isinstance(answer, dict) and answer["transactionHash"] == "":
        answer = answer | {"transactionHash": transaction}
    for _ in range(TRIES):
        failure, memory = outcome(replace(memory, unread=(transaction,)), question.key, said(answer))
        assert failure.reason in ("shape", "absurd")
        assert memory.unread == ()
    assert reading(memory).cost_note.startswith("the RPC has no receipts of 1 transaction")
    assert gas(memory) == []


def test_an_rpc_that_is_away_is_asked_again_and_nothing_is_given_up(memory):
    (question,) = asked(memory)
    for _ in range(2 * TRIES):
        memory = outcome(memory, question.key, silence("timeout"))[1]
    assert asked(memory) == [question]


def test_an_rpc_without_receipts_is_left_alone_until_the_next_events(memory, tell):
    (question,) = asked(memory)
    missing = question.key.partition("/")[2]
    memory = outcome(memory, question.key, said(None))[1]
    assert missing not in memory.unread
    assert missing in tell("next_block", "later_logs", memory=memory).unread


def test_a_receipt_waits_for_whatever_else_is_to_be_asked(memory):
    state = Attended(memory=memory)
    _, first = due(state.schedule, PROTOCOL.endpoints(memory, NOW), NOW)
    assert not [each for each in first if each.key.startswith("receipt/")]


def test_gas_of_a_test_network_is_of_another_coin(tell):
    memory = read_all(
        tell(
            "healthy_block",
            "chain_amoy",
            "healthy_history",
            "healthy_earnings",
            "nodes_one",
            memory=begin(chain_id=80002),
        )
    )
    assert {each.unit for each in gas(memory)} == {"POL@80002"}
