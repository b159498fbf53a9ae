"""Where a released font comes from: everything needed to make it again, without paths of one machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fontgen import __version__
from fontgen.stages.build import Build
from fontgen.zi2zi.header import read_header

_PACKAGES = ("fonttools", "freetype-py", "numpy", "pillow", "scipy", "scikit-image", "torch", "uharfbuzz")
_FORMAT = "fontgen-provenance"
_MEASURING = ("charset", "calibrate", "clean", "register", "gate", "assemble", "check", "evaluate")
"""Stages whose figures tell of the font rather than of what a run happened to do."""


def provenance(build: Build, fonts: Iterable[Path], release: str, previous: str | None) -> dict[str, Any]:
    """JSON-able: fonts, recipe, checkpoint, versions, and the figures of every stage.

    The same build gives the same content; input files are named relative to the recipe, and by their SHA-256.
    """
    checkpoint = build.checkpoint()
    return {
        "format": _FORMAT,
        "version": 1,
        "release": release,
        "previous": previous,
        "fonts": {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in fonts},
        "inputs": {key: _file(build, path) for key, path in sorted(build.recipe.input_files().items())},
        "checkpoint": _file(build, checkpoint) | {"header": read_header(checkpoint).to_json()},
        "recipe": _relative(json.loads(build.recipe.model_dump_json(by_alias=True)), build.recipe_folder),
        "charset": build.want,
        "redone": json.loads(build.redo.path.read_text(encoding="utf-8"))["glyphs"] if build.redo.glyphs else {},
        "figures": {name: build.folder(name).figures for name in _MEASURING if name in build.marks},
        "versions": {"fontgen": __version__, "python": platform.python_version(), **_versions()},
    }


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(build: Build, path: Path) -> dict[str, Any]:
    named = {"file": _shown(path, build.recipe_folder)}
    return named | {"sha256": sha256(path)} if path.is_file() else named


def _shown(path: Path, folder: Path) -> str:
    """Relative to the recipe; what lies far from it is named by its file name alone."""
    relative = Path(os.path.relpath(path, folder.resolve()))
    return relative.as_posix() if relative.parts.count("..") <= 1 else path.name


def _relative(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _relative(part, folder) for key, part in value.items()}
    if isinstance(value, list):
        return [_relative(part, folder) for part in value]
    return _shown(Path(value), folder) if isinstance(value, str) and os.path.isabs(value) else value


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an optional package that played no part
    return found
