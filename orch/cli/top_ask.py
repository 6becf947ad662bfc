"""What `orch top` asks before anything changes, and its help."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, TypeVar

import click
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from orch.cli.options import DURATION_TYPE

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Key


Answer = TypeVar("Answer")


class Over(ModalScreen[Answer]):
    """A pane over everything else."""

    def __init__(self, pane: RenderableType) -> None:
        super().__init__()
        self._pane = pane


class Ask(Over[bool]):
    """A question that `y` alone answers with yes."""

    BINDINGS: ClassVar[list[BindingType]] = [("y", "dismiss(True)", "yes"), ("n,escape,q", "dismiss(False)", "no")]

    def compose(self) -> ComposeResult:
        """The question, and the keys that answer it."""
        with Vertical(classes="box"):
            with VerticalScroll():
                yield Static(self._pane)
            yield Static("\n[b u]y[/] yes   [b u]n[/] no, leave everything as it is")


class AskHowLong(Over[timedelta]):
    """How long, or not at all."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss(None)", "no")]

    def compose(self) -> ComposeResult:
        """The question, and a field that starts with two hours."""
        with Vertical(classes="box"):
            yield Static(self._pane)
            yield Input("2h", compact=True)
            yield Static("\n[b u]enter[/] freeze   [b u]escape[/] leave everything as it is", id="answers")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on with a duration; say what is wrong with anything else."""
        try:
            lasting = DURATION_TYPE.convert(event.value, None, None)
        except click.UsageError as error:
            self.query_one("#answers", Static).update(f"\n{error.message.replace('[', '(')}")
        else:
            self.dismiss(lasting)


class Help(Over[None]):
    """Until any key is pressed."""

    def compose(self) -> ComposeResult:
        """What each key does."""
        with Vertical(classes="box"):
            yield Static(self._pane)

    def on_key(self, event: Key) -> None:
        """Close."""
        event.stop()
        self.dismiss()
