"""What `orch init` found, wrote and still misses: the body of `init --json`, and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.discovery.proposal import Missing
from orch.model.base import Value

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from orch.discovery.draft import Draft
    from orch.discovery.proposal import Proposal


class FoundNode(Value):
    """A node that was found. `new` when it was not in the configuration before."""

    name: str
    protocol: str
    emulated: bool
    how: tuple[str, ...]
    new: bool


class Found(Value):
    """The body of `init --json`.

    `kept` are the configured nodes that stay as they are; `text` is the whole file, with --dry-run only; `next`
    are the commands that come next.
    """

    schema: int
    path: str
    created: bool
    written: bool
    nodes: tuple[FoundNode, ...]
    added: tuple[str, ...]
    kept: tuple[str, ...]
    missing: tuple[Missing, ...]
    next: tuple[str, ...]
    text: str | None = None


def make_found(
    *,
    path: Path,
    proposal: Proposal,
    draft: Draft,
    known: tuple[str, ...],
    created: bool,
    written: bool,
    text: str | None,
    named: bool = False,
) -> Found:
    """Everything in one value."""
    nodes = tuple(
        FoundNode(name=name, protocol=each.protocol, emulated=each.emulated, how=each.how, new=name in draft.added)
        for name, each in draft.named
    )
    place = f" --config {path}" if named else ""
    after = (f"orch check{place}", f"orch run{place}") if nodes or known else ("orch demo",)
    return Found(
        schema=1,
        path=str(path),
        created=written and created,
        written=written,
        nodes=nodes,
        added=draft.added,
        kept=known,
        missing=proposal.missing,
        next=after,
        text=text,
    )


def found_page(found: Found) -> RenderableType:
    """For a terminal: what is there, what is missing and how to get it, what was written, what comes next."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from orch.cli.words import harmless

    found = harmless(found)
    parts: list[RenderableType] = []
    if found.nodes:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for title in ("node", "protocol"):
            table.add_column(title, no_wrap=True)
        table.add_column("found", overflow="fold")
        for node in found.nodes:
            how = Text("; ".join(node.how))
            if not node.new:
                how.append(" (configured already, left as it is)", style="dim")
            table.add_row(node.name, node.protocol, how)
        parts.append(table)
    elif found.kept:
        parts.append(Text("No other node than the configured ones was found."))
    else:
        parts.append(Text("No node was found on this host.", style="bold"))
    if found.missing:
        parts.append(Text("\nNot found, or missing", style="bold"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for each in found.missing:
            said = Text(each.sentence)
            if each.blocks:
                said.append(" (the node is not written without it)", style="bold yellow")
            grid.add_row(each.protocol, said.append(f"\n→ {each.remedy}", style="yellow"))
        parts.append(grid)
    parts.append(Text(f"\n{_outcome(found)}", style="bold"))
    parts.append(Text(f"Next: {', then '.join(found.next)}"))
    return Group(*parts)


def _outcome(found: Found) -> str:
    if found.written:
        how = "Wrote" if found.created else "Added to"
        return f"{how} {found.path} (mode 0600): {', '.join(found.added)}. Mode suggest: orch only advises."
    if found.text is not None:
        return f"Would write {found.path}: {', '.join(found.added)}"
    if found.kept:
        return f"Nothing to add to {found.path}."
    return "Nothing was written. Start a node, or name one by an option; `orch init --help` lists them."
