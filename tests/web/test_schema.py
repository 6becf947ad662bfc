"""The interface does what its document says: schemathesis tries every operation, with and without token."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orch.web.server import WebServer
from tests.fakes.web import TOKEN, serving

SETTINGS = """
# A stream has an end only when it is asked for.
[[operations]]
include-path = "/api/v1/stream"
parameters = { limit = 1 }

# What is well formed may still ask for what there cannot be: a cursor of another list, too many points.
[[operations]]
include-path-regex = "/(decisions|reallocations|alerts|missed|metrics-history|report|freeze|approve|tables/.*)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 404, 409]

[[operations]]
include-path-regex = "/plans/.*"
parameters = { plan_id = "p1" }

[[operations]]
include-path = "/api/v1/tables/{table}"
parameters = { since = "2026-11-22T00:00:00Z" }
"""
WITHIN_S = 240

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed (extra real)"
    ),
    pytest.mark.timeout(WITHIN_S + 60),
]


@pytest.mark.parametrize(
    ("open_reads", "token", "options"),
    [
        (False, TOKEN, ("--phases", "coverage,fuzzing", "--max-examples", "4", "--workers", "2")),
        (False, None, ("--phases", "fuzzing", "--max-examples", "2")),
        (True, None, ("--phases", "fuzzing", "--max-examples", "2")),
    ],
    ids=["with the token", "without it", "without it, reads open"],
)
def test_every_operation_does_what_the_document_says(tmp_path, open_reads, token, options):
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS)
    program = Path(sys.executable).with_name("schemathesis")
    with serving(tmp_path) as backend:
        server = WebServer(dataclasses.replace(backend, open_reads=open_reads), "127.0.0.1", 0)
        url = server.start()
        document = fetch(url, TOKEN)
        (tmp_path / "openapi.json").write_bytes(document)
        command = [program, "--config-file", settings, "run", tmp_path / "openapi.json", "--url", url]
        command += ["--generation-deterministic", "--request-timeout", "20", "--no-color", *options]
        command += ["--header", f"Authorization: Bearer {token}"] if token else []
        try:
            done = subprocess.run(
                [str(each) for each in command],
                cwd=tmp_path,
                env=dict(os.environ, PYTHONWARNINGS="ignore"),
                capture_output=True,
                text=True,
                check=False,
                timeout=WITHIN_S,
            )
        finally:
            server.stop()
    assert done.returncode == 0, done.stdout[-16000:] + done.stderr[-2000:]


def fetch(url: str, token: str) -> bytes:
    import urllib.request

    request = urllib.request.Request(f"{url}/schema/openapi.json", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()
