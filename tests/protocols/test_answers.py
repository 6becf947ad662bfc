"""Every kept answer says where it comes from, and every protocol has its situations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ANSWERS = Path(__file__).parent.parent / "answers"
FILES = sorted(ANSWERS.glob("*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_answer_states_its_origin_and_can_be_handed_over(path):
    held = json.loads(path.read_text(encoding="utf-8"))
    assert held["origin"] in {"recorded", "written"}
    assert held["source"].strip()
    assert held["endpoint"].strip()
    assert 200 <= held["status"] < 600
    assert isinstance(held["headers"], dict)
    assert ("body" in held) != ("body_text" in held)


@pytest.mark.parametrize("protocol", ["golem", "grass", "storj", "streamr"])
def test_a_protocol_has_at_least_eight_situations(protocol):
    assert sum(path.parent.name == protocol for path in FILES) >= 8
