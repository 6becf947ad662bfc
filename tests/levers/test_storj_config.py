"""The lever of a storage node: one line of its configuration, a restart, and what the node then says."""

import json

import pytest

from orch.errors import LeverError
from orch.levers.storj_config import LEVER, StorjConfigOptions, edited
from orch.model.resources import Resources
from tests.fakes.hands import PaperHost, bad, good, pull

PATH = "/etc/storagenode/config.yaml"
RESTART = ("systemctl", "restart", "storagenode")
OPTIONS = StorjConfigOptions(path=PATH, restart=RESTART)
CONFIG = (
    b"# how much the node may use\n# storage.allocated-disk-space: 1.00 TB\n"
    b"storage.allocated-disk-space: 6.00 TB\nserver.address: :28967\n"
)


class Node:
    """A storage node that reads its configuration when it is restarted, as genuine ones do."""

    def __init__(
        self, config=CONFIG, *, used=3_720_000_000_000, argv=("storagenode", "run"), variables=None, **disk
    ):
        self.allocated, self.used, self.disk = 6_000_000_000_000, used, disk
        self.argv, self.variables, self.container = argv, variables or {}, None
        self.starts = True
        self.host = PaperHost({PATH: config}, http=self.say, tool=self.look, command=self.restart)

    def say(self, request):
        assert request.url == "http://127.0.0.1:14002/api/sno/"
        now = {"used": self.used, "available": self.allocated - self.used, "allocated": self.allocated, "trash": 0}
        return good({"diskSpace": self.disk or now})

    def look(self, request):
        if request.tool == "docker":
            return good(self.container)
        assert json.loads(request.body)["program"] == "storagenode"
        return good([{"pid": 7, "argv": self.argv, "environment": self.variables}])

    def restart(self, request):
        if not self.starts:
            return bad("failed", "systemctl ended with 1: job failed")
        (line,) = [line for line in self.host.files[PATH].splitlines() if line.startswith(b"storage.allocated")]
        amount, unit = line.split(b": ")[1].split()
        self.allocated = round(float(amount) * {b"GB": 10**9, b"TB": 10**12}[unit])
        return good()


def test_a_new_allocation_is_written_restarted_and_read_from_the_node():
    node = Node()
    before = pull(LEVER.read(OPTIONS), node.host)
    assert before.allocation == Resources(storage_gb=6000.0)
    assert before.committed == before.used == Resources(storage_gb=3720.0)
    pull(LEVER.apply(OPTIONS, Resources(storage_gb=4500.5)), node.host)
    assert node.host.files[PATH] == CONFIG.replace(b"6.00 TB", b"4500.5 GB")
    assert node.host.done[-2:] == [f"write {PATH}", "systemctl restart storagenode"]
    assert pull(LEVER.read(OPTIONS), node.host).allocation == Resources(storage_gb=4500.5)


def test_before_1_143_what_is_available_is_the_allocation():
    node = Node(used=1, available=5_000_000_000_000, trash=100_000_000_000)
    node.disk["used"] = 3_000_000_000_000
    found = pull(LEVER.read(OPTIONS), node.host)
    assert found.allocation == Resources(storage_gb=5000.0)
    assert found.used == Resources(storage_gb=3100.0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a: 1\nstorage.allocated-disk-space:   2TB # mine\nb: 2\n", b"a: 1\nKEY: 700 GB\nb: 2\n"),
        (
            b"# storage.allocated-disk-space: 1.00 TB\nb: 2\n",
            b"# storage.allocated-disk-space: 1.00 TB\nKEY: 700 GB\nb: 2\n",
        ),
        (b"a: 1", b"a: 1\nKEY: 700 GB\n"),
        (b"", b"KEY: 700 GB\n"),
        (b"a: 1\r\nstorage.allocated-disk-space: 2TB\r\nb: 2\r\n", b"a: 1\r\nKEY: 700 GB\r\nb: 2\r\n"),
    ],
    ids=["set", "as a comment", "absent", "empty", "of another system"],
)
def test_one_line_changes_and_comments_stay(before, after):
    assert edited(before, 700.0, PATH) == after.replace(b"KEY", b"storage.allocated-disk-space")


@pytest.mark.parametrize(
    ("before", "sentence"),
    [(CONFIG + CONFIG, "sets storage.allocated-disk-space 2 times"), (b"\0\1", "not a text file")],
    ids=["twice", "binary"],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(before, sentence):
    with pytest.raises(LeverError, match=sentence):
        edited(before, 700.0, PATH)


@pytest.mark.parametrize(
    ("goal_gb", "sentence"),
    [
        (499.0, "does not start with 499 GB: at least 500"),
        (3700.0, r"stores 3720.0 GB, which 3700 GB cannot hold"),
    ],
    ids=["below the minimum", "below what is stored"],
)
def test_what_the_node_could_not_live_with_is_refused(goal_gb, sentence):
    node = Node()
    with pytest.raises(LeverError, match=sentence):
        pull(LEVER.apply(OPTIONS, Resources(storage_gb=goal_gb)), node.host)
    assert node.host.files[PATH] == CONFIG
    assert "systemctl restart storagenode" not in node.host.done


@pytest.mark.parametrize(
    ("options", "node", "container", "sentence"),
    [
        (
            OPTIONS,
            Node(argv=("storagenode", "run", "--storage.allocated-disk-space=6TB")),
            None,
            "runs with --storage",
        ),
        (OPTIONS, Node(variables={"STORJ_STORAGE_ALLOCATED_DISK_SPACE": "6TB"}), None, "runs with STORJ_STORAGE"),
        ("docker", Node(), {"Config": {"Env": ["STORAGE=6TB"]}, "Args": []}, "has STORAGE=6TB, which wins"),
        ("docker", Node(), {"Config": {"Env": []}, "Args": []}, "has STORAGE=2.0TB, which wins"),
        (
            "docker",
            Node(),
            {"Config": {"Env": ["STORAGE="]}, "Args": ["--storage.allocated-disk-space", "6TB"]},
            "runs with --storage",
        ),
    ],
    ids=["flag", "environment", "container", "the image's default", "the container's flag"],
)
def test_where_something_else_has_the_last_word_nothing_is_touched(options, node, container, sentence):
    if options == "docker":
        options = StorjConfigOptions(
            path=PATH, restart=("docker", "restart", "-t", "300", "node"), container="node"
        )
        node.container = container
    with pytest.raises(LeverError, match=sentence):
        pull(LEVER.apply(options, Resources(storage_gb=5000.0)), node.host)
    assert node.host.files[PATH] == CONFIG


def test_a_container_that_leaves_the_file_its_say_is_edited():
    node = Node()
    node.container = {"Config": {"Env": ["STORAGE=", "PATH=/bin"]}, "Args": ["run"]}
    options = StorjConfigOptions(path=PATH, restart=("docker", "restart", "-t", "300", "node"), container="node")
    pull(LEVER.apply(options, Resources(storage_gb=5000.0)), node.host)
    assert pull(LEVER.read(options), node.host).allocation.storage_gb == 5000.0


def test_when_the_restart_fails_the_file_has_its_old_content():
    node = Node()
    node.starts = False
    with pytest.raises(LeverError, match=r"was not restarted, its configuration is as before: .*job failed"):
        pull(LEVER.apply(OPTIONS, Resources(storage_gb=5000.0)), node.host)
    assert node.host.files[PATH] == CONFIG


def test_a_node_that_is_away_cannot_be_read_and_can_be_put_back():
    """It may be away because of what is to be undone."""
    node = Node()
    node.host.http = lambda _: bad("refused", "nobody listens")
    with pytest.raises(LeverError, match="does not say what it uses: nobody listens"):
        pull(LEVER.read(OPTIONS), node.host)
    pull(LEVER.apply(OPTIONS, Resources(storage_gb=5000.0)), node.host)
    assert node.host.files[PATH] == CONFIG.replace(b"6.00 TB", b"5000 GB")
    assert node.host.done[-1] == "systemctl restart storagenode"


def test_what_is_in_force_already_needs_no_restart():
    node = Node()
    edit = CONFIG.replace(b"6.00 TB", b"5000 GB")
    node.host.files[PATH] = edit
    pull(LEVER.apply(OPTIONS, Resources(storage_gb=6000.0)), node.host)
    assert node.host.files[PATH] == CONFIG.replace(b"6.00 TB", b"6000 GB")
    assert node.host.done[-1] == f"write {PATH}"


def test_what_the_node_says_has_to_make_sense():
    node = Node()
    node.host.http = lambda _: good({"diskSpace": {"used": -5, "available": 1}})
    with pytest.raises(LeverError, match="less than nothing"):
        pull(LEVER.read(OPTIONS), node.host)


def test_it_rests_for_a_day():
    assert LEVER.cost("storj", OPTIONS).dwell_s == 24 * 3600
    assert LEVER.sets("storj", OPTIONS) == ("storage_gb",)


def test_what_would_be_done_is_said():
    said = LEVER.describe(OPTIONS, Resources(storage_gb=4500.0))
    assert said == f"set `storage.allocated-disk-space: 4500 GB` in {PATH}, then run systemctl restart storagenode"


def test_a_write_that_says_yes_and_did_nothing_is_noticed_before_the_restart():
    node = Node()
    node.host.on_write = lambda _: good()
    with pytest.raises(LeverError, match=r"config.yaml does not hold what was written to it"):
        pull(LEVER.apply(OPTIONS, Resources(storage_gb=4500.0)), node.host)
    assert "systemctl restart storagenode" not in node.host.done
