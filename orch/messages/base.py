"""The base of all messages."""

from __future__ import annotations

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What actors send: immutable, keyword-only, tagged with its class name.

    Commands are imperative and have one addressee, events are past tense, questions start with Which/How/Are.
    """
