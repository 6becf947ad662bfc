"""Writing `orch.toml`: new tables are put at its end, and not a byte of what is there is changed."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from orch.errors import ConfigError
from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomlkit.items import Table


class Setting(Value):
    """A key of a table. `off` writes it as a comment: an example of what may be set there."""

    name: str
    value: Any
    comment: str | None = None
    off: bool = False


class Section(Value):
    """A table to add, with its path (`("nodes", "disk")`) and what stands above it."""

    path: tuple[str, ...]
    settings: tuple[Setting, ...]
    above: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """As it stands in brackets."""
        return ".".join(self.path)


def parse(text: str, source: str) -> Mapping[str, Any]:
    """The tables of a file. Raises ConfigError when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((f"{source}: not TOML: {' '.join(str(error).split())}",)) from error


def with_sections(text: str, sections: tuple[Section, ...], source: str, heading: tuple[str, ...] = ()) -> str:
    """The text of a configuration with tables added at its end.

    Args:
        text: As it is; empty for a new file.
        sections: Tables that the text does not have yet.
        source: What faults call the file.
        heading: Comment lines at the top of a new file.

    Returns:
        The new text; it begins with the old one, byte for byte.

    Raises:
        ConfigError: The tables cannot be added to this file (a node is there already, or `nodes` is written as
            one inline table).
    """
    rendered = [_comments(heading)] if heading and not text.strip() else []
    rendered += [_render(section) for section in sections]
    before = text if not text or text.endswith("\n") else f"{text}\n"
    whole = before + ("\n" if before.strip() else "") + "\n".join(rendered)
    try:
        tomllib.loads(whole)
    except tomllib.TOMLDecodeError as error:
        titles = ", ".join(f"[{section.title}]" for section in sections)
        hint = "write `nodes` as tables of their own, [nodes.NAME]"
        raise ConfigError((f"{source}: {titles} cannot be added ({error}); {hint}",)) from error
    return whole


def _render(section: Section) -> str:
    """A table as text: what stands above it, its header, its keys with their comments."""
    import tomlkit

    document = tomlkit.document()
    table = tomlkit.table()
    for each in section.settings:
        _put(table, each)
    inner: Any = table
    for name in reversed(section.path[1:]):
        outer = tomlkit.table(is_super_table=True)
        outer.append(name, inner)
        inner = outer
    document.append(section.path[0], inner)
    return _comments(section.above) + tomlkit.dumps(document)


def _comments(lines: tuple[str, ...]) -> str:
    """Comment lines. What a stranger's program said of itself may stand in them: no line of it gets out."""
    plain = ("".join(each if each.isprintable() else " " for each in line) for line in lines)
    return "".join(f"# {line}".rstrip() + "\n" for line in plain)


def _put(table: Table, setting: Setting) -> None:
    import tomlkit

    if setting.off:
        line = tomlkit.document()
        line.append(setting.name, _item(setting.value))
        shown = tomlkit.dumps(line).rstrip("\n")
        table.add(tomlkit.comment(shown + (f"  # {setting.comment}" if setting.comment else "")))
        return
    item = _item(setting.value)
    if setting.comment:
        item.comment(setting.comment)
        item.trivia.comment_ws = "  "
    table.append(setting.name, item)


def _item(value: Any) -> Any:
    import tomlkit

    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        for name, each in value.items():
            inline.append(name, _item(each))
        return inline
    return tomlkit.item(value)
