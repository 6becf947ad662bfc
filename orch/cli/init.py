"""`orch init`: looks for nodes on this host and writes `orch.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orch.cli.found import Found
    from orch.cli.options import Where
    from orch.discovery.draft import Draft, HostFacts
    from orch.discovery.proposal import Given, Proposal

TEXT_OPTIONS = (
    ("--operator", "0x...", "STREAMR_OPERATOR", "The Streamr Operator contract."),
    ("--rpc-url", "URL", "STREAMR_RPC_URL", "A JSON-RPC endpoint of Polygon, for Streamr."),
    ("--info-url", "URL", None, "The Streamr node's own HTTP address."),
    ("--grass-url", "URL", "GRASS_URL", "The Grass dashboard's API, when not its own."),
    ("--grass-token-file", "F", None, "The file with the Grass token, mode 0600."),
    ("--golem-url", "URL", "YAGNA_API_URL", "yagna's REST address."),
    ("--app-key-file", "F", None, "The file with yagna's application key, mode 0600."),
    ("--provider-dir", "D", "YA_PROVIDER_DIR", "ya-provider's data directory."),
    ("--prices-url", "URL", "COINGECKO_URL", "Where prices are asked for, when not at CoinGecko."),
)


def _text_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, metavar, variable, text in reversed(TEXT_OPTIONS):
        shown = variable is not None
        command = click.option(name, metavar=metavar, envvar=variable, show_envvar=shown, help=text)(command)
    return command


@click.command("init", short_help="Find the nodes on this host and write orch.toml.")
@click.option("--storj-url", "storj_urls", metavar="URL", multiple=True, help="A Storj console; may be repeated.")
@_text_options
@click.option("--dry-run", is_flag=True, help="Show the file instead of writing it.")
@as_json
@common
def command(
    where: Where, storj_urls: tuple[str, ...], prices_url: str | None, dry_run: bool, json: bool, **given: Any
) -> None:
    """Look for local nodes (ports, processes, containers, their files) and write a configuration for them.

    Changes nothing but its own file: --config, $ORCH_CONFIG, the one that is there already, else ./orch.toml.
    What stands in it stays as it is; what is new is added. Nothing secret is written.
    """
    from orch.cli.found import found_page
    from orch.cli.source import document
    from orch.discovery.proposal import Given, check_given

    told = Given(storj_urls=storj_urls, exists=_secrets_set(), **given)
    check_given(told)
    found = _init(where, told, prices_url, dry_run=dry_run)
    if json:
        click.echo(document(found))
    else:
        from orch.cli.console import show

        show(found_page(found))
        if dry_run and found.text:
            click.echo(f"\n{found.text}", nl=False)
    if not found.nodes and not found.kept:
        click.get_current_context().exit(1)


def _secrets_set() -> frozenset[str]:
    import os

    from orch.discovery.judge import APP_KEY_VARIABLE, GRASS_VARIABLE

    return frozenset(name for name in (APP_KEY_VARIABLE, GRASS_VARIABLE) if os.environ.get(name))


def _init(where: Where, given: Given, prices_url: str | None, *, dry_run: bool) -> Found:
    """Look, judge, draft, write. Raises ConfigError when the file that is there cannot be used."""
    from msgspec.structs import replace

    from orch.cli.found import make_found
    from orch.cli.places import find_config, whole
    from orch.config.write import parse

    path = find_config(where) or whole(Path("orch.toml"))
    before = _read(path)
    tables = parse(before, str(path))
    proposal, facts = _look(given, prices_url)
    if where.data_dir is not None:
        facts = replace(facts, data_dir=str(whole(where.data_dir)))
    made, text = _fitting(proposal, tables, facts, path, before)
    written = bool(made.added) and not dry_run
    if written:
        _write(path, text)
    return make_found(
        path=path,
        proposal=proposal,
        draft=made,
        known=tuple(tables.get("nodes", {})),
        created=not before,
        written=written,
        text=text if dry_run and made.added else None,
        named=where.config is not None,
    )


def _read(path: Path) -> str:
    from orch.errors import ConfigError

    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise ConfigError((f"{path}: not TOML: byte {error.start} is not UTF-8",)) from error


def _look(given: Given, prices_url: str | None) -> tuple[Proposal, HostFacts]:
    """Everything there is to know: this host, its nodes, and beside the emulator what only that has."""
    import os

    from orch.cli.companions import companions
    from orch.cli.places import home
    from orch.discovery.draft import HostFacts
    from orch.discovery.judge import propose
    from orch.discovery.search import search
    from orch.system.host import measure_capacity

    seen, opened = search(os.environ, str(home()), str(Path.cwd()), given)
    emulated = [each for each in opened if each.emulated]
    tables: dict[str, Any] | None = None
    if emulated:
        given, prices_url, tables = companions(given, prices_url, opened)
    measured = measure_capacity(home())
    return propose(seen, opened, given), HostFacts(
        measured=measured, emulated_tables=tables, prices_url=prices_url
    )


def _fitting(
    proposal: Proposal, tables: Mapping[str, Any], facts: HostFacts, path: Path, before: str
) -> tuple[Draft, str]:
    """The draft that this host can keep, and the whole text. Raises ConfigError when there is none."""
    from orch.config.write import with_sections
    from orch.discovery.draft import HEADING, draft
    from orch.errors import ConfigError

    made = draft(proposal, tables, facts)
    text = with_sections(before, made.sections, str(path), HEADING) if made.added else before
    if not made.added:
        return made, text
    try:
        _prove(text, path, facts)
    except ConfigError:
        made = draft(proposal, tables, facts, careful=True)
        text = with_sections(before, made.sections, str(path), HEADING)
        _prove(text, path, facts)
    return made, text


def _prove(text: str, path: Path, facts: HostFacts) -> None:
    """Raise ConfigError when orch itself could not use this text."""
    import os

    from orch.config.load import from_tables
    from orch.config.resolve import limit_faults
    from orch.config.write import parse
    from orch.errors import ConfigError

    config = from_tables(
        parse(text, str(path)), os.environ, path.absolute().parent, source=str(path), resolve_secrets=False
    )
    faults = limit_faults(config, facts.measured)
    if faults:
        raise ConfigError(tuple(faults))


def _write(path: Path, text: str) -> None:
    """Write it whole, mode 0600. Raises ConfigError when that cannot be done."""
    from orch.errors import ConfigError
    from orch.system.paths import atomic_write

    place = path.resolve()
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_write(place, text.encode())
    except OSError as error:
        raise ConfigError((f"{path}: cannot be written: {error.strerror}",)) from error
