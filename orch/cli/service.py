"""`orch service`: what runs orch for good: a systemd unit, a container, a compose file."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from string import Template
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import click

from orch.cli.options import common
from orch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from orch.cli.options import Where

CONFIG = Path("/etc/orch/orch.toml")
DATA_DIR = Path("/var/lib/orch")
HOMES = (Path("/root"), Path("/home"))


class Need(NamedTuple):
    """What a kind of lever needs of the unit: why, its capabilities, further lines."""

    why: str
    capabilities: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


NEEDS: dict[str, Need] = {
    "cgroup": Need(
        "writes limits under /sys/fs/cgroup, which belongs to root (and ProtectControlGroups=no)",
        ("CAP_DAC_OVERRIDE",),
    ),
    "tc": Need(
        "changes queues of an interface; of a container's too with CAP_SYS_ADMIN, CAP_SYS_PTRACE and "
        "RestrictNamespaces=no",
        ("CAP_NET_ADMIN",),
    ),
    "docker": Need(
        "asks the engine by its socket, which is as good as root: prefer rootless engines",
        lines=("SupplementaryGroups=docker",),
    ),
    "systemd": Need(
        "no capability, but a polkit rule that lets this user manage that one unit: "
        "org.freedesktop.systemd1.manage-units"
    ),
    "storj_config": Need(
        "replaces config.yaml in its folder and keeps its owner; the restart command needs rights of its own, "
        "with systemctl the same polkit rule",
        ("CAP_CHOWN", "CAP_DAC_OVERRIDE"),
        ("ReadWritePaths=-/path/of/the/folder/of/config.yaml",),
    ),
    "golem_provider": Need(
        "replaces the provider's files and keeps their owner",
        ("CAP_CHOWN", "CAP_DAC_OVERRIDE"),
        ("ReadWritePaths=-/home/you/.local/share/ya-provider",),
    ),
    "command": Need("whatever your own programs need"),
}


@click.command("service", short_help="What runs orch for good: a systemd unit, a container, a compose file.")
@click.option("--container", is_flag=True, help="A container file in its place.")
@click.option("--compose", is_flag=True, help="A compose file in its place.")
@click.option("--user", metavar="NAME", default="orch", show_default=True, help="As whom the unit runs.")
@common
def command(where: Where, container: bool, compose: bool, user: str) -> None:
    """Print a systemd unit, hardened, for a user of its own with the least rights that its levers need.

    The levers are those of the configuration that is found; it says of each kind what it needs and why. Nothing is
    installed or changed: the printed file begins with what to do with it.
    """
    if container and compose:
        raise UsageError("Choose one of --container and --compose.")
    if container or compose:
        click.echo(printed("Containerfile" if container else "compose.yaml"), nl=False)
        return
    from orch.cli.places import load_config, whole

    if not user.replace("-", "").replace("_", "").isalnum() or not user.isascii():
        raise UsageError(f"{user!r} is not the name of a user.")
    config = load_config(where, resolve_secrets=False)
    nodes = () if config is None else config.nodes
    levers = {lever.kind: _folder(lever.options) for node in nodes for lever in node.levers}
    python = Path(sys.executable)
    if any(python.is_relative_to(home) for home in HOMES):
        click.echo(
            f"Note: {python} is in a home, which {user} may not be able to read: a venv in /opt/orch is.", err=True
        )
    click.echo(
        unit(
            levers,
            python=python,
            user=user,
            config=CONFIG if where.config is None else whole(where.config),
            data_dir=DATA_DIR if where.data_dir is None else whole(where.data_dir),
        ),
        nl=False,
    )


def unit(
    levers: dict[str, str | None] | AbstractSet[str], *, python: Path, user: str, config: Path, data_dir: Path
) -> str:
    """The systemd unit for a configuration with these kinds of levers; each may name the folder it writes to."""
    folders = levers if isinstance(levers, dict) else dict.fromkeys(levers)
    used = [kind for kind in NEEDS if kind in folders]
    capabilities = sorted({each for kind in used for each in NEEDS[kind].capabilities})
    state = f"StateDirectory={DATA_DIR.name}\nStateDirectoryMode=0700"
    return Template(printed("orch.service")).substitute(
        levers=f"Levers in the configuration: {', '.join(used) or 'none'}.",
        python=python,
        user=user,
        config=config,
        data_dir=data_dir,
        state=state if data_dir == DATA_DIR else f"ReadWritePaths={data_dir}",
        control_groups="no" if "cgroup" in used else "yes",
        namespaces="yes",
        capabilities=" ".join(capabilities),
        lever_lines="\n".join(_lines(folders)),
    )


def printed(name: str) -> str:
    """A file that is printed, as it lies in the package."""
    return (resources.files("orch.cli") / "printed" / name).read_text(encoding="utf-8")


def _lines(folders: dict[str, str | None]) -> list[str]:
    lines = []
    for kind, need in NEEDS.items():
        having = f": {' '.join(need.capabilities)}" if need.capabilities else ""
        lines += wrap(f"{kind}{having}: {need.why}.", 115, initial_indent="# ", subsequent_indent="#   ")
        folder = folders.get(kind)
        for line in need.lines:
            name, _, value = line.partition("=")
            wanted = f"{name}=-{folder}" if name == "ReadWritePaths" and folder else f"{name}={value}"
            lines.append(wanted if kind in folders else f"# {wanted}")
    return lines


def _folder(options: object) -> str | None:
    """Where a lever's files lie, as far as its options say; a file's folder, for files are replaced whole."""
    path = getattr(options, "path", None)
    if path is None:
        return None
    return str(Path(path).parent if Path(path).suffix else path)
