"""What `orch check` found: one line per thing looked at, with a remedy where it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

Result: TypeAlias = Literal["ok", "note", "warning", "failed"]

OLD_S = 60.0

MARK: dict[Result, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "note": ("note", "dim"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED", "bold red"),
}


class Line(Value):
    """One thing looked at. `subject` is a node, or a part of the house; `age_s` how old the answer's figure is."""

    subject: str
    asked: str
    result: Result
    sentence: str
    remedy: str | None = None
    age_s: float | None = None


class Opening(Value):
    """Something that is set badly today, and what that costs."""

    sentence: str
    usd_per_month: float | None


class Checkup(Value):
    """The body of `check --json`. `problems` counts what failed; `set_badly_by` says what that rests on."""

    schema: int
    source: str
    data_dir: str
    problems: int
    warnings: int
    lines: tuple[Line, ...]
    set_badly: tuple[Opening, ...] = ()
    set_badly_by: str | None = None


BY_PLAN = "the engine's last plan"
BY_LOOK = "this one look; nodes that state no limit are taken at their minimum"


def checkup(
    source: str, data_dir: str, lines: Sequence[Line], set_badly: Sequence[Opening], by: str | None = None
) -> Checkup:
    """Everything that was found, counted."""
    return Checkup(
        schema=1,
        source=source,
        data_dir=data_dir,
        problems=sum(1 for line in lines if line.result == "failed"),
        warnings=sum(1 for line in lines if line.result == "warning"),
        lines=tuple(lines),
        set_badly=tuple(set_badly),
        set_badly_by=by,
    )


def checkup_page(found: Checkup) -> RenderableType:
    """The findings for a terminal: what failed comes first within each subject, the count at the end."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from orch.cli.words import age, harmless, usd

    found = harmless(found)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("what", no_wrap=True, overflow="ellipsis", max_width=12)
    table.add_column("asked", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("result", no_wrap=True)
    table.add_column("", overflow="fold")
    before = ""
    for line in found.lines:
        word, style = MARK[line.result]
        said = Text(line.sentence)
        if line.age_s is not None and line.age_s >= OLD_S:
            said.append(f", {age(line.age_s)}", style="dim")
        if line.remedy:
            said.append(f"\n→ {line.remedy}", style="yellow" if line.result != "note" else "dim")
        table.add_row("" if line.subject == before else line.subject, line.asked, Text(word, style=style), said)
        before = line.subject
    parts: list[RenderableType] = [Text(f"Checked {found.source}; data in {found.data_dir}\n", style="dim"), table]
    if found.set_badly:
        heading = Text("\nSet badly today", style="bold")
        parts.append(
            heading.append(f"  by {found.set_badly_by}" if found.set_badly_by else "", style="not bold dim")
        )
        for each in found.set_badly:
            cost = "unknown" if each.usd_per_month is None else f"{usd(each.usd_per_month)} USD a month"
            parts.append(Text(f"{each.sentence}: {cost}"))
    verdict = f"{found.problems} failed, {found.warnings} to look at" if found.problems else "Everything answers."
    if not found.problems and found.warnings:
        verdict = f"Everything answers; {found.warnings} to look at."
    parts.append(Text(f"\n{verdict}", style="bold red" if found.problems else "bold green"))
    return Group(*parts)
