"""`[nodes.X]`: the common keys, the protocol's own options, and the levers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from orch.config.choices import not_built
from orch.config.reader import Reader, joined, suggestion
from orch.config.schema import LeverConfig, LeverTable, NodeConfig, NodeTable
from orch.config.secrets import place
from orch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from orch.config.plugins import Plugins
    from orch.config.secrets import Vault

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
PLACES = ("path", "pidfile")
PROGRAMS = ("restart", "apply", "read")
"""Keys of levers that name files and programs."""
INHERITED_PATHS = ("provider_dir", "config_path")
"""A lever without a `path` of its own takes the node's, called so by Golem and Storj."""


class NodeReader:
    """Reads the nodes of one configuration.

    Args:
        reader: Its faults are shared; findings are kept per node.
        vault: Looks secrets up.
        plugins: What can be named.
        base_dir: Where relative paths start.
        environ: For `~`.
    """

    def __init__(
        self, reader: Reader, vault: Vault, plugins: Plugins, base_dir: Path, environ: Mapping[str, str]
    ) -> None:
        self._shared = reader
        self._vault = vault
        self._plugins = plugins
        self._base_dir = base_dir
        self._environ = environ

    def read_all(self, raw: Any) -> tuple[NodeConfig, ...]:
        """All nodes that can be made; faults for the others and for two that are the same."""
        if not isinstance(raw, dict):
            self._shared.fault("nodes", "must be a table with one table per node", raw)
            return ()
        made = (self.read(name, table) for name, table in raw.items())
        nodes = tuple(node for node in made if node is not None)
        self._refuse_twins(nodes, raw)
        return nodes

    def read(self, name: str, raw: Any) -> NodeConfig | None:
        """One node, or None with at least one fault."""
        path = joined("nodes", name)
        if not NAME.fullmatch(name):
            self._shared.fault(path, "a node's name has letters, digits, - and _, at most 63, and no blank")
            return None
        if not isinstance(raw, dict):
            self._shared.fault(path, "must be a table", raw)
            return None
        reader = Reader(self._shared.source, self._vault, self._shared.faults, [])
        spec = self._protocol(reader, raw.get("protocol"), path)
        own = {field.encode_name for field in msgspec.structs.fields(spec.options)} if spec is not None else set()
        common = {field.encode_name for field in msgspec.structs.fields(NodeTable)}
        if spec is not None:
            _refuse_unknown(reader, raw, own | common, path)
        table = reader.struct(NodeTable, _only(raw, common), path)
        options = reader.struct(spec.options, _only(raw, own), path) if spec is not None else None
        levers = self._levers(reader, {**_defaults(options), **raw}, spec, path)
        if table is None or options is None:
            return None
        return NodeConfig(
            name=name,
            protocol=table.protocol,
            options=options,
            minimum=table.minimum,
            maximum=table.maximum,
            levers=levers,
            mode=table.mode,
            process=table.process,
            pidfile=place(table.pidfile, self._base_dir, self._environ) if table.pidfile else None,
            ip_group=table.ip_group,
            findings=tuple(reader.findings),
        )

    def _protocol(self, reader: Reader, wanted: Any, path: str) -> Any:
        if not isinstance(wanted, str):
            return None  # missing, or not text: the common keys say so
        offered = self._plugins.protocols
        if wanted not in offered:
            reader.fault(joined(path, "protocol"), f"unknown protocol, {suggestion(wanted, offered)}", wanted)
            return None
        try:
            return offered[wanted]()
        except ConfigError as error:
            reader.fault(joined(path, "protocol"), str(error), wanted)
            return None

    def _levers(self, reader: Reader, raw: dict[str, Any], spec: Any, path: str) -> tuple[LeverConfig, ...]:
        tables = raw.get("levers", [])
        if not isinstance(tables, list):
            return ()
        found = []
        for index, table in enumerate(tables):
            if isinstance(table, dict):
                lever = self._lever(reader, table, raw, spec, f"{path}.levers[{index}]")
                if lever is not None:
                    found.append(lever)
        return tuple(found)

    def _lever(
        self, reader: Reader, raw: dict[str, Any], node: dict[str, Any], spec: Any, path: str
    ) -> LeverConfig | None:
        common = {field.encode_name for field in msgspec.structs.fields(LeverTable)}
        table = reader.struct(LeverTable, _only(raw, common), path)
        if table is None:
            return None
        kind = self._lever_kind(reader, table.kind, path)
        if kind is None:
            return None
        if spec is not None and spec.levers and table.kind not in spec.levers:
            reader.fault(
                f"{path}.kind", f"does not work on a {spec.name} node; {', '.join(spec.levers)} do", table.kind
            )
            return None
        own = {field.encode_name for field in msgspec.structs.fields(kind.options)}
        _refuse_unknown(reader, raw, own | common, path)
        values = {**_inherited(node, own), **_only(raw, own)}
        values |= {key: self._placed(values[key]) for key in PLACES if isinstance(values.get(key), str)}
        values |= {key: self._program(values[key]) for key in PROGRAMS if isinstance(values.get(key), list)}
        options = reader.struct(kind.options, values, path)
        return None if options is None else LeverConfig(kind=table.kind, options=options, mode=table.mode)

    def _placed(self, path: str) -> str:
        return str(place(path, self._base_dir, self._environ))

    def _program(self, argv: list[Any]) -> list[Any]:
        """A program named by a path starts where the configuration lies; one named alone is searched for."""
        if argv and isinstance(argv[0], str) and ("/" in argv[0] or argv[0].startswith("~")):
            return [self._placed(argv[0]), *argv[1:]]
        return argv

    def _lever_kind(self, reader: Reader, wanted: str, path: str) -> Any:
        offered = self._plugins.levers
        hint = suggestion(wanted, offered)
        if wanted in offered:
            try:
                return offered[wanted]()
            except ConfigError as error:
                hint = str(error)
        sentence = f'{path}.kind = "{wanted[:60]}" is not installed: orch only advises on what it would set'
        reader.findings.append(not_built(sentence, hint))
        return None

    def _refuse_twins(self, nodes: tuple[NodeConfig, ...], raw: dict[str, Any]) -> None:
        """Two nodes at one address are one node counted twice, unless their credentials tell them apart."""
        first: dict[tuple[str, str], str] = {}
        for node in nodes:
            url = getattr(node.options, "url", None)
            if not isinstance(url, str):
                continue
            references = {key: each for key, each in raw[node.name].items() if _refers(each)}
            twin = first.setdefault((_address(url), repr(sorted(references.items()))), node.name)
            if twin != node.name:
                self._shared.fault(f"nodes.{node.name}.url", f"is the address of nodes.{twin} already", url)


def _refuse_unknown(reader: Reader, raw: Mapping[str, Any], known: set[str], path: str) -> None:
    for key in raw:
        if key not in known:
            reader.unknown(joined(path, key), key, raw[key], known)


def _defaults(options: msgspec.Struct | None) -> dict[str, Any]:
    """The plain values of a node's options, so that its levers inherit those that the file leaves out."""
    fields = msgspec.structs.fields(options) if options is not None else ()
    found = {field.encode_name: getattr(options, field.name) for field in fields}
    return {key: each for key, each in found.items() if isinstance(each, (str, int, float))}


def _only(raw: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: raw[key] for key in keys if key in raw}


def _inherited(node: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """What a lever takes over from its node: keys of the same name, and its path."""
    values = {key: node[key] for key in wanted if key in node and key not in ("kind", "mode", "path")}
    if "path" in wanted:
        values |= next(({"path": node[key]} for key in INHERITED_PATHS if key in node), {})
    return values


def _refers(raw: Any) -> bool:
    return isinstance(raw, dict) and len(raw) == 1 and raw.keys() <= {"env", "file"}


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    except ValueError:
        return url
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"
