import os

import pytest

from orch.config.redact import redact, secrets_of
from orch.config.secrets import place
from orch.model.wire import Secret

GRASS = '[nodes.a]\nprotocol = "grass"\ntoken = { %s }\n'


def test_from_the_environment(read):
    (node,) = read(GRASS % 'env = "T"', {"T": " the-token\n"}).nodes
    assert node.options.token == Secret(value="the-token")
    assert node.findings == ()


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "a.token"
    made.write_text("the-token\n")
    made.chmod(0o600)
    return made


@pytest.mark.parametrize("written", ["a.token", "./a.token", "~/a.token", None])
def test_from_a_file(read, file, tmp_path, written):
    (node,) = read(GRASS % f'file = "{written or file}"', {"HOME": str(tmp_path)}).nodes
    assert node.options.token == Secret(value="the-token")
    assert node.findings == ()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read(read, file, mode):
    file.chmod(mode)
    (node,) = read(GRASS % 'file = "a.token"').nodes
    assert node.options.token == Secret(value="the-token")
    (finding,) = node.findings
    assert (finding.code, finding.severity) == ("secret_file_mode", "warning")
    assert finding.sentence == f"nodes.a.token: the file {file} can be read by other users of this host"
    assert finding.remedy == f"chmod 600 {file}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file {} is empty"),
        (b" \n", "the file {} is empty"),
        (b"\xff\xfehush", "the file {} is not text"),
        (b"hush\nhush", "the file {} holds more than one line of text"),
    ],
)
def test_a_secret_that_cannot_be_used(read, file, content, why):
    file.write_bytes(content)
    config = read(GRASS % 'file = "a.token"')
    (finding,) = config.nodes[0].findings
    assert config.nodes[0].options.token is None
    assert (finding.code, finding.sentence) == ("secret_missing", f"nodes.a.token: {why.format(file)}")
    assert "hush" not in str(config.warnings)


def test_a_secret_that_is_missing(read, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dir").mkdir()
    for reference, why in (
        ('env = "T"', "the environment variable T is not set"),
        ('file = "none"', f"the file {tmp_path}/none does not exist"),
        ('file = "pipe"', f"{tmp_path}/pipe is not a regular file"),
        ('file = "dir"', f"{tmp_path}/dir is not a regular file"),
    ):
        config = read(GRASS % reference)
        assert config.nodes[0].options.token is None
        assert [each.sentence for each in config.nodes[0].findings] == [f"nodes.a.token: {why}"]
        assert len(config.warnings) == 1


def test_data_commands_look_nothing_up(read):
    config = read(GRASS % 'env = "T"' + "[notify]\nurls = [{ env = 'N' }]", {"T": "x"}, resolve_secrets=False)
    assert config.nodes[0].options.token is None
    assert config.warnings == ()


def test_a_warning_belongs_to_its_node(read):
    text = GRASS % 'env = "T"' + '[nodes.disk]\nprotocol = "storj"\n[notify]\nurls = [{ env = "N" }]\n'
    config = read(text)
    assert [len(node.findings) for node in config.nodes] == [1, 0]
    assert [each.sentence for each in config.findings] == ["notify.urls[0]: the environment variable N is not set"]
    assert config.notify == ()


def test_places(tmp_path):
    assert place("a/b", tmp_path, {}) == tmp_path / "a/b"
    assert str(place("/a", tmp_path, {})) == "/a"
    assert str(place("~/a", tmp_path, {"HOME": "/home/me"})) == "/home/me/a"
    assert str(place("~", tmp_path, {"HOME": "/home/me"})) == "/home/me"
    assert place("~/a", tmp_path, {}) == tmp_path / "~/a"


def test_nothing_secret_is_shown(read):
    config = read(
        """
        [nodes.compute]
        protocol = "golem"
        url = "http://me:hush@127.0.0.1:7465/path?k=hush"
        app_key = { env = "K" }
        [nodes.relay]
        protocol = "streamr"
        rpc_url = "https://polygon.example/v2/hush0123456789hush0123456789?hush#hush"
        operator = "0x0000000000000000000000000000000000000001"
        [prices]
        override = { GLM = 0.21 }
        [notify]
        urls = ["tgram://hush/hush"]
        """,
        {"K": "hush-key"},
    )
    shown = redact(config)
    assert "hush" not in str(shown)
    assert "hush" not in repr(config.nodes[0].options.app_key)
    compute, relay = shown["nodes"]
    assert compute["options"]["app_key"] == "***"
    assert compute["options"]["url"] == "http://***@127.0.0.1:7465/path?***"
    assert relay["options"]["rpc_url"] == "https://polygon.example/v2/***?***#***"
    assert relay["options"]["operator"] == "0x0000000000000000000000000000000000000001"
    assert shown["notify"] == ["***"]
    assert shown["prices"]["override"] == {"GLM": "0.21"}
    assert sorted(set(secrets_of(config))) == ["hush-key", "tgram://hush/hush"]
