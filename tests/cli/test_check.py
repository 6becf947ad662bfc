"""Does everything answer: over real HTTP to the emulated nodes, and on damaged data directories."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import msgspec
import pytest

from orch.cli import check
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.shell import EmulatorServer
from orch.emulator.world import World
from orch.model.moves import JournalRecord
from orch.store.database import open_for_writing
from orch.system.clock import RealClock
from orch.system.journal import FileJournal
from orch.system.paths import DATABASE_FILE, JOURNAL_FILE
from tests.fakes.damaged import damage_noticed, log_of
from tests.fakes.websockets import Server, frame


@pytest.fixture(scope="module")
def nodes():
    """The four emulated nodes behind HTTP, in real time."""
    clock = RealClock()
    with EmulatorServer(World(1, clock.now()), clock) as server:
        yield server


@pytest.fixture
def configured(nodes, tmp_path, monkeypatch):
    """`orch check` on these nodes with some tables changed; gives exit code and body.

    Of the relay's chain a day is read: with a whole month, as `test_init` has it, a look takes twice as long.
    """

    def call(orch, change=lambda tables: None, environ=None):
        tables = demo_nodes(nodes.urls())
        tables |= {"orch": {"data_dir": str(tmp_path / "data")}, "web": {"port": 0}}
        tables["nodes"]["relay"]["history_days"] = 1
        change(tables)
        environ = demo_environment() if environ is None else environ
        config = from_tables(tables, environ, tmp_path, source="orch.toml")
        monkeypatch.setattr("orch.cli.places.load_config", lambda *_, **__: config)
        found = orch("check", "--json")
        return found.exit_code, json.loads(found.stdout)

    return call


def results(body, subject):
    return {line["asked"]: line["result"] for line in body["lines"] if line["subject"] == subject}


def test_everything_answers_and_nothing_is_made(orch, configured, tmp_path):
    code, body = configured(orch)
    assert (code, body["problems"]) == (0, 0), body
    for name in ("disk", "compute", "relay", "address"):
        assert results(body, name)["health"] == "ok"
        assert results(body, name)["answers"] == "ok"
        assert results(body, name)["levers"] == "ok"
    assert set(results(body, "prices").values()) == {"ok"}
    assert not (tmp_path / "data").exists()


def test_every_fault_has_its_line_and_its_remedy(orch, configured, monkeypatch):
    def change(tables):
        tables["nodes"]["disk"]["url"] = "http://127.0.0.1:9"
        tables["prices"] = {"sources": ["coingecko"], "coingecko_url": "http://127.0.0.1:9"}
        tables["nodes"]["relay"]["levers"] = []
        del tables["nodes"]["address"]

    code, body = configured(orch, change, {})
    assert code == 1
    assert body["problems"] == sum(line["result"] == "failed" for line in body["lines"]) >= 4
    disk = results(body, "disk")
    assert disk["health"] == "failed"
    assert disk["levers"] == "ok"
    compute = results(body, "compute")
    assert "failed" in compute.values()
    assert results(body, "relay")["levers"] == "note"
    assert results(body, "prices")["coingecko"] == "failed"
    assert all(line["remedy"] for line in body["lines"] if line["result"] == "failed")


def test_credentials_plugins_and_a_lagging_rpc_each_have_their_line(orch, configured, monkeypatch):
    """A missing key, an expired token, no `info` plugin, an RPC twenty minutes behind its chain."""

    def change(tables):
        tables["nodes"]["relay"] |= {"info_url": "http://127.0.0.1:9", "rpc_url": behind.urls()["streamr_rpc"]}

    class Behind(RealClock):
        def now(self):
            return super().now() - timedelta(minutes=20)

    body = base64.urlsafe_b64encode(b'{"exp": 1700000000}').decode().rstrip("=")
    with EmulatorServer(World(1, Behind().now()), Behind()) as behind:
        code, body = configured(orch, change, {"GRASS_TOKEN": f"e30.{body}.x"})
    assert code == 1
    compute, relay, address = (results(body, name) for name in ("compute", "relay", "address"))
    assert compute["secret_missing"] == "failed"
    assert (relay["health"], relay["info"]) == ("warning", "warning")
    assert "failed" in address.values()
    told = {(line["subject"], line["asked"]): line["remedy"] or "" for line in body["lines"]}
    assert "RPC endpoint of your own" in told["relay", "health"]
    assert '"info": {}' in told["relay", "info"]
    assert any(name == "compute" and "yagna app-key create" in remedy for (name, _), remedy in told.items())
    assert any(name == "address" and "accessToken" in remedy for (name, _), remedy in told.items())
    assert all(line["remedy"] for line in body["lines"] if line["result"] in ("failed", "warning"))


def test_the_fleets_heartbeats_and_the_nodes_disk_have_their_line(orch, configured, monkeypatch, tmp_path):
    monkeypatch.setattr("orch.protocols.streamr_beats.LISTEN_S", 0.5)
    said = {"msgType": "heartbeat", "applicationVersion": "103.3.1", "autostakerEnabled": False}
    peer = {"nodeId": "17" * 20, "type": "nodejs"}
    server = Server(frame(json.dumps(said | {"peerDescriptor": peer})))

    def told(tables):
        tables["nodes"]["relay"] |= {"websocket_url": server.url.replace("ws", "http", 1)}
        tables["nodes"]["disk"] |= {"storage_path": str(tmp_path), "log_path": str(tmp_path / "node.log")}

    try:
        code, body = configured(orch, told)
    finally:
        server.close()
    assert code == 0, [line for line in body["lines"] if line["result"] == "failed"]
    answers = {line["subject"]: line["sentence"] for line in body["lines"] if line["asked"] == "answers"}
    assert "fleet" in answers["relay"]
    assert "disk" in answers["disk"]
    assert "log" not in answers["disk"]
    # The emulated node claims terabytes that this machine's disk does not have.
    assert results(body, "disk").keys() & {"storj_free_differs", "storj_used_differs", "storj_disk_full"}


def test_without_a_price_of_gas_only_net_income_is_unknown(orch, configured):
    nowhere = {"coingecko": "none-such", "defillama": "coingecko:none-such", "binance": "NONESUCHUSDT"}
    nowhere |= {"coinbase": "NONESUCH-USD", "bybit": "NONESUCHUSDT"}
    code, body = configured(orch, lambda tables: tables["prices"].update(tokens={"POL": nowhere}))
    assert (code, body["problems"]) == (0, 0), body
    (found,) = [line for line in body["lines"] if line["asked"] == "all sources"]
    assert found["result"] == "warning"
    assert found["sentence"] == "no price of POL is known: net income stays unknown, and nothing else changes"


def test_an_emulated_node_does_not_go_on_with_real_data(orch, configured, tmp_path):
    (tmp_path / "data").mkdir()
    open_for_writing(tmp_path / "data" / DATABASE_FILE, "real", "here", RealClock().now()).close()
    code, body = configured(orch, lambda tables: tables.update(nodes={"disk": tables["nodes"]["disk"]}))
    assert code == 1
    wrong = [line for line in body["lines"] if line["result"] == "failed"]
    assert [line["asked"] for line in wrong] == ["database"]
    assert "real" in wrong[0]["sentence"]


# -- without nodes -----------------------------------------------------------------------------------------


def test_without_configuration_it_says_so_and_tells_what_is_set_badly(orch, stopped):
    found = orch("check", "--data-dir", stopped)
    assert "orch runs the demonstration with EMULATED nodes" in " ".join(found.stdout.split())
    assert "compute cores 2, better 6.5 (misallocated): 15.55 USD a month" in found.stdout
    body = json.loads(orch("check", "--json", "--data-dir", stopped).stdout)
    assert results(body, "orch")["database"] == "ok"


def test_beside_a_running_engine_the_database_is_left_alone(orch, running):
    body = json.loads(orch("check", "--json", "--data-dir", running.data_dir).stdout)
    house = results(body, "orch")
    assert (house["engine"], house["database"]) == ("ok", "note")
    assert "port" not in house
    assert results(body, "disk") == {"health": "ok"}


def test_a_directory_that_cannot_be_used_is_a_problem(orch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    found = orch("check", "--json", "--data-dir", blocked)
    assert found.exit_code == 1
    assert results(json.loads(found.stdout), "orch")["data directory"] == "failed"
    below = orch("check", "--json", "--data-dir", blocked / "data")
    assert results(json.loads(below.stdout), "orch")["data directory"] == "failed"


def test_a_broken_journal_is_named_with_its_line(orch, own_stopped):
    (own_stopped / JOURNAL_FILE).write_text("not a record\n")
    found = orch("check", "--json", "--data-dir", own_stopped)
    assert found.exit_code == 1
    line = next(line for line in json.loads(found.stdout)["lines"] if line["asked"] == "journal")
    assert "line 1" in line["sentence"]


def test_a_stuck_move_is_named_with_the_way_out(orch, own_stopped, make):
    record = make.move("r7", "proposed")
    story = (
        ("opened", "proposed", record),
        ("state", "approved", None),
        ("state", "preflight", None),
        ("state", "applying", None),
        ("state", "rolling_back", None),
        ("closed", "stuck", None),
    )
    journal = FileJournal(own_stopped / JOURNAL_FILE)
    for index, (event, state, opened) in enumerate(story):
        journal.append(
            JournalRecord(
                sequence=index,
                written_at=make.NOW,
                reallocation_id="r7",
                event=event,
                state=state,
                record=opened,
            )
        )
    journal.close()
    found = orch("check", "--data-dir", own_stopped)
    assert found.exit_code == 1
    assert "orch rollback r7" in " ".join(found.stdout.split())


def test_a_port_that_is_taken_is_a_problem(running):
    from orch.cli.premises import _port
    from orch.config.schema import WebConfig

    port = int(running.url.rpartition(":")[2])
    assert _port(WebConfig(), port).result == "failed"
    assert _port(WebConfig(), 0).result == "ok"


# -- repair ------------------------------------------------------------------------------------------------


def leave_damaged(data_dir, make):
    """As a crash leaves it, with a log of which the end cannot be read."""
    writer = open_for_writing(data_dir / DATABASE_FILE, "emulated", "here", make.START)
    writer.add_reallocation(make.move("r8"))
    writer.commit()
    log = log_of(data_dir / DATABASE_FILE)
    body = log.read_bytes()
    writer.close()
    log.write_bytes(body)
    damage_noticed(data_dir / DATABASE_FILE)


def test_a_damaged_log_is_moved_aside_and_what_was_lost_is_said(orch, own_stopped, make):
    leave_damaged(own_stopped, make)
    broken = orch("status", "--data-dir", own_stopped)
    assert broken.exit_code == 1
    assert "check --repair" in broken.stderr
    found = orch("check", "--repair", "--data-dir", own_stopped)
    assert found.exit_code == 0, found.stderr
    assert "lost" in found.stdout
    assert list(own_stopped.glob("*.damaged-*"))
    assert orch("status", "--data-dir", own_stopped).exit_code == 0
    again = orch("check", "--repair", "--json", "--data-dir", own_stopped)
    assert json.loads(again.stdout)["damaged"] is False


def test_nothing_is_repaired_under_a_running_engine_or_where_there_is_nothing(orch, running, tmp_path):
    refused = orch("check", "--repair", "--data-dir", running.data_dir)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "stop it" in refused.stderr
    nothing = orch("check", "--repair", "--data-dir", tmp_path / "none")
    assert nothing.exit_code == 1
    assert not (tmp_path / "none").exists()


def test_the_body_of_check_is_a_struct(orch, stopped):
    from orch.cli.findings import Checkup

    body = orch("check", "--json", "--data-dir", stopped).stdout
    assert msgspec.json.decode(body, type=Checkup).data_dir == str(stopped)
    assert check.command.name == "check"
