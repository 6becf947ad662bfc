"""`notify` and `silence`: who is told, and of what not."""

from __future__ import annotations

import msgspec
import pytest

from orch.messages import SilenceAlert
from tests.fakes.sink import CREDENTIAL


@pytest.fixture
def configured(tmp_path, monkeypatch, sink):
    path = tmp_path / "orch.toml"
    path.write_text(
        '[nodes.disk]\nprotocol = "storj"\n[notify]\nreport = "daily"\n'
        '[[notify.channels]]\nname = "hook"\nurl = { env = "HOOK" }\nmin_severity = "warning"\n'
        '[[notify.channels]]\nname = "gone"\nurl = { env = "NOWHERE" }\n'
    )
    monkeypatch.setenv("HOOK", sink.url.value)
    return path


def test_the_channels_are_named_without_their_addresses(orch, configured):
    found = orch("notify", "--config", configured)
    assert found.exit_code == 0
    assert found.stdout == "hook: alerts and reports from severity warning on\n"
    assert "NOWHERE is not set" in found.stderr
    assert CREDENTIAL not in found.output


def test_a_test_arrives_or_says_why_not(orch, configured, sink):
    assert orch("notify", "--test", "--config", configured).stdout == "hook: arrived\n"
    assert sink.titles[0].endswith("orch: a test")
    sink.statuses = [403]
    failed = orch("notify", "--test", "--config", configured)
    assert (failed.exit_code, "403" in failed.stdout) == (1, True)
    assert CREDENTIAL not in failed.output
    unknown = orch("notify", "--test", "--channel", "pigeon", "--config", configured)
    assert (unknown.exit_code, "known: hook" in unknown.stderr) == (2, True)


def test_an_alert_on_the_board_is_silenced_and_heard_again(orch, own_running, make):
    own_running.slot.swap(msgspec.json.encode(make.board(alerts=(make.alert("a1"),))))
    done = orch("silence", "a1", "--for", "2h", "--comment", "known", "--data-dir", own_running.data_dir)
    assert done.stdout == "Nobody is told of low_earnings of disk for 2:00:00.\n"
    lifted = orch("silence", "a1", "--lift", "--data-dir", own_running.data_dir)
    assert lifted.stdout == "People are told again of low_earnings of disk.\n"
    told = {"alert_id": "a1", "rule": "low_earnings", "node": "disk"}
    assert own_running.orders == [
        ("monitor", SilenceAlert(**told, for_s=7200.0, comment="known")),
        ("monitor", SilenceAlert(**told, for_s=0.0)),
    ]


def test_what_cannot_be_silenced_says_why(orch, own_running, tmp_path):
    unknown = orch("silence", "a9", "--for", "2h", "--data-dir", own_running.data_dir)
    assert (unknown.exit_code, unknown.stderr) == (2, "Error: There is no alert a9\n")
    assert orch("silence", "a1", "--data-dir", own_running.data_dir).exit_code == 2
    nobody = orch("silence", "a1", "--for", "2h", "--data-dir", tmp_path / "none")
    assert nobody.exit_code == 1
    assert "No engine runs" in nobody.stderr
    assert own_running.orders == []
