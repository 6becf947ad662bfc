"""A genuine storage node on loopback: no satellite, no version server, its figures written into its own databases.

Nobody listens where its satellites should be, so it has nothing to store and nobody to pay it. What satellites
would have reported is written into its SQLite files while it is stopped; from there it goes through the node's own
estimator and comes out of its own API.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import requests
from storagenode_build import NoStoragenodeError, programs

from tests.fakes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SATELLITES = (
    "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S",
    "12L9ZFwhzVpuEKMUNUqkaTLGzwY9G24tbiigLiXpmZWKwmcNDDs",
    "121RTSDpyNZVcEU84Ticf2L1ntiuUimbWgfATz21tuvgk3vzoA6",
)
"""Well-known ids: the first two pay, the third has disqualified the node."""

NOWHERE = "127.0.0.1:9"
START_S = 60.0
STOP_S = 30.0


@dataclass
class GenuineStoragenode:
    """A storage node that is started and stopped; `storage` is where its databases lie."""

    work: Path
    programs: Path
    port: int
    allocated: str = "20GB"
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def base_url(self) -> str:
        """Where its console answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def storage(self) -> Path:
        """Its databases' directory."""
        return self.work / "config" / "storage"

    def get(self, path: str) -> requests.Response:
        """One GET below `/api/`."""
        return requests.get(f"{self.base_url}/api/{path}", timeout=20, allow_redirects=False)

    def setup(self) -> None:
        """Make an identity and a configuration."""
        quiet = ["--version.server-address", f"http://{NOWHERE}", "--version.request-timeout", "2s"]
        self._run(
            "identity", "create", "storagenode", "--identity-dir", f"{self.work}/id", "--difficulty", "0", *quiet
        )
        trusted = ",".join(f"{satellite}@{address(satellite)}" for satellite in SATELLITES)
        self._run(
            "storagenode",
            "setup",
            *self._common(),
            *("--operator.wallet", "0x0000000000000000000000000000000000000001"),
            *("--operator.email", "t@example.invalid"),
            *("--storage.allocated-disk-space", self.allocated),
            *("--storage2.monitor.minimum-disk-space", "1GB"),
            *("--server.address", f"127.0.0.1:{free_port()}"),
            *("--server.private-address", f"127.0.0.1:{free_port()}"),
            *("--console.address", f"127.0.0.1:{self.port}"),
            *("--storage2.trust.sources", trusted),
            "--preflight.local-time-check=false",
            "--tracing.enabled=false",
            *quiet,
        )

    def launch(self, *extra: str, **variables: str) -> None:
        """Start it, with more arguments and more in its environment."""
        with (self.work / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.programs / "storagenode"), "run", *self._common(), *extra],
                cwd=self.work,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self, *extra: str, **variables: str) -> None:
        """Start it, and wait until its API answers."""
        self.launch(*extra, **variables)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                if self.get("sno/").status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        pytest.fail(f"the node did not answer within {START_S:.0f} s; its log ends:\n{self.log()[-2000:]}")

    def stop(self) -> int | None:
        """Stop it as an operator would; its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        code = self.process.returncode
        self.process = None
        return code

    def configure(self, key: str, value: str) -> None:
        """Change one line of its config.yaml."""
        path = self.work / "config" / "config.yaml"
        lines = path.read_text().splitlines()
        changed = [f"{key}: {value}" if line.removeprefix("# ").startswith(f"{key}:") else line for line in lines]
        assert changed != lines, key
        path.write_text("\n".join(changed) + "\n")

    def log(self) -> str:
        """What it wrote."""
        return (self.work / "node.log").read_text(errors="replace")

    def _common(self) -> tuple[str, ...]:
        return (
            "--defaults=dev",
            "--config-dir",
            f"{self.work}/config",
            "--identity-dir",
            f"{self.work}/id/storagenode",
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.programs / program), *arguments], cwd=self.work, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def genuine_storagenode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GenuineStoragenode]:
    """A fresh node for one module of tests, running; skipped with the reason where it cannot be built."""
    try:
        built = programs()
    except NoStoragenodeError as reason:
        pytest.skip(str(reason))
    node = GenuineStoragenode(work=tmp_path_factory.mktemp("storagenode"), programs=built, port=free_port())
    node.setup()
    try:
        node.start()
        yield node
    finally:
        node.stop()


def address(satellite: str) -> str:
    """Where a satellite would be: a closed port of its own loopback address."""
    return f"127.0.0.{SATELLITES.index(satellite) + 2}:9"
