"""Kill -9 at any moment loses nothing that was acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from orch.store.database import open_for_writing

CHILD = """
import sys
from datetime import timedelta
from pathlib import Path
import importlib.util
spec = importlib.util.spec_from_file_location("builders", sys.argv[2])
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
from orch.store.database import open_for_writing

writer = open_for_writing(Path(sys.argv[1]), "emulated", "here", make.START)
first = (writer.sequence or 0) + 1
for number in range(first, first + 100_000):
    when = make.START + timedelta(seconds=5 * number)
    writer.add_tick(make.snapshot(when), (make.entry(f"e{number}"), make.entry(f"f{number}")), number)
    writer.add_board(when, b'{"tick": %d}' % number)
    print(writer.commit(), flush=True)
    if number % 17 == 0:
        writer.connection.checkpoint()
"""


def kill_amid_commits(path, request, commits):
    """Let a child commit so many times, kill it in the middle of the next; the last tick it acknowledged."""
    builders = request.path.with_name("conftest.py")
    command = [sys.executable, "-c", CHILD, str(path), str(builders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        acknowledged = [int(child.stdout.readline()) for _ in range(commits)]
        child.kill()
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
    return acknowledged[-1]


def check_whole(path, make, acknowledged):
    writer = open_for_writing(path, "emulated", "here", make.START)
    query = (
        "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM ledger), (SELECT body->>'tick' FROM board)"
    )
    samples, entries, tick = writer.connection.execute(query).fetchall()[0]
    assert samples >= acknowledged
    assert samples == writer.sequence == int(tick)
    assert entries == 2 * samples
    writer.close()


def test_killed_amid_commits_nothing_acknowledged_is_lost(path, make, request):
    for commits in (1, 20):
        check_whole(path, make, kill_amid_commits(path, request, commits))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_killed_at_random_moments_nothing_acknowledged_is_lost(path, make, request, seed):
    chance = random.Random(seed)
    for _ in range(2):
        check_whole(path, make, kill_amid_commits(path, request, chance.randint(1, 120)))


LIMITED = """
import resource, sys, importlib.util
from pathlib import Path
spec = importlib.util.spec_from_file_location("builders", sys.argv[2])
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
from orch.errors import StoreError
from orch.store.database import open_for_writing

writer = open_for_writing(Path(sys.argv[1]), "emulated", "here", make.START)
log = Path(sys.argv[1] + ".wal")
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (Path(sys.argv[1]).stat().st_size + 100_000, hard))
number = 0
while True:
    number += 1
    writer.add_tick(make.snapshot(), (make.entry(f"e{number}"),), number)
    writer.add_board(make.START, b'"' + b"x" * 400_000 + b'"')
    try:
        writer.commit()
    except StoreError as error:
        print(error, flush=True)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert writer.commit() == number
writer.close()
print(number)
"""


def test_a_full_disk_is_said_and_nothing_is_lost_when_there_is_room_again(path, make, request):
    command = [sys.executable, "-c", LIMITED, str(path), str(request.path.with_name("conftest.py"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said, number = done.stdout.splitlines()
    assert "kept for the next try" in said
    check = open_for_writing(path, "emulated", "here", make.START)
    assert check.sequence == int(number)
    assert check.connection.execute("SELECT count(*) FROM ledger").fetchall() == [(int(number),)]
    check.close()
