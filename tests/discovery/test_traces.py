"""Where to knock, by what was seen; and what is never taken from a node's files."""

from __future__ import annotations

import json

import pytest

from orch.discovery.traces import candidates, look_for, more_files, network_of, streamr_config
from orch.system.containers import ContainerSeen, Mount, Published
from orch.system.surroundings import FileSeen, ProcessSeen, Surroundings

KEY = "0x" + "ab" * 32
OPERATOR = "0x" + "1f" * 20
USUAL = {
    ("storj", "http://127.0.0.1:14002"),
    ("golem", "http://127.0.0.1:7465"),
    ("streamr", "http://127.0.0.1:7171"),
}


CONSOLE = Published(inside=14002, address="127.0.0.1", port=14012)


def process(program, **changes):
    return ProcessSeen(program=program, pid=7, **changes)


def container(image, **changes):
    fields = {"id": "c1", "name": "node", "image": image, "running": True}
    return ContainerSeen(**{**fields, **changes})


def streamr_file(**changes):
    body = {
        "client": {"auth": {"privateKey": KEY}, "environment": "polygon"},
        "plugins": {"operator": {"operatorContractAddress": OPERATOR}, "info": {}},
        "httpServer": {"port": 7272},
    }
    return json.dumps({**body, **changes})


def test_the_usual_ports_are_always_knocked_at():
    found = candidates(Surroundings())
    assert {(each.network, each.url) for each in found} > USUAL


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (
            {"processes": (process("storagenode", arguments=("storagenode", "--console.address=:15002")),)},
            ("storj", "http://127.0.0.1:15002"),
        ),
        (
            {"processes": (process("storagenode", ports=(16002,)),)},
            ("storj", "http://127.0.0.1:16002"),
        ),
        (
            {"processes": (process("yagna", environment=(("YAGNA_API_URL", "http://127.0.0.1:7999"),)),)},
            ("golem", "http://127.0.0.1:7999"),
        ),
        (
            {
                "processes": (
                    process("streamr-node", environment=(("STREAMR__BROKER__HTTP_SERVER__PORT", "7373"),)),
                )
            },
            ("streamr", "http://127.0.0.1:7373"),
        ),
        (
            {"containers": (container("storjlabs/storagenode:latest", published=(CONSOLE,)),)},
            ("storj", "http://127.0.0.1:14012"),
        ),
        (
            {"files": (FileSeen(path="/etc/storagenode/config.yaml", text="console.address: 0.0.0.0:14102\n"),)},
            ("storj", "http://127.0.0.1:14102"),
        ),
        (
            {"files": (FileSeen(path="/home/a/.streamr/config/default.json", text=streamr_file()),)},
            ("streamr", "http://127.0.0.1:7272"),
        ),
    ],
)
def test_what_is_seen_adds_a_place_to_knock_at(seen, expected):
    found = [(each.network, each.url) for each in candidates(Surroundings(**seen))]
    assert expected in found
    assert found.index(expected) < found.index(("storj", "http://127.0.0.1:14002"))


@pytest.mark.parametrize(
    "seen",
    [
        {"containers": (container("nginx", published=(Published(inside=80, address="", port=80),)),)},
        {"containers": (container("storagenode", running=False, published=(CONSOLE,)),)},
        {"files": (FileSeen(path="/etc/storagenode/config.yaml"),)},
        {"files": (FileSeen(path="/x/default.json", text="{"),)},
        {"files": (FileSeen(path="/x/config.yaml", text="# console.address: :9\nconsole.address: x"),)},
        {"processes": (ProcessSeen(program="grass", pid=3, ports=(9,)),)},
    ],
)
def test_what_says_nothing_adds_nothing(seen):
    assert candidates(Surroundings(**seen)) == candidates(Surroundings())


def test_each_place_is_knocked_at_once():
    seen = Surroundings(processes=(ProcessSeen(program="yagna", pid=1, ports=(7465,)),))
    places = [(each.network, each.url) for each in candidates(seen)]
    assert len(places) == len(set(places))


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        ("storjlabs/storagenode:latest", "x", "storj"),
        ("streamr/node", "x", "streamr"),
        ("mrcolorrain/grass", "x", "grass"),
        ("debian:12", "my-storagenode", "storj"),
        ("nginx", "web", None),
    ],
)
def test_containers_are_known_by_image_then_by_name(image, name, expected):
    assert network_of(container(image, name=name)) == expected


def test_files_that_processes_and_containers_name_are_read_too():
    seen = Surroundings(
        processes=(
            ProcessSeen(program="storagenode", pid=1, arguments=("storagenode", "--config-dir", "/sn")),
            ProcessSeen(program="ya-provider", pid=2, environment=(("DATA_DIR", "/yp"),)),
        ),
        containers=(
            container("streamr/node", mounts=(Mount(source="/srv/st", destination="/home/streamr/.streamr"),)),
        ),
    )
    assert set(more_files(seen)) == {
        "/sn/config.yaml",
        "/yp/hardware.json",
        "/yp/presets.json",
        "/srv/st/config/default.json",
    }


def test_the_private_key_of_a_streamr_node_is_never_kept():
    told = streamr_config(streamr_file())
    assert (told.operator, told.port, told.has_info, told.environment) == (OPERATOR, 7272, True, "polygon")
    assert KEY[2:] not in repr(told)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"plugins": {}}, "operator", None),
        ({"plugins": {"operator": {"operatorContractAddress": "nonsense"}}}, "operator", None),
        ({"plugins": {}}, "has_info", False),
        ({"plugins": {"info": {"apiAuthentication": {"keys": ["k"]}}}}, "info_has_key", True),
        ({"apiAuthentication": {"keys": ["k"]}}, "info_has_key", True),
        ({"plugins": {"autostaker": {}}}, "autostaker", True),
        ({"client": {"environment": "polygonAmoy"}}, "environment", "polygonAmoy"),
    ],
)
def test_what_a_streamr_file_says(changes, field, expected):
    assert getattr(streamr_config(streamr_file(**changes)), field) == expected


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plugins": []}', '{"a": 1}'])
def test_another_file_is_no_streamr_file(text):
    assert streamr_config(text) is None


def test_usual_places_are_the_users_own():
    assert all(path.startswith(("/home/me/", "/work/", "/etc/")) for path in look_for("/home/me", "/work").files)
