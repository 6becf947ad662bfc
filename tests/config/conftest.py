from types import SimpleNamespace
from typing import Annotated

import msgspec
import pytest

from orch.config.load import from_tables, load
from orch.config.plugins import Plugins
from orch.errors import ConfigError
from orch.model.base import Value
from orch.model.wire import Secret
from orch.strategies import periodic, predictive, risk_aware

Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")]


class Disk(Value):
    url: Url = "http://127.0.0.1:14002"
    config_path: str | None = None


class Compute(Value):
    url: Url = "http://127.0.0.1:7465"
    app_key: Secret | None = None
    provider_dir: str = "~/.local/share/ya-provider"


class Relay(Value):
    rpc_url: Secret | str
    operator: str
    info_url: str | None = None


class Address(Value):
    url: Url = "https://api.getgrass.io"
    token: Secret | None = None
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None

    def __post_init__(self):
        if self.share == 0.5:
            raise ValueError("share must not be a half")


class Emulated(Value):
    url: str
    path: str | None = None
    step: Annotated[int, msgspec.Meta(gt=0)] = 1


class Threshold(Value):
    margin_pct: float = 10.0


class Empty(Value):
    pass


def protocol(name, options):
    return lambda: SimpleNamespace(name=name, options=options, levers=("emulated", "docker", "broken"))


def broken():
    raise ConfigError(("orch.x: 'broken' cannot be loaded: no module",))


@pytest.fixture(scope="session")
def plugins():
    return Plugins(
        protocols={
            "storj": protocol("storj", Disk),
            "golem": protocol("golem", Compute),
            "streamr": protocol("streamr", Relay),
            "grass": protocol("grass", Address),
            "broken": broken,
        },
        levers={
            "emulated": lambda: SimpleNamespace(kind="emulated", options=Emulated),
            "cgroup": lambda: SimpleNamespace(kind="cgroup", options=Empty),
            "broken": broken,
        },
        strategies={
            "threshold": lambda: SimpleNamespace(name="threshold", options=Threshold),
            "keep": lambda: SimpleNamespace(name="keep", options=Empty),
            "periodic": lambda: periodic.STRATEGY,
            "predictive": lambda: predictive.STRATEGY,
            "risk_aware": lambda: risk_aware.STRATEGY,
        },
        solvers={"linear": None, "greedy": None, "keep": None},
    )


@pytest.fixture
def read(tmp_path, plugins):
    """Load a text as `orch.toml`."""

    def start(text, environ=None, **named):
        file = tmp_path / "orch.toml"
        file.write_text(text)
        return load(file, environ or {}, plugins=plugins, **named)

    return start


@pytest.fixture
def faults(tmp_path, plugins):
    """The faults of a text, without the file's name."""

    def start(text, environ=None):
        file = tmp_path / "orch.toml"
        file.write_text(text)
        with pytest.raises(ConfigError) as refused:
            load(file, environ or {}, plugins=plugins)
        assert all(each.startswith(f"{file}: ") for each in refused.value.faults)
        return [each.removeprefix(f"{file}: ") for each in refused.value.faults]

    return start


@pytest.fixture
def make(tmp_path, plugins):
    """A configuration from tables."""
    return lambda tables, environ=None: from_tables(tables, environ or {}, tmp_path, plugins=plugins)
