"""What gives a node away: its programs, ports, images and files, and the question that names it. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from orch.model.base import Value
from orch.system.surroundings import LookFor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.system.containers import ContainerSeen
    from orch.system.surroundings import ProcessSeen, Surroundings

Network: TypeAlias = Literal["storj", "golem", "streamr", "grass"]

LOOPBACK = "127.0.0.1"
STORJ_PORTS = tuple(range(14002, 14008))
"""Several storage nodes on one host take the next ones by custom."""
GOLEM_PORT = 7465
STREAMR_PORT = 7171
INSIDE: dict[Network, int] = {"storj": 14002, "golem": GOLEM_PORT, "streamr": STREAMR_PORT}
"""The ports as the programs themselves open them, also inside a container."""

PROGRAMS: dict[str, Network] = {
    "storagenode": "storj",
    "yagna": "golem",
    "ya-provider": "golem",
    "golemsp": "golem",
    "streamr-node": "streamr",
    "streamr-node.js": "streamr",
    "streamr-broker": "streamr",
    "grass": "grass",
    "grass-desktop": "grass",
}
IMAGES: tuple[tuple[str, Network], ...] = (
    ("storagenode", "storj"),
    ("golem", "golem"),
    ("yagna", "golem"),
    ("streamr", "streamr"),
    ("grass", "grass"),
)
QUESTION: dict[Network, str] = {"storj": "/api/sno/", "golem": "/version/get", "streamr": "/info"}
"""Asked without any credential; each names itself in its answer."""

SIZE_FLAG = "storage.allocated-disk-space"
SIZE_VARIABLES = ("STORAGE", "STORJ_STORAGE_ALLOCATED_DISK_SPACE")
"""Both win over a storage node's config.yaml; the first is that of its Docker image."""
STREAMR_PORT_VARIABLE = "STREAMR__BROKER__HTTP_SERVER__PORT"
STREAMR_OPERATOR_VARIABLE = "STREAMR__BROKER__PLUGINS__OPERATOR__OPERATOR_CONTRACT_ADDRESS"
VARIABLES = frozenset(
    {
        *SIZE_VARIABLES,
        "STORJ_CONSOLE_ADDRESS",
        "YAGNA_API_URL",
        "DATA_DIR",
        STREAMR_PORT_VARIABLE,
        STREAMR_OPERATOR_VARIABLE,
    }
)
STORJ_CONFIG = "config.yaml"
PROVIDER_FILES = ("hardware.json", "presets.json")
OPERATOR = re.compile(r"0x[0-9a-fA-F]{40}")
CONSOLE = re.compile(r"^\s*console\.address:\s*[\"']?(?P<address>[^\s\"'#]+)", re.MULTILINE)


class Candidate(Value):
    """Somewhere a node may answer, and why one would think so."""

    network: Network
    url: str
    why: str


def look_for(home: str, working_dir: str) -> LookFor:
    """Everything that `surroundings.look` is asked for, with the usual places of a user's files."""
    provider = f"{home}/.local/share/ya-provider"
    files = (
        f"{working_dir}/{STORJ_CONFIG}",
        f"{home}/.local/share/storj/storagenode/{STORJ_CONFIG}",
        f"/etc/storagenode/{STORJ_CONFIG}",
        *(f"{provider}/{name}" for name in PROVIDER_FILES),
        f"{home}/.streamr/config/default.json",
        f"{home}/.streamrDocker/config/default.json",
    )
    words = tuple(word for word, _ in IMAGES)
    return LookFor(programs=frozenset(PROGRAMS), images=words, variables=VARIABLES, files=files)


def more_files(seen: Surroundings) -> tuple[str, ...]:
    """Configuration files that processes and containers name, and that no usual place holds."""
    found = [*_of_processes(seen.processes), *_of_containers(seen.containers)]
    known = {each.path for each in seen.files}
    return tuple(dict.fromkeys(each for each in found if each not in known))


def _of_processes(processes: tuple[ProcessSeen, ...]) -> Iterator[str]:
    for each in processes:
        network = PROGRAMS.get(each.program)
        if network == "storj" and (place := each.flag("config-dir")):
            yield f"{place}/{STORJ_CONFIG}"
        if network == "golem" and (place := each.flag("data-dir") or each.variable("DATA_DIR")):
            yield from (f"{place}/{name}" for name in PROVIDER_FILES)
        if network == "streamr":
            yield from (argument for argument in each.arguments if argument.endswith(".json"))


def _of_containers(containers: tuple[ContainerSeen, ...]) -> Iterator[str]:
    for each in containers:
        for mount in each.mounts:
            network = network_of(each)
            if network == "storj" and mount.destination == "/app/config":
                yield f"{mount.source}/{STORJ_CONFIG}"
            if network == "streamr" and mount.destination == "/home/streamr/.streamr":
                yield f"{mount.source}/config/default.json"
            if network == "golem" and mount.destination.endswith("/ya-provider"):
                yield from (f"{mount.source}/{name}" for name in PROVIDER_FILES)


def network_of(container: ContainerSeen) -> Network | None:
    """The network a container works for, by its image, else by its name."""
    for named in (container.image.lower(), container.name.lower()):
        for word, network in IMAGES:
            if word in named:
                return network
    return None


def candidates(seen: Surroundings) -> tuple[Candidate, ...]:
    """Where to knock: the networks' own ports, and those that processes, containers and files name; each once."""
    found = [*_from_containers(seen), *_from_processes(seen), *_from_files(seen), *_usual()]
    first: dict[tuple[str, str], Candidate] = {}
    for each in found:
        first.setdefault((each.network, each.url), each)
    return tuple(first.values())


def _usual() -> Iterator[Candidate]:
    ports: tuple[tuple[Network, int], ...] = (
        *(("storj", port) for port in STORJ_PORTS),
        ("golem", GOLEM_PORT),
        ("streamr", STREAMR_PORT),
    )
    for network, port in ports:
        yield Candidate(network=network, url=_local(port), why=f"port {port}")


def _from_containers(seen: Surroundings) -> Iterator[Candidate]:
    for each in seen.containers:
        network = network_of(each)
        for published in each.published if network in INSIDE and each.running else ():
            if network is not None and published.inside == INSIDE[network]:
                why = f"container {each.name} publishes port {published.port}"
                yield Candidate(network=network, url=_local(published.port), why=why)


def _from_processes(seen: Surroundings) -> Iterator[Candidate]:
    for each in seen.processes:
        network = PROGRAMS[each.program]
        why = f"process {each.program} ({each.pid})"
        stated = {
            "storj": each.flag("console.address") or each.variable("STORJ_CONSOLE_ADDRESS"),
            "golem": each.flag("api-url") or each.variable("YAGNA_API_URL"),
            "streamr": f":{port}" if (port := each.variable(STREAMR_PORT_VARIABLE)) else None,
        }.get(network)
        if stated and (url := _address(stated)):
            yield Candidate(network=network, url=url, why=why)
        elif network in INSIDE:
            for open_port in each.ports[:8]:
                yield Candidate(network=network, url=_local(open_port), why=why)


def _from_files(seen: Surroundings) -> Iterator[Candidate]:
    for each in seen.files:
        if each.text is None:
            continue
        if each.path.endswith(STORJ_CONFIG) and (match := CONSOLE.search(each.text)):
            url = _address(match["address"])
            if url:
                yield Candidate(network="storj", url=url, why=each.path)
        else:
            told = streamr_config(each.text) if PurePosixPath(each.path).suffix == ".json" else None
            if told is not None and told.port is not None and told.has_info:
                yield Candidate(network="streamr", url=_local(told.port), why=each.path)


def _local(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _address(text: str) -> str | None:
    """`host:port`, `:port` or a URL as the URL to ask from this host; None when it is neither."""
    host, _, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    if not port.isdigit() or not 0 < int(port) <= 65_535:
        return None
    everywhere = host in ("", "0.0.0.0", "[::]", "localhost")  # noqa: S104 - compared, not bound
    return f"http://{LOOPBACK if everywhere else host}:{port}"


# -- the Streamr node's own configuration ------------------------------------------------------------------


class StreamrConfig(Value):
    """What orch takes from a Streamr node's file. The rest, its private key first of all, is never decoded."""

    operator: str | None
    port: int | None
    has_info: bool
    info_has_key: bool
    autostaker: bool
    environment: str


class _Http(msgspec.Struct):
    port: int = STREAMR_PORT


class _Named(msgspec.Struct):
    environment: str = "polygon"


class _StreamrFile(msgspec.Struct, rename="camel"):
    plugins: dict[str, msgspec.Raw]
    http_server: _Http = msgspec.field(default_factory=_Http)
    client: _Named = msgspec.field(default_factory=_Named)
    api_authentication: msgspec.Raw = msgspec.Raw(b"null")


class _Operator(msgspec.Struct, rename="camel"):
    operator_contract_address: str = ""


def streamr_config(text: str) -> StreamrConfig | None:
    """What a Streamr node's configuration says; None when the text is something else."""
    try:
        told = msgspec.json.decode(text, type=_StreamrFile)
        raw = told.plugins.get("operator")
        operator = msgspec.json.decode(raw, type=_Operator).operator_contract_address if raw else ""
    except (msgspec.MsgspecError, UnicodeError):
        return None
    info = bytes(told.plugins.get("info", b""))
    return StreamrConfig(
        operator=operator if OPERATOR.fullmatch(operator) else None,
        port=told.http_server.port,
        has_info="info" in told.plugins,
        info_has_key=bytes(told.api_authentication) != b"null" or b"apiAuthentication" in info,
        autostaker="autostaker" in told.plugins,
        environment=told.client.environment,
    )
