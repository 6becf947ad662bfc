"""The HTTP shell says byte for byte what the world says in process, and stops at once."""

import http.client
import socket
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import msgspec
import pytest

from orch.emulator.answers import answer
from orch.emulator.answers_grass import TOKEN
from orch.emulator.asks import SERVICES, Ask
from orch.emulator.facts import NODES
from orch.emulator.shell import DEFAULT_PORTS, EmulatorServer
from orch.errors import OrchError

NOW = datetime(2026, 11, 22, 16, 30, 1, tzinfo=UTC)
US1 = "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S"
KEY = (("Authorization", "Bearer emulated-app-key"),)
GRASS = (("Authorization", TOKEN),)
RPC = msgspec.json.encode(
    [{"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", False]}]
)
QUESTIONS = [
    *(("storj", "GET", path, (), b"") for path in (
        "/api/sno/", "/api/sno", "/api/sno/satellites", f"/api/sno/satellite/{US1}",
        f"/api/sno/satellites/{US1}/pricing", "/api/sno/estimated-payout", f"/api/sno/estimated-payout?id={US1}",
        "/api/heldamount/paystubs/2026-10", "/api/heldamount/paystubs/2025-01/2026-12",
        "/api/heldamount/payout-history/2026-10", "/api/heldamount/held-history", "/api/heldamount/periods",
        "/api/notifications/list?limit=20&page=1", "/nonsense",
    )),
    ("golem", "GET", "/me", (), b""),
    *(("golem", "GET", path, KEY, b"") for path in (
        "/me", "/version/get", "/net-api/v2/net/status", "/payment-api/v1/payAgreements?maxItems=9",
        "/payment-api/v1/invoices?maxItems=9", "/payment-api/v1/payments?timeout=0&maxEvents=9",
        "/payment-api/v1/debitNotes?afterTimestamp=2026-11-22T00:00:00Z",
        "/payment-api/v1/invoiceEvents?maxEvents=4",
        "/payment-api/v1/providerAccounts", "/payment-api/v1/payments/status", "/market-api/v1/offers",
        "/market-api/v1/agreements?state=Terminated", "/activity-api/v1/_monitor", "/nonsense",
    )),
    ("streamr_rpc", "POST", "/", (), RPC),
    ("streamr_rpc", "POST", "/", (), b"{"),
    ("streamr_info", "GET", "/info", (), b""),
    ("streamr_info", "GET", "/", (), b""),
    ("grass", "GET", "/retrieveUser", (), b""),
    *(("grass", "GET", path, GRASS, b"") for path in (
        "/retrieveUser", "/activeDevices", "/activeIps", "/devices?input=%7B%22limit%22%3A50%7D", "/epochEarnings",
        "/retrieveUserSettings",
    )),
    ("prices", "GET", "/api/v3/simple/price?ids=golem,streamr&vs_currencies=usd", (), b""),
    *(("control", "GET", f"/levers/{node}", (), b"") for node in (*NODES, "nobody")),
    ("control", "GET", "/provider/hardware.json", (), b""),
    ("control", "GET", "/provider/presets.json", (), b""),
    ("control", "PUT", "/levers/relay", (), b'{"cpu_cores": 0.1}'),
    ("control", "PUT", "/levers/relay", (), b'{"cpu_cores": 0.75}'),
    ("control", "PUT", "/levers/compute", (), b'{"cpu_cores": 3}'),
    ("control", "PUT", "/provider/presets.json", (), b"{}"),
]  # fmt: skip


class FixedClock:
    speed = 1.0

    def __init__(self, now):
        self.time = now

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()


@pytest.fixture
def server(world):
    with EmulatorServer(world, FixedClock(NOW)) as running:
        yield running


def exchange(urls, service, method, path, headers, body):
    parts = urlsplit(urls[service])
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        connection.request(method, path, body=body or None, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


def test_every_endpoint_is_byte_equal_in_process_and_over_http(server, world, copied):
    twin = copied(world)
    assert {service for service, *_ in QUESTIONS} == set(SERVICES)
    for service, method, path, headers, body in QUESTIONS:
        status, received, payload = exchange(server.urls(), service, method, path, headers, body)
        parts = urlsplit(path)
        ask = Ask(service=service, path=parts.path, method=method, query=parts.query, headers=headers, body=body)
        expected = answer(twin, ask, NOW)
        assert (status, payload) == (expected.status, expected.body), path
        assert ("X-Orch-Emulated", "1") in received, path
        assert set(expected.headers) <= set(received), path
    assert world.state == twin.state


def test_connections_are_kept_and_answers_come_without_delay(server):
    parts = urlsplit(server.urls()["golem"])
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    connection.connect()
    first = connection.sock
    took = []
    for _ in range(50):
        begin = time.perf_counter()
        connection.request("GET", "/version/get")
        connection.getresponse().read()
        took.append(time.perf_counter() - begin)
    assert connection.sock is first
    # A shell that waits for acknowledgements needs 40 ms for each answer; some may meet a busy machine.
    assert sorted(took)[10] < 0.03
    connection.close()


def test_a_restarting_node_gives_no_answer(server):
    status, _, _ = exchange(server.urls(), "control", "PUT", "/levers/disk", (), b'{"storage_gb": 4000}')
    assert status == 202
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        exchange(server.urls(), "storj", "GET", "/api/sno/", (), b"")
    server._clock.time = NOW + timedelta(seconds=91)
    status, _, body = exchange(server.urls(), "storj", "GET", "/api/sno/", (), b"")
    assert msgspec.json.decode(body)["diskSpace"]["allocated"] == 4_000_000_000_000


def test_stopping_waits_for_no_client(world):
    server = EmulatorServer(world, FixedClock(NOW))
    server.start()
    parts = urlsplit(server.urls()["storj"])
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as idle:
        idle.sendall(b"GET /api/sno/ HTTP/1.1\r\nHost: x\r\n")
        begin = time.perf_counter()
        server.stop()
        assert time.perf_counter() - begin < 20
    assert server.urls() == {}
    with pytest.raises(ConnectionError):
        socket.create_connection((parts.hostname, parts.port), timeout=5)


def test_a_taken_port_is_said_and_nothing_stays_open(world, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = dict.fromkeys(SERVICES, 0) | {"grass": taken.getsockname()[1]}
        monkeypatch.setattr("orch.emulator.shell.DEFAULT_PORTS", ports)
        server = EmulatorServer(world, FixedClock(NOW), "default")
        with pytest.raises(OrchError, match="emulated grass"):
            server.start()
        assert server.urls() == {}


def test_default_ports_are_those_of_the_real_nodes():
    assert (DEFAULT_PORTS["storj"], DEFAULT_PORTS["golem"], DEFAULT_PORTS["streamr_info"]) == (14002, 7465, 7171)
    assert len(set(DEFAULT_PORTS.values())) == len(SERVICES)


def test_an_oversized_body_is_refused(server):
    parts = urlsplit(server.urls()["control"])
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as raw:
        raw.sendall(b"PUT /levers/disk HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert raw.recv(64).startswith(b"HTTP/1.1 413")
