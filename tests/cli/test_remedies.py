"""Each thing that `check` finds, with its remedy: answers that do not come, clocks, keys, modes, containers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from orch.cli.clocks import clock_lines, sample
from orch.cli.findings import Line, checkup
from orch.cli.habits import fixed_sizes, open_files, root_with_key
from orch.cli.remedies import GENERAL, GRAVE, SPECIAL, health_remedy, told
from orch.model.readings import Failure
from orch.model.wire import NoReply, Reply, Secret
from orch.protocols import registry
from orch.system.containers import ContainerSeen, Published

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def failure(reason, endpoint="x", sentence="nobody listens at 127.0.0.1:1"):
    return Failure(endpoint=endpoint, reason=reason, sentence=sentence, retryable=True, failed_at=NOW)


@pytest.mark.parametrize(
    ("protocol", "group", "reason", "result", "words"),
    [
        ("storj", "sno", "refused", "failed", "-p 127.0.0.1:14002:14002"),
        ("storj", "sno", "content_type", "failed", "14002"),
        ("golem", "me", "unauthorised", "failed", "yagna app-key create"),
        ("golem", "me", "refused", "failed", "golemsp run"),
        ("golem", "hardware", "missing_file", "failed", "provider_dir"),
        ("golem", "presets", "permission", "failed", "let the user that runs orch read"),
        ("streamr", "info", "refused", "warning", '"info": {}'),
        ("streamr", "info", "http_status", "warning", '"info": {}'),
        ("streamr", "info", "unauthorised", "failed", "info_key"),
        ("streamr", "block", "rate_limited", "failed", "RPC endpoint of your own"),
        ("streamr", "block", "refused", "failed", "rpc_url"),
        ("grass", "user", "unauthorised", "failed", "accessToken"),
        ("grass", "devices", "rate_limited", "failed", "the token has expired"),
        ("storj", "satellite", "shape", "failed", "update orch"),
    ],
)
def test_every_failure_has_its_remedy(protocol, group, reason, result, words):
    found = told(protocol, group, failure(reason))
    assert found.result == result
    assert words in found.remedy
    assert "127.0.0.1:1" in found.sentence


def test_the_table_names_protocols_and_reasons_that_exist():
    assert {protocol for protocol, _, _ in SPECIAL} <= set(registry.names())
    assert {reason for _, _, reason in SPECIAL} <= set(GENERAL)


@pytest.mark.parametrize(
    ("protocol", "reason", "words"),
    [
        ("streamr", "the RPC is 12 min behind the chain", "RPC endpoint of your own"),
        ("streamr", "the RPC serves chain 1, not 137", "chain_id"),
        ("streamr", "a flag is open against the operator", "heartbeats"),
        ("golem", "no relay session: the daemon runs", "UDP"),
        ("golem", "no offer is published", "preset"),
        ("grass", "no token is configured", "accessToken"),
        ("storj", "no satellite and no customer reached it for 3 h", "28967"),
        ("storj", "something new", "the node's own log"),
    ],
)
def test_an_unwell_node_has_its_remedy(protocol, reason, words):
    assert words in health_remedy(protocol, reason, failures=False)


def test_expired_and_missing_credentials_are_problems():
    assert {"grass_token_expired", "secret_missing", "app_key_refused"} <= GRAVE


# -- the clock ---------------------------------------------------------------------------------------------


def answer(ahead_s, elapsed_s=0.1, date=None):
    shown = date or format_datetime(NOW + timedelta(seconds=ahead_s), usegmt=True)
    return Reply(status=200, headers=(("DATE", shown),), body=b"", received_at=NOW, elapsed_s=elapsed_s)


def lines(**ahead):
    samples = [sample(source, answer(seconds)) for source, seconds in ahead.items()]
    return list(clock_lines(samples))


@pytest.mark.parametrize(
    ("ahead", "subject", "result", "words"),
    [
        ({"a": 0, "b": 1}, "orch", "ok", "agrees"),
        ({"a": -14}, "orch", "ok", "agrees"),
        ({"a": 60, "b": 61}, "orch", "warning", "this host's clock is 60 s behind"),
        ({"a": -3600, "b": -3601, "c": 0}, "orch", "failed", "ahead of"),
        ({"a": 0, "b": 0, "c": 900}, "c", "failed", "its clock is 900 s ahead of"),
        ({"a": -40}, "a", "warning", "its clock is 39 s behind"),
    ],
)
def test_a_clock_that_is_off_is_told_whose_it_is(ahead, subject, result, words):
    (found,) = lines(**ahead)
    assert (found.subject, found.result) == (subject, result)
    assert words in found.sentence
    assert (found.remedy is None) is (result == "ok")


@pytest.mark.parametrize("date", ["", "nonsense", "Sun, 99 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:00"])
def test_a_date_that_cannot_be_read_says_nothing(date):
    assert sample("a", answer(0, date=date or " ")) is None


def test_a_slow_answer_is_not_an_old_clock_and_refusals_count_too():
    assert sample("a", answer(-20, elapsed_s=25.0)).ahead == timedelta(0)
    refused = NoReply(
        reason="unauthorised",
        sentence="no",
        retryable=False,
        failed_at=NOW,
        elapsed_s=0.1,
        headers=answer(120).headers,
    )
    assert sample("a", refused).ahead == timedelta(seconds=120)
    assert list(clock_lines([])) == []


# -- how orch is run ---------------------------------------------------------------------------------------


def node(name="compute", protocol="golem", **options):
    return SimpleNamespace(name=name, protocol=protocol, options=SimpleNamespace(**options))


KEY = Secret(value="k")


@pytest.mark.parametrize(
    ("user", "nodes", "found"),
    [
        (0, (node(app_key=KEY),), ["compute"]),
        (1000, (node(app_key=KEY),), []),
        (0, (node(app_key=None),), []),
        (0, (node("disk", "storj"),), []),
    ],
)
def test_root_with_a_key_that_moves_funds_is_a_finding(user, nodes, found):
    told_of = list(root_with_key(nodes, user))
    assert [line.subject for line in told_of] == found
    assert all("user of its own" in line.remedy for line in told_of)


@pytest.mark.parametrize(("mode", "found"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_secret_that_others_can_read_is_a_finding(tmp_path, mode, found):
    path = tmp_path / "web.token"
    path.write_text("secret")
    path.chmod(mode)
    told_of = list(open_files((path, tmp_path / "none")))
    assert bool(told_of) is found
    assert all(line.remedy == f"chmod 600 {path}" for line in told_of)


@pytest.mark.parametrize(
    ("size", "port", "subject"),
    [("6TB", 14002, "one"), ("6TB", 14003, "two"), ("6TB", 9, "orch"), ("", 14002, None)],
)
def test_a_storage_node_whose_size_docker_fixes_is_a_finding(size, port, subject):
    nodes = (
        node("one", "storj", url="http://127.0.0.1:14002"),
        node("two", "storj", url="http://localhost:14003/"),
    )
    container = ContainerSeen(
        id="c",
        name="sn",
        image="storjlabs/storagenode",
        running=True,
        environment=(("STORAGE", size),),
        published=(Published(inside=14002, address="127.0.0.1", port=port),),
    )
    found = list(fixed_sizes(nodes, (container,)))
    assert [line.subject for line in found] == ([] if subject is None else [subject])
    assert all(line.result == "warning" and 'STORAGE=""' in line.remedy for line in found)


def test_a_problem_makes_the_command_fail_and_a_warning_does_not():
    failed = Line(subject="a", asked="b", result="failed", sentence="c", remedy="d")
    warned = Line(subject="a", asked="b", result="warning", sentence="c", remedy="d")
    assert checkup("s", "d", [failed, warned], []).problems == 1
    assert checkup("s", "d", [warned], []).problems == 0
