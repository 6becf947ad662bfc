import os
import stat
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.errors import JournalError
from orch.model.moves import JournalRecord, Step
from orch.model.resources import Resources
from orch.system.journal import FileJournal, MemoryJournal


def record(sequence):
    return JournalRecord(
        sequence=sequence,
        written_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        reallocation_id="r1",
        event="step_trying",
        state="applying",
        step_index=0,
        sentence="a line\nwith an end, ünd Ümlaute",
        steps=(
            Step(
                index=0,
                node="disk",
                kind="release",
                goal=Resources(storage_gb=500.0),
                undo=Resources(storage_gb=900.0),
            ),
        ),
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_what_is_appended_is_read(path):
    journal = FileJournal(path)
    assert journal.read() == ()
    for number in range(3):
        journal.append(record(number))
        assert journal.read() == tuple(record(each) for each in range(number + 1))
    journal.close()
    assert FileJournal(path).read() == tuple(record(each) for each in range(3))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_goes_on_after_a_close(path):
    journal = FileJournal(path)
    journal.append(record(1))
    journal.close()
    journal.append(record(2))
    journal.close()
    assert [each.sequence for each in journal.read()] == [1, 2]


@settings(deadline=None)
@given(data=st.data())
def test_a_torn_last_line_is_left_out_and_cut_off(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("torn") / "journal.jsonl"
    journal = FileJournal(path)
    journal.append(record(1))
    first = path.stat().st_size
    journal.append(record(2))
    journal.close()
    length = data.draw(st.integers(0, path.stat().st_size - 1))
    os.truncate(path, length)
    whole = [1] if length >= first else []
    assert [each.sequence for each in journal.read()] == whole
    journal.append(record(3))
    journal.close()
    assert [each.sequence for each in journal.read()] == [*whole, 3]


def test_a_long_torn_line_is_cut_off(path):
    journal = FileJournal(path)
    journal.append(record(1))
    journal.close()
    with path.open("ab") as file:
        file.write(b"\0" * 200_000)
    assert [each.sequence for each in journal.read()] == [1]
    journal.append(record(2))
    journal.close()
    assert [each.sequence for each in journal.read()] == [1, 2]


@pytest.mark.parametrize("line", [b"{}", b"", b"not json", b'{"sequence": "x"}', b"\xff\xfe"])
def test_a_malformed_line_is_named(path, line):
    journal = FileJournal(path)
    journal.append(record(1))
    with path.open("ab") as file:
        file.write(line + b"\n")
    journal.append(record(2))
    journal.close()
    with pytest.raises(JournalError, match=r"journal\.jsonl, line 2: "):
        journal.read()


def test_durable_before_it_returns(path):
    synced = []
    with patch("os.fdatasync", lambda handle: synced.append(path.stat().st_size)):
        journal = FileJournal(path)
        journal.append(record(1))
        journal.close()
    assert synced == [path.stat().st_size]


def test_a_full_disk_leaves_nothing_behind(path):
    journal = FileJournal(path)
    journal.append(record(1))
    before = path.read_bytes()
    real = os.write

    def half(handle, data):
        real(handle, bytes(data)[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with patch("os.write", half), pytest.raises(JournalError, match="No space left"):
        journal.append(record(2))
    assert path.read_bytes() == before
    journal.append(record(2))
    journal.close()
    assert [each.sequence for each in journal.read()] == [1, 2]


def test_a_directory_in_its_place(tmp_path):
    journal = FileJournal(tmp_path)
    with pytest.raises(JournalError, match="cannot be read"):
        journal.read()
    with pytest.raises(JournalError, match="cannot be written"):
        journal.append(record(1))


def test_in_memory():
    journal = MemoryJournal()
    journal.append(record(1))
    journal.append(record(2))
    assert journal.read() == (record(1), record(2))
    assert MemoryJournal(journal.read()).read() == journal.read()
