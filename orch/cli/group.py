"""The group of all commands: finds one late, runs `run` when none is named, turns failures into sentences."""

from __future__ import annotations

import importlib
import os
import sys
from typing import IO, TYPE_CHECKING, Any

import click

from orch import __version__
from orch.errors import OrchError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    "run",
    "demo",
    "emulate",
    "init",
    "check",
    "status",
    "top",
    "plan",
    "explain",
    "history",
    "report",
    "export",
    "approve",
    "reject",
    "rollback",
    "freeze",
    "unfreeze",
    "promote",
    "notify",
    "silence",
    "replay",
    "backtest",
    "grafana",
    "service",
    "completion",
)
DEFAULT = "run"
OWN_OPTIONS = ("--help", "-h", "--version")
PLACES = ("--config", "--data-dir")
DEBUG = "orch.debug"


class Failure(click.ClickException):
    """A deliberate failure on its way out: its sentences on stderr, its exit code."""

    def __init__(self, error: OrchError) -> None:
        super().__init__(str(error))
        self.exit_code = int(error.exit_code)  # type: ignore[misc]  # Click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        """One line per sentence."""
        for line in self.message.splitlines():
            click.echo(f"Error: {line}", file=file, err=file is None)


class Commands(click.Group):
    """Commands by the name of their module; a call without one is a call of `run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - Click's signature
        """In the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """The command, imported now; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"orch.cli.{cmd_name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options without a command are those of `run`; while a shell completes, nothing is added."""
        return super().parse_args(ctx, args if ctx.resilient_parsing else with_command(args))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever it fails with becomes a sentence and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OrchError as error:
            raise Failure(error) from error
        except BrokenPipeError:
            _forget_stdout()
            return None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.meta.get(DEBUG):
                raise
            hint = "this is a fault of orch; run the command again with --debug to see where"
            raise click.ClickException(f"{type(error).__name__}: {error} ({hint})") from error
        return result


def with_command(args: Sequence[str]) -> list[str]:
    """The arguments with a command in front: the one named after leading places, or `run`.

    >>> with_command(["--data-dir", "d", "status", "--json"])
    ['status', '--data-dir', 'd', '--json']
    """
    rest = list(args)
    if not rest:
        return [DEFAULT]
    index = 0
    while index < len(rest) and rest[index].partition("=")[0] in PLACES:
        index += 1 if "=" in rest[index] else 2
    if 0 < index < len(rest) and rest[index] in COMMANDS:
        return [rest[index], *rest[:index], *rest[index + 1 :]]
    if rest[0].startswith("-") and rest[0] not in OWN_OPTIONS:
        return [DEFAULT, *rest]
    return rest


def _forget_stdout() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, without a complaint at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        # Not a real file (a test's): nothing is left to be flushed at the end.
        return
    finally:
        os.close(nowhere)


EPILOG = """Without a command it is `run`, and without any configuration the demonstration with emulated nodes.

The configuration is looked for as --config F, $ORCH_CONFIG, ./orch.toml, ~/.config/orch/orch.toml.
Durations are 90s, 15m, 2h, 7d. Exit status: 0 fine, 1 failed, 2 wrong usage or configuration."""


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="orch")
def main() -> None:
    """Polls, compares, plans, moves and proves the earnings of nodes that share a host."""
