"""What all commands share: where things lie, durations and times."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import click

from orch.cli.group import DEBUG

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DURATION = re.compile(r"(?P<count>\d{1,9}(?:\.\d{1,6})?)(?P<unit>[smhd])", re.ASCII)
LONGEST = timedelta(days=36_500)
MODES = ("observe", "suggest", "approve", "auto")

Since: TypeAlias = timedelta | datetime
"""A time, or so long before now; whose now it is the reader knows."""


class Where(NamedTuple):
    """`--config` and `--data-dir` as given."""

    config: Path | None = None
    data_dir: Path | None = None


class Duration(click.ParamType[timedelta]):
    """`90s`, `15m`, `2h`, `7d`; more than nothing and at most a hundred years."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The length of time."""
        if isinstance(value, timedelta):
            return value
        found = DURATION.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not a duration: write 90s, 15m, 2h or 7d.", param, ctx)
        count = float(found["count"])
        if found["unit"] == "d" and count > LONGEST.days:
            self.fail(f"{value!r} is too long: at most {LONGEST.days}d.", param, ctx)
        length = timedelta(**{UNITS[found["unit"]]: count})
        if not timedelta(0) < length <= LONGEST:
            self.fail(f"{value!r} is out of range: more than 0s, at most {LONGEST.days}d.", param, ctx)
        return length


class Moment(click.ParamType[Since]):
    """A time (RFC 3339; without a zone it is UTC), or a duration: so long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Since:
        """The time, or how long ago it was."""
        if isinstance(value, timedelta | datetime):
            return value
        text = str(value).strip()
        if DURATION.fullmatch(text):
            return Duration().convert(text, param, ctx)
        try:
            when = datetime.fromisoformat(text)
            return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a duration (24h, 7d) nor a time (2026-03-01T10:00:00Z).", param, ctx)


DURATION_TYPE = Duration()
MOMENT_TYPE = Moment()


def moment(since: Since, now: datetime) -> datetime:
    """The time that is meant, seen from `now`."""
    return now - since if isinstance(since, timedelta) else since


def common(command: Callable[..., None]) -> Callable[..., None]:
    """`--config`, `--data-dir` and `--debug`; the command gets the first two as `where`."""

    @click.option("--config", "config", type=Path, metavar="F", help="The configuration, a TOML file.")
    @click.option("--data-dir", "data_dir", type=Path, metavar="D", help="Where the data lies.")
    @click.option("--debug", is_flag=True, expose_value=False, callback=_debug, help="Say more when it fails.")
    @functools.wraps(command)
    def wrapped(config: Path | None, data_dir: Path | None, **rest: Any) -> None:
        command(Where(config, data_dir), **rest)

    return wrapped


def engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of everything that starts an engine."""
    for option in (
        click.option(
            "--port", type=click.IntRange(0, 65_535), metavar="N", help="The port of the HTTP interface."
        ),
        click.option("--no-web", is_flag=True, help="No public port: a loopback interface with a token only."),
        click.option("--for", "lasting", type=DURATION_TYPE, metavar="DURATION", help="Stop after so long."),
        click.option("--mode", type=click.Choice(MODES), help="A ceiling for what the levers may do."),
    ):
        command = option(command)
    return command


def as_json(command: Callable[..., None]) -> Callable[..., None]:
    """`--json`: one document on stdout and nothing else."""
    return click.option("--json", "json", is_flag=True, help="One JSON document on stdout.")(command)


def is_debugging() -> bool:
    """Whether `--debug` was given."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(DEBUG))


def _debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[DEBUG] = value
