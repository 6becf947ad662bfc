"""The configuration as it may be shown to anybody."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from orch.model.wire import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.config.schema import Config

STARS = "***"
_KEY_LIKE = re.compile(r"[A-Za-z0-9_-]{20,}")


def redact(config: Config) -> dict[str, Any]:
    """Plain tables, lists, texts and numbers; stars where a secret is or may be (in the parts of a URL)."""
    plain: dict[str, Any] = _plain(config)
    return plain


def secrets_of(value: Any) -> Iterator[str]:
    """The text of every secret inside a configuration (or any value): for the log's redactor."""
    if isinstance(value, Secret):
        yield value.value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, (tuple, list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from secrets_of(each)


def shown_url(text: str) -> str:
    """A URL without credentials: no user, no query, and no path segment long enough to be a key."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return STARS
    _, at, host = parts.netloc.rpartition("@")
    path = _KEY_LIKE.sub(STARS, parts.path)
    return urlunsplit(
        (
            parts.scheme,
            f"{STARS}@{host}" if at else host,
            path,
            STARS if parts.query else "",
            STARS if parts.fragment else "",
        )
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return STARS
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return {shown: _plain(getattr(value, name)) for name, shown in names}
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return shown_url(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value) if isinstance(value, (Path, Decimal)) else repr(value)
