from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orch.config.load import TABLES, from_tables, load
from orch.config.schema import Amounts, Config, Percent
from orch.errors import ConfigError
from orch.model.wire import Secret
from orch.strategies.periodic import PeriodicOptions

WHOLE = """
[orch]
mode = "suggest"
data_dir = "~/.local/share/orch"
[host]
cpu_cores = "auto"
memory_gb = "auto"
bandwidth_mbps = 500
storage_gb = 8000
reserve = { cpu_cores = 0.5, memory_gb = 1, bandwidth_mbps = 20, storage_gb = 50 }
[cadence]
poll_s = 5
analyze_s = 30
decide_s = 60
[optimizer]
solver = "linear"
strategy = "threshold"
horizon_h = 24
[optimizer.threshold]
margin_pct = 12
[optimizer.periodic]
interval_h = 24
margin_pct = 5
[optimizer.predictive]
min_confidence = 0.8
[optimizer.risk_aware]
risk_tolerance = 0.0004
[limits]
min_hold_s = 3600
max_reallocations_per_hour = 2
min_per_node = "0%"
max_per_node = "90%"
[costs]
usd_per_kwh = 0.30
watts_idle = 25
watts_per_core = 8
[nodes.disk]
protocol = "storj"
url = "http://127.0.0.1:14002"
config_path = "storagenode/config.yaml"
min = { storage_gb = 500 }
max = { storage_gb = 6000 }
[[nodes.disk.levers]]
kind = "storj_config"
path = "storagenode/config.yaml"
restart = ["systemctl", "restart", "storagenode"]
mode = "approve"
[[nodes.disk.levers]]
kind = "emulated"
mode = "auto"
[nodes.compute]
protocol = "golem"
url = "http://127.0.0.1:7465"
app_key = { env = "YAGNA_APPKEY" }
max = { cpu_cores = "50%" }
process = "ya-provider"
pidfile = "ya.pid"
ip_group = "home"
mode = "observe"
[nodes.relay]
protocol = "streamr"
rpc_url = "https://polygon.example/rpc"
operator = "0x0000000000000000000000000000000000000000"
info_url = "http://127.0.0.1:7171"
min = { cpu_cores = 0.5, memory_gb = 1 }
[nodes.address]
protocol = "grass"
url = "https://api.getgrass.io"
token = { file = "grass.token" }
[prices]
sources = ["coingecko", "defillama", "binance", "coinbase", "bybit"]
override = { GLM = 0.21, DATA = 1 }
[web]
bind = "127.0.0.1"
port = 8787
open_reads = true
[notify]
urls = ["mailto://me@example.org", { env = "TELEGRAM" }]
"""


def test_the_whole_schema(read, tmp_path):
    (tmp_path / "grass.token").write_text("the-token\n")
    (tmp_path / "grass.token").chmod(0o600)
    config = read(WHOLE, {"HOME": "/home/me", "YAGNA_APPKEY": "the-key", "TELEGRAM": "tgram://x"})
    assert str(config.data_dir) == "/home/me/.local/share/orch"
    assert config.base_dir == tmp_path
    assert (config.mode, config.cadence.poll_s, config.host.cpu_cores) == ("suggest", 5.0, "auto")
    assert config.host.reserve.memory_gb == 1.0
    assert config.optimizer.options["threshold"].margin_pct == 12.0
    assert config.optimizer.options["periodic"] == PeriodicOptions(interval_h=24.0, margin_pct=5.0)
    assert config.limits.max_per_node == Percent(percent=90.0)
    assert config.prices.override == {"GLM": Decimal("0.21"), "DATA": Decimal(1)}
    assert config.prices.sources == ("coingecko", "defillama", "binance", "coinbase", "bybit")
    assert config.notify == (Secret(value="mailto://me@example.org"), Secret(value="tgram://x"))
    disk, compute, relay, address = config.nodes
    assert [node.name for node in config.nodes] == ["disk", "compute", "relay", "address"]
    assert disk.minimum == Amounts(storage_gb=500.0)
    (lever,) = disk.levers
    assert (lever.kind, lever.mode) == ("emulated", "auto")
    assert (lever.options.url, lever.options.path) == (
        "http://127.0.0.1:14002",
        str(tmp_path / "storagenode/config.yaml"),
    )
    assert compute.options.app_key == Secret(value="the-key")
    assert compute.maximum == Amounts(cpu_cores=Percent(percent=50.0))
    assert (compute.process, compute.pidfile, compute.ip_group) == ("ya-provider", tmp_path / "ya.pid", "home")
    assert compute.mode == "observe"
    assert relay.options.rpc_url == "https://polygon.example/rpc"
    assert address.options.token == Secret(value="the-token")
    assert config.warnings == (
        (
            'nodes.disk.levers[0].kind = "storj_config" is not installed: orch only advises on what it would set; '
            "known: broken, cgroup, emulated"
        ),
    )


def test_nothing_is_needed(read):
    config = read("")
    assert config.nodes == ()
    assert (config.optimizer.solver, config.optimizer.strategy) == ("linear", "threshold")
    assert config.optimizer.options["threshold"].margin_pct == 10.0
    assert config.warnings == ("no node is configured; add a table [nodes.NAME] with its protocol",)


STORJ = '[nodes.disk]\nprotocol = "storj"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STORJ + 'urll = ".."', ['nodes.disk.urll = "..": unknown key, did you mean "url"?']),
        (
            STORJ + "zzz = 1",
            [
                (
                    "nodes.disk.zzz = 1: unknown key, known: config_path, ip_group, levers, max, min, mode, "
                    "pidfile, "
                    "process, protocol, url"
                )
            ],
        ),
        ("[optimiser]\nsolver = 1", ['optimiser: unknown table, did you mean "optimizer"?']),
        ("mode = 'auto'", ['mode = "auto": unknown key, did you mean "nodes"?']),
        ("orch = 5", ["orch = 5: must be a table"]),
        ("nodes = []", ["nodes = [...]: must be a table with one table per node"]),
        ("[nodes]\ndisk = 1", ["nodes.disk = 1: must be a table"]),
        ("[nodes.disk]", ["nodes.disk.protocol: missing"]),
        ("[nodes.disk]\nprotocol = 3", ["nodes.disk.protocol = 3: must be text, not a whole number"]),
        (
            '[nodes.disk]\nprotocol = "strj"',
            ['nodes.disk.protocol = "strj": unknown protocol, did you mean "storj"?'],
        ),
        (
            '[nodes.disk]\nprotocol = "bitcoin"',
            [
                'nodes.disk.protocol = "bitcoin": unknown protocol, known: broken, golem, grass, storj, streamr',
            ],
        ),
        (
            '[nodes.x]\nprotocol = "broken"',
            ["nodes.x.protocol = \"broken\": orch.x: 'broken' cannot be loaded: no module"],
        ),
        (
            '[nodes."my disk"]\nprotocol = "storj"',
            ['nodes."my disk": a node\'s name has letters, digits, - and _, at most 63, and no blank'],
        ),
        (STORJ + "url = 5", ["nodes.disk.url = 5: must be text, not a whole number"]),
        (STORJ + 'url = "disk:14002"', ['nodes.disk.url = "disk:14002": must be an http:// or https:// address']),
        (
            '[orch]\nmode = "atuo"',
            ['orch.mode = "atuo": must be one of observe, suggest, approve, auto; did you mean "auto"?'],
        ),
        ("[orch]\nmode = 1", ["orch.mode = 1: must be one of observe, suggest, approve, auto"]),
        ("[orch]\ndata_dir = true", ["orch.data_dir = true: must be text, not true or false"]),
        ("[cadence]\npoll_s = 0", ["cadence.poll_s = 0: must be a number > 0"]),
        ('[cadence]\npoll_s = "5"', ['cadence.poll_s = "5": must be a number, not text']),
        ("[cadence]\npoll_s = nan", ["cadence.poll_s = nan: must be a finite number that a machine could have"]),
        (
            "[cadence]\npoll_s = 1" + "0" * 400,
            ["cadence.poll_s = a huge number: must be a finite number that a machine could have"],
        ),
        ("[cadence]\npoll_s = true", ["cadence.poll_s = true: must be a number, not true or false"]),
        ("[cadence]\npoll_s = 2026-11-22", ["cadence.poll_s = 2026-11-22: must be a number, not a date"]),
        ('[host]\ncpu_cores = "all"', ['host.cpu_cores = "all": must be a number (or "auto")']),
        ("[host]\ncpu_cores = -1", ['host.cpu_cores = -1: must be a number >= 0 (or "auto")']),
        ("[host]\nreserve = { cpu = 1 }", ['host.reserve.cpu = 1: unknown key, did you mean "cpu_cores"?']),
        ("[host]\nreserve = 5", ["host.reserve = 5: must be a table"]),
        (
            "[host]\ncpu_cores = 2\nreserve = { cpu_cores = 3 }",
            ["host.reserve.cpu_cores = 3: more than the host's 2"],
        ),
        (
            '[limits]\nmin_per_node = "101%"',
            ['limits.min_per_node = "101%": a share must lie between 0% and 100%'],
        ),
        ('[limits]\nmin_per_node = "-1%"', ['limits.min_per_node = "-1%": a share must lie between 0% and 100%']),
        ("[limits]\nmin_per_node = 5", ['limits.min_per_node = 5: must be a share such as "12%"']),
        (
            "[limits]\nmax_reallocations_per_hour = 1.5",
            ["limits.max_reallocations_per_hour = 1.5: must be a whole number, not a number"],
        ),
        (
            STORJ + 'min = { storage_gb = "lots" }',
            ['nodes.disk.min.storage_gb = "lots": must be a number, not text or a share such as "12%"'],
        ),
        (
            STORJ + "min = { storage_gb = 9 }\nmax = { storage_gb = 8 }",
            ["nodes.disk.min.storage_gb = 9: more than the node's maximum, 8"],
        ),
        (
            "[host]\nstorage_gb = 100\n" + STORJ + 'min = { storage_gb = "60%" }\nmax = { storage_gb = 50 }',
            ["nodes.disk.min.storage_gb = 60: more than the node's maximum, 50"],
        ),
        (
            "[host]\nstorage_gb = 100\nreserve = { storage_gb = 10 }\n" + STORJ + "min = { storage_gb = 95 }",
            ["nodes.disk.min.storage_gb = 95: more than the 90 that capacity less reserve leaves"],
        ),
        (
            "[host]\ncpu_cores = 4\n"
            + STORJ
            + 'min = { cpu_cores = 3 }\n[nodes.two]\nprotocol = "golem"\nmin = { cpu_cores = "50%" }',
            [
                (
                    "nodes.disk.min.cpu_cores + nodes.two.min.cpu_cores = 5: "
                    "more than the 4 that capacity less reserve leaves"
                )
            ],
        ),
        (
            STORJ + '[nodes.two]\nprotocol = "storj"\nurl = "http://localhost:14002/"',
            ['nodes.two.url = "http://localhost:14002/": is the address of nodes.disk already'],
        ),
        (STORJ + "levers = 5", ["nodes.disk.levers = 5: must be a list"]),
        (STORJ + "levers = [5]", ["nodes.disk.levers[0] = 5: must be a table"]),
        (STORJ + "levers = [{}]", ["nodes.disk.levers[0].kind: missing"]),
        (
            STORJ + 'levers = [{ kind = "emulated", stepp = 1 }]',
            [
                'nodes.disk.levers[0].stepp = 1: unknown key, did you mean "step"?',
            ],
        ),
        (
            STORJ + 'levers = [{ kind = "emulated", url = "x", step = 0 }]',
            [
                "nodes.disk.levers[0].step = 0: must be a whole number >= 1",
            ],
        ),
        (
            STORJ + 'levers = [{ kind = "cgroup" }]',
            ['nodes.disk.levers[0].kind = "cgroup": does not work on a storj node; emulated, docker, broken do'],
        ),
        ('[nodes.a]\nprotocol = "grass"\nshare = 0.5', ["nodes.a: share must not be a half"]),
        ('[nodes.a]\nprotocol = "grass"\nshare = 2', ["nodes.a.share = 2: must be a number <= 1"]),
        (
            '[nodes.a]\nprotocol = "grass"\ntoken = "hush"',
            ['nodes.a.token: a secret in clear text; use { env = "NAME" } or { file = "path" }'],
        ),
        (
            '[nodes.a]\nprotocol = "grass"\ntokken = "hush"',
            ['nodes.a.tokken: unknown key, did you mean "token"?'],
        ),
        (
            '[nodes.a]\nprotocol = "grass"\ntoken = 5',
            ['nodes.a.token = 5: must be { env = "NAME" } or { file = "path" }'],
        ),
        *(
            (
                f'[nodes.a]\nprotocol = "grass"\ntoken = {wrong}',
                ['nodes.a.token: a secret is { env = "NAME" } or { file = "path" }'],
            )
            for wrong in ("{}", '{ env = "A", file = "b" }', "{ env = 5 }", '{ envv = "A" }', '{ env = "" }')
        ),
        (
            '[web]\nbind = "0.0.0.0"\nopen_reads = true',
            ["web.open_reads = true: only works on loopback, and web.bind is 0.0.0.0; remove it"],
        ),
        (
            '[web]\nbind = "everywhere"',
            ['web.bind = "everywhere": must be an IP address of this host, or localhost'],
        ),
        (
            '[web]\nnames = ["orch.example", "http://orch.example"]',
            ['web.names[1] = "http://orch.example": must be a host\'s name, without scheme and port'],
        ),
        ("[web]\nport = 70000", ["web.port = 70000: must be a whole number <= 65535"]),
        ("[prices]\noverride = { GLM = -1 }", ["prices.override.GLM = -1: must be a number >= 0"]),
        ('[prices]\noverride = { GLM = "x" }', ['prices.override.GLM = "x": must be a number']),
        (
            "[prices]\nstale_after_s = 100\nunknown_after_s = 50",
            ["prices.unknown_after_s = 50.0: must not be less than stale_after_s"],
        ),
        (
            '[prices]\ncoingecko_url = "http://me:hush@h/?k=hush y"',
            ['prices.coingecko_url = "http://***@h/?***": must be an http:// or https:// address'],
        ),
        (
            "[costs]\nusd_per_kwh = { default = 1, bands = [{ from = '25:00', to = '06:00', usd_per_kwh = 1 }] }",
            [
                (
                    'costs.usd_per_kwh.bands[0].from = "25:00": must be text matching regex '
                    "'^([01]\\\\d|2[0-3]):[0-5]\\\\d$'"
                )
            ],
        ),
        (
            "[optimizer]\nhorizon_h = 0\n[optimizer.threshold]\nmargin = 5",
            [
                "optimizer.horizon_h = 0: must be a number > 0",
                'optimizer.threshold.margin = 5: unknown key, did you mean "margin_pct"?',
            ],
        ),
        ("[optimizer.treshold]\nx = 1", ['optimizer.treshold: unknown table, did you mean "threshold"?']),
        ("[optimizer]\nthreshold = 1", ["optimizer.threshold = 1: must be a table"]),
        (
            "[optimizer.time_based]\ninterval_h = -1",
            ["optimizer.time_based.interval_h = -1: must be a number > 0"],
        ),
    ],
)
def test_faults(faults, text, expected):
    assert faults(text) == expected


def test_all_faults_at_once(faults):
    found = faults("""
        [orch]
        mode = "never"
        [cadence]
        poll_s = -1
        [nodes.disk]
        protocol = "storj"
        urll = "http://x"
        min = { storage_gb = "500%" }
        [nodes.other]
        protocol = "nothing"
        mod = "auto"
    """)
    assert [each.partition(" ")[0].rstrip(":") for each in found] == [
        "orch.mode",
        "cadence.poll_s",
        "nodes.disk.urll",
        "nodes.disk.min.storage_gb",
        "nodes.other.protocol",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[orch\n", "not TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b"a = 1\na = 2\n", "not TOML: Cannot overwrite a value (at line 2, column 6)"),
        (b"x = '\xff'", "not TOML: byte 5 is not UTF-8"),
        (b"x = " + b"[" * 5000, "not TOML: nested too deeply or with a number too long"),
        (b"x = " + b"9" * 5000, "not TOML: nested too deeply or with a number too long"),
    ],
)
def test_syntax(tmp_path, plugins, content, sentence):
    file = tmp_path / "orch.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load(file, {}, plugins=plugins)
    assert refused.value.faults == (f"{file}: {sentence}",)


def test_a_file_that_cannot_be_read(tmp_path):
    for path, why in ((tmp_path / "none.toml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as refused:
            load(path, {})
        assert refused.value.faults == (f"{path}: cannot be read: {why}",)


def test_what_is_not_built_is_a_warning(read):
    config = read("""
        [optimizer]
        solver = "genetic"
        strategy = "clever"
        [optimizer.time_based]
        interval_h = 12
        [costs]
        usd_per_kwh = { default = 0.3, bands = [{ from = "22:00", to = "06:00", usd_per_kwh = 0.2 }] }
        [nodes.disk]
        protocol = "storj"
        levers = [{ kind = "emulatd" }, { kind = "broken" }]
    """)
    assert (config.optimizer.solver, config.optimizer.strategy) == ("linear", "threshold")
    assert config.optimizer.options["periodic"].interval_h == 12.0
    assert config.nodes[0].levers == ()
    assert config.warnings == (
        'optimizer.solver = "genetic" is not installed, linear is used instead; known: greedy, keep, linear',
        (
            'optimizer.strategy = "clever" is not installed, threshold is used instead; '
            "known: keep, periodic, predictive, risk_aware, threshold"
        ),
        (
            "electricity has a price without costs.watts_idle and costs.watts_per_core: "
            "net income stays unknown; set watts_per_core, and watts_idle for the host, "
            "or let [costs.watts] measure"
        ),
        (
            'nodes.disk.levers[0].kind = "emulatd" is not installed: orch only advises on what it would set; '
            'did you mean "emulated"?'
        ),
        (
            'nodes.disk.levers[1].kind = "broken" is not installed: orch only advises on what it would set; '
            "orch.x: 'broken' cannot be loaded: no module"
        ),
    )


@pytest.mark.parametrize(
    ("web", "open_reads"),
    [
        ("", True),
        ('bind = "localhost"', True),
        ('bind = "::1"', True),
        ("open_reads = false", False),
        ('bind = "0.0.0.0"', False),
        ('names = ["orch.example"]', False),
        ('names = ["orch.example"]\nopen_reads = true', True),
        ('bind = "192.168.1.5"\nopen_reads = false', False),
    ],
)
def test_reads_are_open_only_on_loopback(read, web, open_reads):
    assert read(f"[web]\n{web}").web.open_reads is open_reads


def test_one_public_address_with_two_accounts(read, faults):
    text = """
        [nodes.a]
        protocol = "grass"
        token = { env = "A" }
        [nodes.b]
        protocol = "grass"
        token = { env = "B" }
    """
    assert len(read(text, {"A": "x", "B": "x"}).nodes) == 2
    assert faults(text.replace('"B"', '"A"')) == [
        'nodes.b.url = "https://api.getgrass.io": is the address of nodes.a already'
    ]


def test_from_tables(make, tmp_path):
    config = make({"nodes": {"disk": {"protocol": "storj"}}, "orch": {"data_dir": "data", "mode": "auto"}})
    assert (config.source, config.mode) == ("configuration", "auto")
    assert config.data_dir == tmp_path / "data"
    with pytest.raises(ConfigError, match=r"^configuration: orch\.mode = 5: "):
        make({"orch": {"mode": 5}})


def test_with_what_is_installed(tmp_path):
    config = from_tables({}, {}, tmp_path)
    assert (config.optimizer.solver, config.optimizer.strategy) == ("linear", "threshold")


words = st.sampled_from(
    [
        *TABLES,
        "protocol",
        "storj",
        "golem",
        "grass",
        "disk",
        "url",
        "min",
        "max",
        "levers",
        "kind",
        "emulated",
        "mode",
        "auto",
        "env",
        "file",
        "app_key",
        "token",
        "threshold",
        "strategy",
        "storage_gb",
        "reserve",
        "override",
        "usd_per_kwh",
        "bands",
        "urls",
        "12%",
        "http://127.0.0.1:1",
        "http://[",
    ]
)
scalars = st.one_of(
    words,
    st.text(max_size=5),
    st.integers(),
    st.integers(min_value=10**400, max_value=10**401),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
nodes = st.fixed_dictionaries(
    {"protocol": st.sampled_from(["storj", "golem", "grass", "streamr", "broken", "x"])},
    optional={
        "url": values,
        "min": values,
        "max": values,
        "levers": st.lists(
            st.fixed_dictionaries({"kind": words}, optional={"mode": values, "url": values}), max_size=2
        )
        | values,
        "app_key": values,
        "token": values,
    },
)
documents = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(TABLES, values) | {"nodes": st.dictionaries(words, nodes, max_size=3) | values},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents | st.dictionaries(st.text(max_size=5), values, max_size=3))
def test_no_document_does_more_than_be_refused(tmp_path, plugins, tables):
    faults = ()
    try:
        config = from_tables(tables, {"HOME": "/nowhere"}, tmp_path, plugins=plugins)
    except ConfigError as error:
        faults = error.faults
    else:
        assert isinstance(config, Config)
    for fault in faults:
        assert fault.startswith("configuration: ")
        assert "\n" not in fault
        assert len(fault) < 500
