"""Secrets by reference: `{ env = "NAME" }` or `{ file = "path" }`, never in clear in the configuration.

A secret that is missing or cannot be used is a finding, not a fault: the rest of the house starts.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.model.readings import Finding
from orch.model.wire import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 65_536


class Resolved(Value):
    """What a reference led to: a secret, or None, and what to tell the operator."""

    secret: Secret | None = None
    finding: Finding | None = None


class Vault:
    """Looks references up.

    Args:
        environ: The environment variables.
        base_dir: Where relative paths of files start.
        resolve: False looks nothing up: every secret is then None, without a finding.
    """

    def __init__(self, environ: Mapping[str, str], base_dir: Path, *, resolve: bool = True) -> None:
        self._environ = environ
        self._base_dir = base_dir
        self._resolve = resolve

    def look_up(self, reference: Mapping[str, str], path: str) -> Resolved:
        """The secret of a reference with exactly one of `env` and `file`; `path` is the key it stands at."""
        if not self._resolve:
            return Resolved()
        if "env" in reference:
            name = reference["env"]
            value = self._environ.get(name)
            if value is None:
                return _missing(path, f"the environment variable {name} is not set", "set it and start orch again")
            return _usable(value, path, f"the environment variable {name}")
        return self._from_file(place(reference["file"], self._base_dir, self._environ), path)

    def _from_file(self, file: Path, path: str) -> Resolved:
        remedy = "write the secret there, readable by the user that runs orch, mode 0600"
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return _missing(path, f"the file {file} does not exist", remedy)
        except (OSError, ValueError) as error:
            return _missing(path, f"the file {file} cannot be read ({type(error).__name__})", remedy)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return _missing(path, f"{file} is not a regular file", remedy)
            content = os.read(handle, MAX_BYTES)
        except OSError as error:
            return _missing(path, f"the file {file} cannot be read ({type(error).__name__})", remedy)
        finally:
            os.close(handle)
        try:
            found = _usable(content.decode("utf-8"), path, f"the file {file}")
        except UnicodeDecodeError:
            return _missing(path, f"the file {file} is not text", remedy)
        if found.secret is not None and stat.S_IMODE(status.st_mode) & 0o077:
            return Resolved(secret=found.secret, finding=_open_file(path, file))
        return found


def place(text: str, base_dir: Path, environ: Mapping[str, str]) -> Path:
    """A path of the configuration: `~` is the home of the environment, relative ones start at `base_dir`."""
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        return Path(home) / text[2:]
    return base_dir / text


def _usable(text: str, path: str, origin: str) -> Resolved:
    value = text.strip()
    if not value:
        return _missing(path, f"{origin} is empty", "put the secret there")
    # It would end up in a header or a URL, where a line end starts something else.
    if not value.isprintable():
        return _missing(path, f"{origin} holds more than one line of text", "put the bare secret there")
    return Resolved(secret=Secret(value=value))


def _missing(path: str, sentence: str, remedy: str) -> Resolved:
    return Resolved(
        finding=Finding(code="secret_missing", severity="warning", sentence=f"{path}: {sentence}", remedy=remedy)
    )


def _open_file(path: str, file: Path) -> Finding:
    return Finding(
        code="secret_file_mode",
        severity="warning",
        sentence=f"{path}: the file {file} can be read by other users of this host",
        remedy=f"chmod 600 {file}",
    )
