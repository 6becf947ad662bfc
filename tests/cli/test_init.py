"""`orch init` beside emulated nodes on free ports, on a bare machine, and on a file that is there already."""

from __future__ import annotations

import json
import stat

import pytest

from orch.config.load import load
from orch.discovery.traces import Candidate
from orch.emulator.answers_grass import TOKEN
from orch.emulator.demo import demo_environment, unannounced
from orch.emulator.facts import APP_KEY
from orch.emulator.shell import EmulatorServer
from orch.emulator.world import World
from orch.system.clock import RealClock
from orch.system.surroundings import Surroundings


@pytest.fixture(scope="module")
def emulated():
    """The four emulated nodes behind HTTP, in real time."""
    clock = RealClock()
    with EmulatorServer(World(1, clock.now()), clock) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch):
    """A machine on which nothing runs, whatever the tests run on."""
    monkeypatch.setattr("orch.discovery.search.look", lambda *_: Surroundings())
    monkeypatch.setattr("orch.discovery.search.candidates", lambda _: ())
    for name in (*demo_environment(), *unannounced(dict.fromkeys(_services(), "")), "YAGNA_API_URL"):
        monkeypatch.delenv(name, raising=False)


def _services():
    from orch.emulator.asks import SERVICES

    return SERVICES


@pytest.fixture
def beside(emulated, monkeypatch):
    """The emulator's ports stand where the networks' own would; gives the options for the rest."""
    urls = emulated.urls()
    places = tuple(
        Candidate(network=network, url=urls[service], why="its port")
        for network, service in (("storj", "storj"), ("golem", "golem"), ("streamr", "streamr_info"))
    )
    monkeypatch.setattr("orch.discovery.search.candidates", lambda _: places)
    ports = {service: int(url.rpartition(":")[2]) for service, url in urls.items()}
    monkeypatch.setattr("orch.emulator.shell.DEFAULT_PORTS", ports)
    operator = unannounced(urls)["STREAMR_OPERATOR"]
    return ("--operator", operator, "--rpc-url", urls["streamr_rpc"], "--grass-url", urls["grass"])


def squeezed(text):
    return " ".join(text.split())


def test_on_a_bare_machine_it_says_what_to_do_and_writes_nothing(orch, home):
    found = orch("init")
    assert found.exit_code == 1
    told = squeezed(found.stdout)
    assert "No node was found on this host." in told
    assert all(word in told for word in ("--storj-url", "--golem-url", "--operator", "GRASS_TOKEN", "orch demo"))
    assert list(home.iterdir()) == []
    body = json.loads(orch("init", "--json").stdout)
    assert (body["written"], body["nodes"], body["added"]) == (False, [], [])
    assert {each["protocol"] for each in body["missing"]} == {"storj", "golem", "streamr", "grass"}


def test_beside_the_emulator_it_writes_what_check_passes(orch, home, beside, monkeypatch):
    body = json.loads(orch("init", "--json", *beside).stdout)
    assert [(each["protocol"], each["emulated"]) for each in body["nodes"]] == [
        ("storj", True),
        ("golem", True),
        ("streamr", True),
        ("grass", False),
    ]
    assert (body["path"], body["created"], body["written"]) == (str(home / "orch.toml"), True, True)
    for name, value in demo_environment().items():
        monkeypatch.setenv(name, value)
    config = load(home / "orch.toml", demo_environment())
    assert config.mode == "suggest"
    assert [node.name for node in config.nodes] == ["disk", "compute", "relay", "address"]
    assert config.warnings == ()
    with (home / "orch.toml").open("a") as file:
        file.write("[web]\nport = 0\n")
    checked = orch("check", "--json")
    assert checked.exit_code == 0, checked.stdout
    found = json.loads(checked.stdout)
    assert found["problems"] == 0
    assert found["set_badly_by"].startswith("this one look")
    best = found["set_badly"][0]
    assert best["sentence"].startswith("compute cores 2, better ")
    assert best["usd_per_month"] > 1
    costs = [line for line in found["lines"] if line["asked"] == "observer cost"]
    assert len(costs) == 4
    assert all("requests" in line["sentence"] for line in costs)


def test_nothing_secret_is_written_and_only_its_owner_reads_it(orch, home, beside, monkeypatch):
    for name, value in demo_environment().items():
        monkeypatch.setenv(name, value)
    found = orch("init", *beside)
    path = home / "orch.toml"
    for text in (path.read_text(), found.stdout):
        assert APP_KEY not in text
        assert TOKEN not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "is not set" not in found.stdout
    assert 'app_key = {env = "YAGNA_APPKEY"}' in path.read_text()


def test_hand_edits_stay_and_only_what_is_new_is_added(orch, home, beside):
    path = home / "orch.toml"
    mine = "# my own words\n[orch]\nmode   =   'observe'\n\n[nodes.big]\nprotocol = 'storj'\n"
    path.write_text(f"{mine}url = {json.dumps(_url_of(beside, 'storj', orch))}\n")
    before = path.read_text()
    body = json.loads(orch("init", "--json", *beside).stdout)
    assert path.read_text().startswith(before)
    assert body["kept"] == ["big"]
    assert body["added"] == ["compute", "relay", "address"]
    assert [each["name"] for each in body["nodes"] if not each["new"]] == ["big"]
    assert body["created"] is False
    after = path.read_bytes()
    again = orch("init", *beside)
    assert again.exit_code == 0
    assert "Nothing to add" in again.stdout
    assert path.read_bytes() == after


def _url_of(beside, protocol, orch):
    text = json.loads(orch("init", "--json", "--dry-run", "--config", "elsewhere.toml", *beside).stdout)["text"]
    import tomllib

    return next(each["url"] for each in tomllib.loads(text)["nodes"].values() if each["protocol"] == protocol)


def test_a_dry_run_shows_the_file_and_writes_nothing(orch, home, beside):
    found = orch("init", "--dry-run", *beside)
    assert found.exit_code == 0
    assert "[nodes.disk]" in found.stdout
    assert not (home / "orch.toml").exists()


def test_it_writes_where_it_is_told(orch, home, beside, tmp_path):
    place = tmp_path / "etc" / "mine.toml"
    found = orch("init", "--config", place, "--data-dir", tmp_path / "d", *beside)
    assert found.exit_code == 0, found.stderr
    assert f"orch check --config {place}" in squeezed(found.stdout) or "--config" in found.stdout
    assert load(place, demo_environment()).data_dir == tmp_path / "d"
    assert not (home / "orch.toml").exists()


def test_without_operator_and_rpc_the_other_nodes_are_written_and_both_are_asked_for(orch, home, beside):
    body = json.loads(orch("init", "--json").stdout)
    assert body["added"] == ["disk", "compute"]
    blocking = [each for each in body["missing"] if each["blocks"]]
    assert {each["protocol"] for each in blocking} == {"streamr"}
    assert len(blocking) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [("[orch", "not TOML"), ("nodes = {}\n", "cannot be added"), ("[orch]\nmood = 1\n", "orch.mood")],
)
def test_a_file_that_cannot_be_used_is_left_alone(orch, home, beside, text, said):
    path = home / "orch.toml"
    path.write_text(text)
    found = orch("init", *beside)
    assert (found.exit_code, found.stdout) == (2, "")
    assert said in found.stderr
    assert path.read_text() == text


def test_wrong_options_are_said_before_anything_is_looked_at(orch, monkeypatch):
    monkeypatch.setattr("orch.discovery.search.search", None)
    found = orch("init", "--operator", "0x12")
    assert found.exit_code == 2
    assert "--operator" in found.stderr


def test_a_small_real_host_gets_no_limits_that_it_cannot_keep(orch, home, monkeypatch):
    from orch.model.resources import Resources

    monkeypatch.setattr(
        "orch.system.host.measure_capacity", lambda _: Resources(cpu_cores=0.6, memory_gb=0.9, storage_gb=20.0)
    )
    operator = "0x" + "1f" * 20
    found = orch("init", "--operator", operator, "--rpc-url", "http://127.0.0.1:9", "--grass-token-file", "t")
    assert found.exit_code == 0, found.stderr
    text = (home / "orch.toml").read_text()
    assert "# min = " in text
    assert "# reserve = " in text
    assert {node.protocol for node in load(home / "orch.toml", {}).nodes} == {"streamr", "grass"}
