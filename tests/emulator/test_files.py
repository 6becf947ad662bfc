"""The emulated nodes' own files: the levers of real nodes act on them, and the nodes are as slow to follow."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from orch.config.load import from_tables
from orch.emulator.answers import answer
from orch.emulator.asks import Ask
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.files import CONFIG, FILES, Folder, content
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.storj_file import allocated_gb, with_allocation
from orch.errors import LeverError
from orch.levers.golem_provider import LEVER as PROVIDER
from orch.levers.storj_config import LEVER as STORJ
from orch.model.resources import Resources
from orch.model.wire import CommandRun, FileRead, FileWrite, Pause, ToolCall
from tests.fakes.hands import pull

START = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
FILE = "/emulated/storagenode/config.yaml"


class Hands:
    """Answers a lever in process; what takes time takes it in the world."""

    def __init__(self, world):
        self.world, self.now = world, world.time + timedelta(seconds=1)

    def __call__(self, request):
        found, seconds = answer_request(self.world, request, self.now)
        self.now += timedelta(seconds=seconds)
        return found


@pytest.fixture
def hands(world):
    return Hands(world)


@pytest.fixture(scope="module")
def levers(tmp_path_factory):
    """The options that the demonstration gives to the levers of real nodes."""
    config = from_tables(demo_nodes(emulated_urls()), demo_environment(), tmp_path_factory.mktemp("demo"))
    return {lever.kind: lever.options for node in config.nodes for lever in node.levers}


def test_storage_is_moved_by_the_lever_of_real_storage_nodes(hands, levers):
    options = levers["storj_config"]
    assert pull(STORJ.read(options), hands).allocation == Resources(storage_gb=3000.0)
    pull(STORJ.apply(options, Resources(storage_gb=5700.0)), hands)
    assert allocated_gb(hands.world.state.storj_config) == 5700.0
    with pytest.raises(LeverError, match="connection was refused"):
        pull(STORJ.read(options), hands)
    assert hands.world.allocation("disk", hands.now).storage_gb == 3000.0
    hands.now += timedelta(seconds=91)
    assert pull(STORJ.read(options), hands).allocation == Resources(storage_gb=5700.0)
    ((_, node, resource, old, new),) = hands.world.lever_log
    assert (node, resource, old, new) == ("disk", "storage_gb", 3000.0, 5700.0)


def test_an_edit_alone_changes_nothing_until_the_restart(hands):
    before = hands(FileRead(path=FILE)).body
    hands(FileWrite(path=FILE, body=with_allocation(before, 4000.0), expected=before))
    hands.now += timedelta(hours=1)
    hands.world.advance(hands.now)
    assert hands.world.allocation("disk", hands.now).storage_gb == 3000.0
    assert hands(FileWrite(path=FILE, body=b"", expected=before)).reason == "conflict"


@pytest.mark.parametrize(
    ("text", "gb"),
    [
        ("6.00 TB", 6000.0),
        ("4500 GB", 4500.0),
        ("1TiB", 1099.511627776),
        ("700G", 700.0),
        ("800000000000", 800.0),
        ("plenty", 1000.0),
        ("1.2.3 GB", 1000.0),
    ],
)
def test_a_size_is_understood_as_the_node_does(text, gb):
    body = b"# storage.allocated-disk-space: 9 TB\nstorage.allocated-disk-space: " + text.encode() + b"\n"
    assert allocated_gb(body) == pytest.approx(gb)


def test_without_the_line_the_default_counts_and_a_line_is_added():
    assert allocated_gb(b"# nothing\n") == 1000.0
    assert allocated_gb(with_allocation(b"# nothing\n", 1234.5)) == 1234.5


def test_a_node_with_too_little_does_not_start_until_it_is_given_more(hands, levers):
    before = hands(FileRead(path=FILE)).body
    hands(FileWrite(path=FILE, body=with_allocation(before, 100.0)))
    hands(CommandRun(argv=levers["storj_config"].restart))
    hands.now += timedelta(hours=3)
    hands.world.advance(hands.now)
    assert hands.world.presence("disk", hands.now) == "refused"
    # What a lever does to undo: the node is away, and is given its old allocation all the same.
    pull(STORJ.apply(levers["storj_config"], Resources(storage_gb=3000.0)), hands)
    hands.now += timedelta(seconds=91)
    assert pull(STORJ.read(levers["storj_config"]), hands).allocation == Resources(storage_gb=3000.0)


def test_compute_is_moved_by_the_lever_of_real_providers(hands, levers):
    options = levers["golem_provider"]
    before = pull(PROVIDER.read(options), hands).allocation
    assert before == Resources(cpu_cores=2.0, memory_gb=8.0, storage_gb=6000.0)
    goal = Resources(cpu_cores=9.0, memory_gb=11.0)
    began = hands.now
    pull(PROVIDER.apply(options, goal), hands)
    assert timedelta(seconds=3) <= hands.now - began <= timedelta(seconds=10)
    assert pull(PROVIDER.read(options), hands).allocation == Resources(
        cpu_cores=9.0, memory_gb=11.0, storage_gb=6000.0
    )
    assert hands.world.allocation("compute", hands.now).cpu_cores == 9.0


def test_a_running_agreement_keeps_its_size_also_when_everything_is_taken_off_the_market(hands, levers):
    world, options = hands.world, levers["golem_provider"]
    while world.golem.running(world.state.golem) is None or world.presence("compute", hands.now) != "up":
        hands.now += timedelta(minutes=1)
        world.advance(hands.now)
    agreement = world.golem.running(world.state.golem)
    pull(PROVIDER.apply(options, Resources(cpu_cores=0.0)), hands)
    assert pull(PROVIDER.read(options), hands).allocation.cpu_cores == 0.0
    assert world.allocation("compute", hands.now + timedelta(seconds=6)).cpu_cores == 0.0
    assert world.committed("compute").cpu_cores == agreement.offer.threads
    ends = agreement.signed + agreement.lasts
    hands.now += timedelta(days=2)
    world.advance(hands.now)
    assert agreement.ended == ends or agreement.broken
    assert world.golem.running(world.state.golem) is None
    pull(PROVIDER.apply(options, Resources(cpu_cores=2.0)), hands)
    assert pull(PROVIDER.read(options), hands).allocation.cpu_cores == 2.0


def test_what_the_emulated_host_has_not_is_told(hands):
    assert hands(FileRead(path="/etc/passwd")).reason == "missing_file"
    assert hands(FileWrite(path="/emulated/other", body=b"")).reason == "missing_file"
    assert hands(CommandRun(argv=("systemctl", "restart", "storagenode"))).reason == "failed"
    assert hands(ToolCall(tool="docker", action="inspect")).reason == "refused"
    assert hands(ToolCall(tool="processes", action="find")).body == b"[]"
    began = hands.now
    hands(Pause(seconds=7.0))
    assert hands.now - began == timedelta(seconds=7)


# -- a real directory --------------------------------------------------------------------------------------


def control(world, method, path, now, body=b""):
    return answer(world, Ask(service="control", method=method, path=path, body=body), now)


def test_both_sides_of_a_directory_see_what_the_other_wrote(world, tmp_path):
    folder, now = Folder(tmp_path, world), world.time + timedelta(seconds=5)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == content(world, name)
    hardware = tmp_path / "ya-provider" / "hardware.json"
    document = msgspec.json.decode(hardware.read_bytes())
    document["profiles"]["default"]["cpu_threads"] = 5
    hardware.write_bytes(msgspec.json.encode(document))
    folder.take_up(now)
    assert world.allocation("compute", now).cpu_cores == 2.0
    assert world.allocation("compute", now + timedelta(seconds=6)).cpu_cores == 5.0
    assert len(world.lever_log) == 1
    folder.take_up(now)
    assert len(world.lever_log) == 1
    (tmp_path / CONFIG).write_bytes(b"storage.allocated-disk-space: 4 TB\n")
    folder.take_up(now)
    assert control(world, "POST", "/restart/disk", now).status == 202
    assert world.allocation("disk", now + timedelta(seconds=91)).storage_gb == 4000.0
    later = now + timedelta(minutes=5)
    body = msgspec.json.encode({"storage_gb": 4500.0})
    assert control(world, "PUT", "/levers/disk", later, body).status == 202
    folder.put_down()
    assert (tmp_path / CONFIG).read_bytes() == b"storage.allocated-disk-space: 4500 GB\n"
    folder.take_up(later)
    assert world.allocation("disk", later + timedelta(seconds=91)).storage_gb == 4500.0


def test_what_was_written_while_nobody_ran_counts_and_a_lost_file_changes_nothing(world, tmp_path):
    Folder(tmp_path, world)
    (tmp_path / CONFIG).write_bytes(b"storage.allocated-disk-space: 4 TB\n")
    folder = Folder(tmp_path, world)
    assert allocated_gb(world.state.storj_config) == 4000.0
    (tmp_path / CONFIG).unlink()
    folder.take_up(world.time)
    assert allocated_gb(world.state.storj_config) == 4000.0


def test_the_control_service_knows_the_files_and_the_restart(world):
    now = world.time + timedelta(seconds=5)
    assert control(world, "GET", "/storagenode/config.yaml", now).body == world.state.storj_config
    assert control(world, "PUT", "/storagenode/config.yaml", now, b"x: 1\n").status == 202
    assert world.state.storj_config == b"x: 1\n"
    assert control(world, "GET", "/restart/disk", now).status == 405
    assert control(world, "POST", "/restart/relay", now).status == 404
    assert control(world, "DELETE", "/storagenode/config.yaml", now).status == 405
