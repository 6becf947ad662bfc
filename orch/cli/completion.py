"""`orch completion`: the script that completes orch's commands and options in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", short_help="Completion of commands and options for a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@common
def command(where: Where, shell: str) -> None:
    """Print a script that completes the commands and options of `orch` in your shell.

    \b
    bash:  orch completion bash > ~/.local/share/bash-completion/completions/orch
    zsh:   orch completion zsh > a folder of $fpath/_orch
    fish:  orch completion fish > ~/.config/fish/completions/orch.fish
    """  # noqa: D301 - Click's mark for lines that are not to be joined
    del where  # it reads nothing
    from click.shell_completion import get_completion_class

    from orch.cli.group import main

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"This version of Click completes nothing in {shell}.")
    completing = found(main, {}, "orch", "_ORCH_COMPLETE")
    # Not `source()`: that asks the shell of this machine for its version first.
    click.echo(completing.source_template % completing.source_vars(), nl=False)
