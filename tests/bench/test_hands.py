"""The bench of the hands runs: a real move by real programs, a durable journal, and its tables."""

from __future__ import annotations

from bench import hands


def test_moves_are_timed_and_the_journal_is_measured(capsys):
    found = hands.run(quick=True)
    assert found["met"].keys() == found["aims"].keys()
    row = found["levers"]["command"]
    assert 0.0 < row["median_ms"] <= row["slowest_ms"]
    assert 0.0 < found["journal"]["line_median_ms"] <= found["journal"]["step_median_ms"]
    hands.show({**found, "skipped": {"systemd": "systemd does not run this machine"}})
    printed = capsys.readouterr().out
    assert "from decision to verified" in printed
    assert "not here: systemd does not run this machine" in printed
