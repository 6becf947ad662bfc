"""A genuine yagna daemon, alone in an empty network namespace, with agreements written into its database.

The daemon comes from PyPI (`golem-node`, a test-time process only). In its namespace there is nothing but its
own loopback, so it reaches neither relay nor chain; its REST API is reached from outside through `forward.py`.
Amounts are exact decimals; whoever seeds is told the totals that the daemon must then state.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import yagna_seed as seeding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from yagna_seed import Deal, Totals

APP_KEY = "a-key-for-tests-only"
ID_SECRET = "27" * 32
REST_PORT, BUS_PORT, RELAY_PORT, NET_PORT = 7465, 7464, 7477, 11500
CHAINS = ("MAINNET", "POLYGON", "HOLESKY", "HOODI", "GOERLI", "SEPOLIA", "AMOY", "MUMBAI", "RINKEBY")
START_S = 60.0
STOP_S = 10.0
HERE = Path(__file__).parent


@dataclass
class GenuineYagna:
    """A running daemon. `base_url` is reachable from this process, also after a restart; `seed` adds deals."""

    work: Path
    door: socket.socket
    identity: str = ""
    seeded: list[Deal] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    app_key: str = APP_KEY

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.door.getsockname()[1]}"

    @property
    def data_dir(self) -> Path:
        """Its data directory, with one database per part of it."""
        return self.work / "data"

    def start(self) -> None:
        """Start the daemon in a fresh namespace, with what it knew before, and wait until it answers."""
        daemon = _start(self.work)
        self.running.append(daemon)
        self.running.append(_forward(daemon, self.door))
        self.identity = _wait_for_identity(self.base_url, daemon, self.work)

    def stop(self) -> None:
        """End the daemon and the door's other side."""
        for process in reversed(self.running):
            _stop(process)
        self.running.clear()

    def command(self, *arguments: str) -> str:
        """Run the daemon's own command line beside it; what it printed."""
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self.running[0].pid}/ns/net", "--", str(_binary()), *arguments],
            cwd=self.work,
            env=_environment(self.work),
            capture_output=True,
            timeout=60,
            check=True,
        )
        return done.stdout.decode()

    def get(self, path: str) -> requests.Response:
        """One GET with the key."""
        return requests.get(self.base_url + path, headers={"Authorization": f"Bearer {self.app_key}"}, timeout=20)

    def first_message(self, path: str) -> bytes:
        """The first chunk of a stream that never ends."""
        headers = {"Authorization": f"Bearer {self.app_key}"}
        with requests.get(self.base_url + path, headers=headers, timeout=20, stream=True) as answer:
            return next(answer.iter_content(None))

    def seed(self, deals: Sequence[Deal]) -> Totals:
        """Write agreements into the daemon's database; the totals of all that were seeded so far."""
        seeding.seed(self.data_dir / "payment.db", self.identity, deals)
        self.seeded += deals
        return self.expected()

    def change(self, deal: Deal, **now: str) -> Deal:
        """Give a seeded agreement other totals (`due`, `accepted`, `paid`) or its invoice another `status`."""
        changed = seeding.change(self.data_dir / "payment.db", deal, **now)
        self.seeded[self.seeded.index(deal)] = changed
        return changed

    def expected(self) -> Totals:
        """What the daemon must state in sum."""
        return seeding.totals(self.seeded)


def why_not() -> str | None:
    """Why a genuine yagna cannot be run here, or None."""
    if _binary() is None:
        return "no yagna binary: pip install '.[real]'"
    if os.geteuid() != 0:
        return "a network namespace needs root"
    missing = [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if missing:
        return f"missing: {', '.join(missing)}"
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else f"no network namespace: {probe.stderr.decode().strip()}"


@pytest.fixture(scope="module")
def genuine_yagna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GenuineYagna]:
    """A daemon for one module of tests; skipped with the reason where it cannot be run."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    door = socket.create_server(("127.0.0.1", 0))
    daemon = GenuineYagna(tmp_path_factory.mktemp("yagna"), door)
    try:
        daemon.start()
        yield daemon
    finally:
        door.close()
        daemon.stop()


def _binary() -> str | None:
    beside = Path(sys.executable).with_name("yagna")
    return str(beside) if beside.exists() else shutil.which("yagna")


def _environment(work: Path) -> dict[str, str]:
    """Nothing of the caller's, and every address the daemon might call turned to the closed port 1."""
    nowhere = "http://127.0.0.1:1"
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(work),
        "YAGNA_DATADIR": str(work / "data"),
        "YAGNA_API_URL": f"http://127.0.0.1:{REST_PORT}",
        "GSB_URL": f"tcp://127.0.0.1:{BUS_PORT}",
        "YA_NET_TYPE": "hybrid",
        "YA_NET_RELAY_HOST": f"127.0.0.1:{RELAY_PORT}",
        "YA_NET_BIND_URL": f"udp://127.0.0.1:{NET_PORT}",
        "YA_CONSENT_STATS": "deny",
        "YAGNA_METRICS_URL": f"{nowhere}/",
        "YAGNA_HTTP_WORKERS": "2",
        "YAGNA_AUTOCONF_APPKEY": APP_KEY,
        "YAGNA_AUTOCONF_ID_SECRET": ID_SECRET,
        **{f"{chain}_GETH_ADDR": nowhere for chain in CHAINS},
    }


def _start(work: Path) -> subprocess.Popen[bytes]:
    (work / "data").mkdir(exist_ok=True)
    command = f'ip link set lo up && exec "{_binary()}" service run --disable-metrics-push --log-dir ""'
    with (work / "yagna.log").open("ab") as log:
        return subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", command],
            cwd=work,
            env=_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _forward(daemon: subprocess.Popen[bytes], door: socket.socket) -> subprocess.Popen[bytes]:
    """The door's other side. `unshare` replaces itself, so the daemon's pid is in the namespace soon after."""
    own = Path("/proc/self/ns/net").stat().st_ino
    deadline = time.monotonic() + STOP_S
    while Path(f"/proc/{daemon.pid}/ns/net").stat().st_ino == own:
        assert time.monotonic() < deadline, "the daemon did not enter its namespace"
        time.sleep(0.01)
    descriptor = door.fileno()
    return subprocess.Popen(
        [
            *("nsenter", f"--net=/proc/{daemon.pid}/ns/net", "--"),
            *(sys.executable, str(HERE / "forward.py"), str(descriptor), str(REST_PORT)),
        ],
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for_identity(base_url: str, daemon: subprocess.Popen[bytes], work: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            answer = requests.get(f"{base_url}/me", headers={"Authorization": f"Bearer {APP_KEY}"}, timeout=5)
        except requests.RequestException:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            identity: str = answer.json()["identity"]
            return identity
        time.sleep(0.2)
    last = (work / "yagna.log").read_text(errors="replace")[-2000:]
    pytest.fail(f"yagna did not answer within {START_S:.0f} s; its log ends:\n{last}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
