"""Where a font comes from: everything needed to make it again, without paths of one machine."""

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
from fontgen.files import json_text
from fontgen.stages.build import Build
from fontgen.workspace import file_hash
from fontgen.zi2zi.header import read_header

_PACKAGES = ("fonttools", "freetype-py", "numpy", "pillow", "scipy", "scikit-image", "torch", "uharfbuzz")
_FORMAT = "fontgen-provenance"
_MEASURED_BEFORE = ("charset", "calibrate", "clean", "register", "gate", "retry")
"""Stages before the assembly whose figures tell of the font rather than of what a run happened to do."""
_MEASURED = (*_MEASURED_BEFORE, "assemble", "check", "evaluate")


def provenance(build: Build, fonts: Iterable[Path]) -> dict[str, Any]:
    """JSON-able: fonts, recipe, checkpoint, versions, and the figures of the stages before the assembly.

    The same build gives the same content; input files are named relative to the recipe, and by their SHA-256.
    """
    checkpoint = build.checkpoint()
    recipe = _relative(json.loads(build.recipe.model_dump_json(by_alias=True)), build.recipe_folder)
    return {
        "format": _FORMAT,
        "version": 1,
        "fonts": {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in fonts},
        "inputs": {key: _file(build, path) for key, path in sorted(build.recipe.input_files().items())},
        "checkpoint": _file(build, checkpoint) | {"header": read_header(checkpoint).to_json()},
        "recipe": recipe,
        "recipe_sha256": hashlib.sha256(json_text(recipe).encode()).hexdigest(),
        "charset": build.want,
        "redone": json.loads(build.redo.path.read_text(encoding="utf-8"))["glyphs"] if build.redo.glyphs else {},
        "figures": _figures(build, _MEASURED_BEFORE),
        "versions": {"fontgen": __version__, "python": platform.python_version(), **_versions()},
    }


def release_provenance(build: Build, fonts: Iterable[Path], release: str, previous: str | None) -> dict[str, Any]:
    """The same of a release, after the release before it, with the figures of every stage."""
    figures = _figures(build, _MEASURED)
    return provenance(build, fonts) | {"release": release, "previous": previous, "figures": figures}


def provenance_file(build: Build) -> Path:
    """What stands beside the fonts that the assembly made."""
    return build.folder("assemble").path / f"{build.recipe.name}.provenance.json"


def _figures(build: Build, stages: Iterable[str]) -> dict[str, Any]:
    return {name: build.folder(name).figures for name in stages if name in build.marks}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(build: Build, path: Path) -> dict[str, Any]:
    named = {"file": _shown(path, build.recipe_folder)}
    if path.is_dir():
        return named | {"digest": file_hash(path)}
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
