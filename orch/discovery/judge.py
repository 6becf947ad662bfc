"""From what was seen and what answered to the nodes to configure, and what is still missing. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from orch.discovery.proposal import Given, Key, Missing, Proposal, Proposed
from orch.discovery.storj_files import places_in
from orch.discovery.traces import (
    INSIDE,
    OPERATOR,
    PROGRAMS,
    PROVIDER_FILES,
    SIZE_FLAG,
    SIZE_VARIABLES,
    STORJ_CONFIG,
    STREAMR_OPERATOR_VARIABLE,
    Network,
    StreamrConfig,
    network_of,
    streamr_config,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orch.discovery.knock import Opened
    from orch.system.containers import ContainerSeen
    from orch.system.surroundings import Surroundings

APP_KEY_VARIABLE = "YAGNA_APPKEY"
GRASS_VARIABLE = "GRASS_TOKEN"
STORJ_LEAST_GB = 500.0


def propose(seen: Surroundings, opened: tuple[Opened, ...], given: Given) -> Proposal:
    """The nodes to write and what is missing, network by network.

    Args:
        seen: What runs here.
        opened: Who answered, the surest places first.
        given: The operator's own words; they win over what was seen.
    """
    nodes: list[Proposed] = []
    missing: list[Missing] = []
    for judge in (_storj, _golem, _streamr, _grass):
        for each in judge(seen, opened, given):
            if isinstance(each, Missing):
                missing.append(each)
            else:
                nodes.append(each)
    if seen.docker_trouble is not None:
        missing.append(
            Missing(
                protocol="docker",
                sentence=f"no containers were looked at: {seen.docker_trouble}",
                remedy="run orch as a user of the group docker, or give the nodes' addresses as options",
            )
        )
    return Proposal(nodes=tuple(nodes), missing=tuple(missing))


# -- Storj -------------------------------------------------------------------------------------------------


def _storj(seen: Surroundings, opened: tuple[Opened, ...], given: Given) -> Iterator[Proposed | Missing]:
    answering = _by_url(opened, "storj")
    for url in given.storj_urls:
        if url.rstrip("/") not in answering:
            yield Missing(
                protocol="storj",
                sentence=f"no storage node answers at {url}",
                remedy="start it, or correct the address; it is written all the same",
            )
    urls = list(dict.fromkeys([*(url.rstrip("/") for url in given.storj_urls), *answering]))
    configs = [each for each in seen.files if each.path.endswith(STORJ_CONFIG) and _is_storj(each.text)]
    contained = any(network_of(each) == "storj" for each in seen.containers)
    for number, url in enumerate(urls, 1):
        node = answering.get(url)
        keys = [Key(name="url", value=url, comment="the node's console: no key is needed, so keep it on loopback")]
        if len(configs) == 1 and len(urls) == 1:
            keys.append(Key(name="config_path", value=configs[0].path, comment="read and changed by levers only"))
            keys += () if contained else places_in(configs[0].text)
        keys += _program(seen, "storagenode")
        given_gb = node.allocated_gb if node is not None else None
        enough = given_gb is None or given_gb >= STORJ_LEAST_GB
        yield Proposed(
            name=_numbered("disk", number),
            protocol="storj",
            how=_how(node, seen, "storj"),
            keys=tuple(keys),
            emulated=node is not None and node.emulated,
            minimum=(("storage_gb", STORJ_LEAST_GB),) if enough else (),
            allocated_gb=given_gb,
        )
    yield from storage_override(seen.containers)
    if not urls:
        yield _absent(
            seen,
            "storj",
            "its console answers on no port from 14002 on",
            "start it; in Docker publish its console with -p 127.0.0.1:14002:14002; elsewhere give --storj-url",
            "nothing of a Storj node was seen",
            "if you run one, give its console's address: --storj-url http://HOST:14002",
        )


def _is_storj(text: str | None) -> bool:
    """Whether a config.yaml is a storage node's: many programs call their file so."""
    return text is not None and ("storage.allocated-disk-space" in text or "console.address" in text)


def storage_override(containers: tuple[ContainerSeen, ...]) -> Iterator[Missing]:
    """Containers whose size is fixed by their environment: what their config.yaml says has no effect."""
    for each in containers:
        if network_of(each) != "storj":
            continue
        stated = next((f"{name}={size}" for name in SIZE_VARIABLES if (size := each.variable(name))), None)
        by = "an argument of its command" if any(f"--{SIZE_FLAG}" in part for part in each.command) else stated
        if by is not None:
            yield Missing(
                protocol="storj",
                sentence=f"container {each.name} gets its size from {by}, which wins over its config.yaml",
                remedy=f'make it anew without that, with -e STORAGE="" and {SIZE_FLAG} in its config.yaml; '
                "until then no lever can change its size",
            )


# -- Golem -------------------------------------------------------------------------------------------------


def _golem(seen: Surroundings, opened: tuple[Opened, ...], given: Given) -> Iterator[Proposed | Missing]:
    answering = _by_url(opened, "golem")
    url = given.golem_url.rstrip("/") if given.golem_url else next(iter(answering), None)
    if url is None:
        yield _absent(
            seen,
            "golem",
            "yagna's REST interface does not answer",
            "start it (golemsp run), or give its address: --golem-url http://HOST:7465",
            "nothing of a Golem provider was seen",
            "if you run one, give yagna's address: --golem-url http://HOST:7465",
        )
        return
    node = answering.get(url)
    if node is None:
        yield Missing(
            protocol="golem",
            sentence=f"no yagna answers at {url}",
            remedy="start it, or correct the address; it is written all the same",
        )
    key: dict[str, str] = {"file": given.app_key_file} if given.app_key_file else {"env": APP_KEY_VARIABLE}
    keys = [
        Key(name="url", value=url),
        Key(
            name="app_key",
            value=key,
            comment=_place("yagna app-key list --json", "app.key", given.app_key_file),
        ),
    ]
    if not given.app_key_file and APP_KEY_VARIABLE not in given.exists:
        yield Missing(
            protocol="golem",
            sentence=f"the application key: the environment variable {APP_KEY_VARIABLE} is not set",
            remedy="as the node's user run `yagna app-key create orch` and set the variable for orch to what it "
            "prints, or write it to a file of mode 0600 and use --app-key-file; it can move funds: guard it",
        )
    places = [str(PurePosixPath(each.path).parent) for each in seen.files if each.path.endswith(PROVIDER_FILES)]
    place = given.provider_dir or next(iter(places), None)
    if place is not None:
        keys.append(Key(name="provider_dir", value=place, comment="hardware.json and presets.json are read here"))
    else:
        yield Missing(
            protocol="golem",
            sentence="ya-provider's directory with hardware.json and presets.json was not found",
            remedy="give it with --provider-dir, and let the user that runs orch read it",
        )
    yield Proposed(
        name="compute",
        protocol="golem",
        how=_how(node, seen, "golem"),
        keys=(*keys, *_program(seen, "ya-provider")),
        emulated=node is not None and node.emulated,
    )


# -- Streamr -----------------------------------------------------------------------------------------------


def _streamr(seen: Surroundings, opened: tuple[Opened, ...], given: Given) -> Iterator[Proposed | Missing]:
    answering = _by_url(opened, "streamr")
    info_url = given.info_url.rstrip("/") if given.info_url else next(iter(answering), None)
    node = answering.get(info_url) if info_url else None
    told = next((each for each in map(_told, seen.files) if each is not None), None)
    operator = given.operator or _stated_operator(seen) or (told.operator if told is not None else None)
    running = _running(seen, "streamr")
    if not (node or told or running or given.operator or given.rpc_url or given.info_url):
        yield Missing(
            protocol="streamr",
            sentence="nothing of a Streamr node was seen (most open no port at all)",
            remedy="if you run one, give --operator 0x... (your Operator contract) and --rpc-url (a Polygon RPC)",
        )
        return
    if operator is None:
        yield Missing(
            protocol="streamr",
            sentence="the Operator contract: earnings are on the chain, the node itself knows none",
            remedy="give its address with --operator 0x...; it stands in the node's configuration or in the hub",
            blocks=True,
        )
    if given.rpc_url is None:
        yield Missing(
            protocol="streamr",
            sentence="a JSON-RPC endpoint of the chain (Polygon) to read earnings from",
            remedy="give one with --rpc-url https://...; your own, as public ones are slow and come and go",
            blocks=True,
        )
    yield from _diagnostics(node, told, info_url)
    if operator is None or given.rpc_url is None:
        return
    keys = [
        Key(name="rpc_url", value=given.rpc_url, comment="a JSON-RPC endpoint of Polygon"),
        Key(name="operator", value=operator, comment="the Operator contract"),
    ]
    if info_url is not None:
        keys.append(Key(name="info_url", value=info_url, comment="the node's own diagnostics"))
    yield Proposed(
        name="relay",
        protocol="streamr",
        how=_how(node, seen, "streamr"),
        keys=tuple(keys),
        emulated=node is not None and node.emulated,
        minimum=(("cpu_cores", 0.5), ("memory_gb", 1.0)),
    )


def _diagnostics(node: Opened | None, told: StreamrConfig | None, info_url: str | None) -> Iterator[Missing]:
    if node is None and (told is None or not told.has_info):
        yield Missing(
            protocol="streamr",
            sentence="the node's own diagnostics are off (its info plugin is not enabled, as is usual)",
            remedy='add "info": {} under "plugins" of its configuration and restart it; without, orch reads the '
            "chain alone",
        )
    elif node is None and info_url is None:
        yield Missing(
            protocol="streamr",
            sentence="its info plugin is configured and does not answer",
            remedy="restart the node, or give the address with --info-url",
        )
    if told is not None and told.environment != "polygon":
        yield Missing(
            protocol="streamr",
            sentence=f"the node works on {told.environment}, not on Polygon",
            remedy="set chain_id and data_token in its table to that chain's; test tokens are worth nothing",
        )
    if told is not None and told.autostaker:
        yield Missing(
            protocol="streamr",
            sentence="its autostaker plugin is on and moves the stake itself",
            remedy="leave one of the two to decide: it undoes stakes that are moved by hand",
        )
    if (node is not None and node.locked) or (told is not None and told.info_has_key and told.has_info):
        yield Missing(
            protocol="streamr",
            sentence="its /info wants a key",
            remedy='set info_key = { env = "STREAMR_INFO_KEY" } in the node\'s table and put the key there',
        )


def _stated_operator(seen: Surroundings) -> str | None:
    """The operator that the environment of a process or container names: it wins over the node's file."""
    name = STREAMR_OPERATOR_VARIABLE
    stated = [
        *(each.variable(name) for each in seen.processes),
        *(each.variable(name) for each in seen.containers),
    ]
    return next((each for each in stated if each is not None and OPERATOR.fullmatch(each)), None)


def _told(file: Any) -> StreamrConfig | None:
    return streamr_config(file.text) if file.text is not None and file.path.endswith(".json") else None


# -- Grass -------------------------------------------------------------------------------------------------


def _grass(seen: Surroundings, _: tuple[Opened, ...], given: Given) -> Iterator[Proposed | Missing]:
    running = _running(seen, "grass")
    asked = given.grass_url or given.grass_token_file or GRASS_VARIABLE in given.exists
    if not running and not asked:
        yield Missing(
            protocol="grass",
            sentence="nothing of a Grass node was seen (it has no local interface)",
            remedy=f"if you run one, set {GRASS_VARIABLE} to your dashboard's access token, or give "
            "--grass-token-file",
        )
        return
    token: dict[str, str] = {"file": given.grass_token_file} if given.grass_token_file else {"env": GRASS_VARIABLE}
    if not given.grass_token_file and GRASS_VARIABLE not in given.exists:
        yield Missing(
            protocol="grass",
            sentence=f"the access token: the environment variable {GRASS_VARIABLE} is not set",
            remedy="log in to the dashboard in a browser, copy accessToken from its local storage and set the "
            "variable for orch, or write it to a file of mode 0600 and use --grass-token-file",
        )
    address = [Key(name="url", value=given.grass_url)] if given.grass_url else []
    how = running or ("named by an option or the environment",)
    yield Proposed(
        name="address",
        protocol="grass",
        how=tuple(how),
        keys=(
            *address,
            Key(
                name="token",
                value=token,
                comment=_place("accessToken of the dashboard", "grass.token", given.grass_token_file),
            ),
        ),
        minimum=(("cpu_cores", 0.25), ("memory_gb", 0.75)),
    )


# -- parts -------------------------------------------------------------------------------------------------


def twin_of(node: Proposed, tables: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The name under which a configuration has this node already; None when it is new."""
    for name, table in tables.items():
        if table.get("protocol") != node.protocol:
            continue
        if node.protocol == "grass":
            return name
        own = {key.name: key.value for key in node.keys}
        if node.protocol == "streamr":
            if str(table.get("operator", "")).lower() == str(own["operator"]).lower():
                return name
        elif _plain(table.get("url") or f"http://127.0.0.1:{INSIDE[node.protocol]}") == _plain(own["url"]):
            return name
    return None


def _plain(url: str) -> str:
    return url.rstrip("/").lower().replace("//localhost", "//127.0.0.1")


def _by_url(opened: tuple[Opened, ...], network: Network) -> dict[str, Opened]:
    found: dict[str, Opened] = {}
    for each in opened:
        if each.network == network:
            found.setdefault(each.url.rstrip("/"), each)
    return found


def _how(node: Opened | None, seen: Surroundings, network: Network) -> tuple[str, ...]:
    if node is None:
        return _running(seen, network) or ("named by an option",)
    what = " and wants a key" if node.locked else f", version {node.version}" if node.version else ""
    kind = "an emulated node answers" if node.emulated else "answers"
    return (f"{kind} at {node.url}{what} (seen by {node.why})",)


def _running(seen: Surroundings, network: Network) -> tuple[str, ...]:
    """Processes and containers of a network, in words."""
    processes = [
        f"process {each.program} ({each.pid})" for each in seen.processes if PROGRAMS[each.program] == network
    ]
    containers = [
        f"container {each.name}{'' if each.running else ' (stopped)'}"
        for each in seen.containers
        if network_of(each) == network
    ]
    return (*containers, *processes)


def _program(seen: Surroundings, program: str) -> list[Key]:
    """`process`, when exactly one process of that name runs outside of containers orch knows of."""
    if sum(each.program == program for each in seen.processes) != 1:
        return []
    return [Key(name="process", value=program, comment="what it uses is measured")]


def _absent(seen: Surroundings, network: Network, silent: str, start: str, unseen: str, name_it: str) -> Missing:
    running = _running(seen, network)
    if running:
        return Missing(protocol=network, sentence=f"{', '.join(running)} is here, but {silent}", remedy=start)
    return Missing(protocol=network, sentence=unseen, remedy=name_it)


def _place(source: str, file: str, chosen: str | None) -> str:
    if chosen is not None:
        return f"{source}; the file has mode 0600"
    return f'{source}; or {{ file = "{file}" }}, mode 0600'


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
