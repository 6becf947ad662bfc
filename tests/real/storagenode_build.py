"""The genuine storagenode, built from its Go module once per user and version.

`go install module@version` would ask the module proxy for a list of versions, which not every proxy gives; a
module of our own that requires the one version needs no list, and downloads and checks the very same sources.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs

VERSION = "v1.162.3"
OLDEST_GO = (1, 25, 10)
PROGRAMS = ("storagenode", "identity")
BUILD_S = 1500.0
UNREACHED = (
    "dial tcp",
    "no such host",
    "i/o timeout",
    "connection refused",
    "Forbidden",
    "GOPROXY",
    "TLS handshake",
)


class NoStoragenodeError(Exception):
    """The programs cannot be had on this machine; the text says why."""


def programs() -> Path:
    """The directory that holds the built programs, building them when they are not there yet."""
    kept = platformdirs.user_cache_path("orch-tests") / f"storagenode-{VERSION}"
    if all((kept / name).exists() for name in PROGRAMS):
        return kept
    go = _go()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as work:
        _build(go, Path(work))
        kept.mkdir(exist_ok=True)
        for name in PROGRAMS:
            (Path(work) / "bin" / name).replace(kept / name)
    return kept


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise NoStoragenodeError("no Go toolchain")
    if shutil.which("gcc") is None and shutil.which("cc") is None:
        raise NoStoragenodeError("no C compiler, which its SQLite driver needs")
    stated = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    found = tuple(int(part) for part in re.findall(r"\d+", stated)[:3])
    if found < OLDEST_GO:
        raise NoStoragenodeError(f"{stated} is older than go{'.'.join(map(str, OLDEST_GO))}")
    return go


def _build(go: str, work: Path) -> None:
    lowest = ".".join(map(str, OLDEST_GO))
    (work / "go.mod").write_text(
        f"module orch.test/storagenode\n\ngo {lowest}\n\nrequire storj.io/storj {VERSION}\n"
    )
    (work / "bin").mkdir()
    done = subprocess.run(
        [go, "build", "-mod=mod", "-o", f"{work}/bin/", *(f"storj.io/storj/cmd/{name}" for name in PROGRAMS)],
        cwd=work,
        env=os.environ | {"CGO_ENABLED": "1", "GOWORK": "off"},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if done.returncode == 0:
        return
    said = [line for line in done.stderr.splitlines() if not line.startswith("go: downloading")]
    reason = f"storagenode {VERSION} was not built: {' | '.join(said[-5:])[:800]}"
    if any(sign in reason for sign in UNREACHED):
        raise NoStoragenodeError(reason)
    raise AssertionError(reason)
