"""From parsed tables to Structs, collecting every fault instead of stopping at the first.

Each fault is one sentence: `file: nodes.disk.urll = "..": unknown key, did you mean "url"?`.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from orch.config.redact import shown_url
from orch.config.schema import Percent
from orch.model.wire import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.config.secrets import Vault
    from orch.model.readings import Finding

T = TypeVar("T", bound=msgspec.Struct)

LARGEST = 1e15
LONGEST_SHOWN = 60
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SECRETIVE = re.compile(r"token|key|secret|pass|mnemonic|credential|auth", re.IGNORECASE)
_WORDS = {
    "str": "text",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a date",
    "date": "a date",
    "time": "a time of day",
    "Decimal": "a number",
}


class WrongError(Exception):
    """A value that cannot be used; the reader has noted why."""


class Reader:
    """Checks the tables of one source.

    Args:
        source: The file's name, as every fault begins with it.
        vault: Looks secrets up.
        faults: Collects what is wrong; may be shared.
        findings: Collects what is only worth a warning.
    """

    def __init__(self, source: str, vault: Vault, faults: list[str], findings: list[Finding]) -> None:
        self.source = source
        self.vault = vault
        self.faults = faults
        self.findings = findings

    def fault(self, path: str, sentence: str, *given: Any) -> None:
        """Note one fault; `given` is the value that stands there, if any."""
        value = f" = {_shown(path, given[0])}" if given else ""
        self.faults.append(f"{self.source}: {path}{value}: {sentence}")

    def struct(self, kind: type[T], table: Any, path: str, *, also: Iterable[str] = ()) -> T | None:
        """A Struct from a table; None (and at least one fault) when it cannot be made.

        Args:
            kind: The Struct's class; its fields' types and constraints are what is checked.
            table: What stands in the file.
            path: Where it stands, such as `nodes.disk`; empty for the whole file.
            also: Keys that are read elsewhere and not unknown here.
        """
        if not isinstance(table, dict):
            self.fault(path, "must be a table", table)
            return None
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        before = len(self.faults)
        values: dict[str, Any] = {}
        known = [*fields, *also]
        for key, raw in table.items():
            here = joined(path, key)
            if key in fields:
                try:
                    values[fields[key].name] = self.value(fields[key].type, raw, here)
                except WrongError:
                    continue
            elif key not in known:
                self.unknown(here, key, raw, known)
        for key, field in fields.items():
            if field.required and key not in table:
                self.fault(joined(path, key), "missing")
        if len(self.faults) > before:
            return None
        try:
            return kind(**values)
        except (TypeError, ValueError) as error:
            self.fault(path, " ".join(str(error).split()) or "cannot be used")
            return None

    def unknown(self, path: str, key: str, raw: Any, known: Iterable[str]) -> None:
        """Note an unknown key, with the nearest valid one."""
        near = nearest(key, known)
        hint = suggestion(key, known)
        if isinstance(raw, dict):
            self.fault(path, f"unknown table, {hint}")
        elif near and _SECRETIVE.search(near):
            self.fault(path, f"unknown key, {hint}")
        else:
            self.fault(path, f"unknown key, {hint}", raw)

    def value(self, kind: Any, raw: Any, path: str) -> Any:
        """A value of a field's type.

        Raises:
            WrongError: It is none; the faults say why.
        """
        members = _members(kind)
        if isinstance(raw, (int, float)) and not isinstance(raw, bool):
            self._must_be_sane(raw, path)
            if Decimal in members:
                return self._decimal(raw, path)
        if isinstance(raw, dict):
            return self._from_table(members, raw, path)
        if isinstance(raw, list):
            return self._from_list(members, raw, path)
        if isinstance(raw, str) and str not in map(_bare, members):
            if Percent in members and raw.strip().endswith("%"):
                return self._percent(raw, path)
            if Secret in members:
                self.fault(path, 'a secret in clear text; use { env = "NAME" } or { file = "path" }')
                raise WrongError
        choices = [each for member in members for each in _literals(member)]
        if choices and raw in choices:
            return raw
        return self._scalar(members, choices, raw, path)

    def _scalar(self, members: tuple[Any, ...], choices: list[Any], raw: Any, path: str) -> Any:
        plain = [member for member in members if _is_scalar(member)]
        complaint = ""
        if plain:
            try:
                return msgspec.convert(raw, Union[tuple(plain)])  # noqa: UP007 - the members are not known here
            except msgspec.ValidationError as error:
                complaint = _translated(str(error))
            except (ValueError, TypeError, OverflowError):
                complaint = "cannot be used"
        if choices and plain:
            complaint = f"must be {_expected(tuple(plain))}" if isinstance(raw, str) else complaint
            complaint += f" (or {' or '.join(json.dumps(each) for each in choices)})"
        elif choices and isinstance(raw, str):
            complaint = f"must be one of {', '.join(map(str, choices))}"
            near = nearest(raw, [str(each) for each in choices])
            complaint += f'; did you mean "{near}"?' if near else ""
        if Percent in members:
            share = 'a share such as "12%"'
            complaint = f"{complaint} or {share}" if complaint.startswith("must be a") else f"must be {share}"
        self.fault(path, complaint or f"must be {_expected(members)}", raw)
        raise WrongError

    def _from_table(self, members: tuple[Any, ...], raw: dict[str, Any], path: str) -> Any:
        if Secret in members:
            return self._secret(raw, path)
        for member in members:
            if isinstance(member, type) and issubclass(member, msgspec.Struct) and member is not Percent:
                made = self.struct(member, raw, path)
                if made is None:
                    raise WrongError
                return made
            if get_origin(member) is dict:
                inner = get_args(member)[1]
                return raw if inner is Any else self._each(inner, raw, path)
        self.fault(path, f"must be {_expected(members)}, not a table")
        raise WrongError

    def _each(self, inner: Any, raw: dict[str, Any], path: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, each in raw.items():
            try:
                made[key] = self.value(inner, each, joined(path, key))
            except WrongError:
                continue
        if len(made) < len(raw):
            raise WrongError
        return made

    def _from_list(self, members: tuple[Any, ...], raw: list[Any], path: str) -> Any:
        for member in members:
            origin, inner = get_origin(member), get_args(member)
            if origin not in (tuple, list) or not inner:
                continue
            made = []
            for index, each in enumerate(raw):
                try:
                    made.append(self.value(inner[0], each, f"{path}[{index}]"))
                except WrongError:
                    continue
            if len(made) < len(raw):
                raise WrongError
            return tuple(made) if origin is tuple else made
        self.fault(path, f"must be {_expected(members)}, not a list")
        raise WrongError

    def _secret(self, raw: dict[str, Any], path: str) -> Secret | None:
        if len(raw) != 1 or not all(key in ("env", "file") and _is_word(each) for key, each in raw.items()):
            self.fault(path, 'a secret is { env = "NAME" } or { file = "path" }')
            raise WrongError
        resolved = self.vault.look_up(raw, path)
        if resolved.finding is not None:
            self.findings.append(resolved.finding)
        return resolved.secret

    def _percent(self, raw: str, path: str) -> Percent:
        found = _PERCENT.fullmatch(raw.strip())
        if found is None or len(raw) > LONGEST_SHOWN or float(found[1]) > 100:
            self.fault(path, "a share must lie between 0% and 100%", raw)
            raise WrongError
        return Percent(percent=float(found[1]))

    def _decimal(self, raw: float, path: str) -> Decimal:
        try:
            amount = Decimal(str(raw))
        except InvalidOperation:
            amount = Decimal(-1)
        if amount < 0:
            self.fault(path, "must be a number >= 0", raw)
            raise WrongError
        return amount

    def _must_be_sane(self, raw: float, path: str) -> None:
        # Compared before anything is made a float: a whole number of TOML may be too long for one.
        if abs(raw) > LARGEST or not math.isfinite(raw):
            self.fault(path, "must be a finite number that a machine could have", raw)
            raise WrongError


def joined(path: str, key: str) -> str:
    """The path of a key, quoted where TOML would have to."""
    written = key if _BARE_KEY.fullmatch(key) else json.dumps(key[:LONGEST_SHOWN])
    return f"{path}.{written}" if path else written


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest known word, or all of them."""
    words = sorted(set(known))
    near = nearest(word, words)
    if near:
        return f'did you mean "{near}"?'
    return f"known: {', '.join(words)}" if words else "none is known here"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant: spelt much the same, or begun."""
    words = sorted(set(known))
    near = get_close_matches(word, words, n=1)
    begun = [each for each in words if len(word) > 2 and each.startswith(word)]
    return next(iter([*near, *begun]), None)


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _bare(member: Any) -> Any:
    return get_args(member)[0] if get_origin(member) is Annotated else member


def _literals(member: Any) -> tuple[Any, ...]:
    return get_args(member) if get_origin(member) is Literal else ()


def _is_scalar(member: Any) -> bool:
    bare = _bare(member)
    is_struct = isinstance(bare, type) and issubclass(bare, msgspec.Struct)
    return not (is_struct or bare in (type(None), Decimal) or get_origin(bare) in (Literal, dict, tuple, list))


def _is_word(raw: Any) -> bool:
    return isinstance(raw, str) and raw != "" and "\0" not in raw


def _expected(members: tuple[Any, ...]) -> str:
    if Secret in members:
        return '{ env = "NAME" } or { file = "path" }'
    for member in members:
        origin = get_origin(member)
        if origin in (tuple, list):
            return "a list"
        if origin is dict or (isinstance(member, type) and issubclass(member, msgspec.Struct)):
            return "a table"
        if origin is Literal:
            return f"one of {', '.join(map(str, get_args(member)))}"
    names = [_WORDS.get(_bare(each).__name__, "") for each in members if isinstance(_bare(each), type)]
    return " or ".join(name for name in names if name) or "something else"


def _translated(message: str) -> str:
    """A validator's complaint in the words of the configuration."""
    text = message.partition(" - at `$")[0]
    if "matching regex" in text:
        is_web = "'^https?" in text
        return (
            "must be an http:// or https:// address" if is_web else text.replace("Expected `str`", "must be text")
        )

    def plain(found: re.Match[str]) -> str:
        kinds = [each for each in found[1].split(" | ") if each != "null"]
        return " or ".join(_WORDS.get(each, each) for each in kinds)

    text = re.sub(r"`([a-z]+(?: \| [a-z]+)*)`", plain, text)
    text = re.sub(r"(\d)\.0\b", r"\1", text)
    return text.replace("Expected", "must be").replace(", got", ", not")


def _shown(path: str, raw: Any) -> str:
    """A value as it may be shown: no secret, not long, on one line."""
    if isinstance(raw, (dict, list)):
        return "{...}" if isinstance(raw, dict) else "[...]"
    if isinstance(raw, str):
        if _SECRETIVE.search(path.rpartition(".")[2]):
            return '"***"'
        text = shown_url(raw)
        return json.dumps(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...", ensure_ascii=False)
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int) and abs(raw) > LARGEST:
        return "a huge number"
    return str(raw)
