"""Hand work: glyphs in the overrides folder, which take the place of what the network made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from fontgen.errors import ImageError, codepoint_name
from fontgen.glyphs.store import codepoint_from_name
from fontgen.outlines.glif import glyphs_of_ufo, read_glif
from fontgen.outlines.outline import Outline
from fontgen.outlines.svg import read_svg
from fontgen.stages.build import Build
from fontgen.workspace import file_hash, fingerprint


def painted(build: Build) -> dict[int, Path]:
    """Codepoint -> PNG that replaces the cleaned image."""
    return _named(build, ".png")


def drawn(build: Build) -> dict[int, Path]:
    """Codepoint -> outline that replaces the traced one: U+4E00.svg, U+4E00.glif, or a glyph of a UFO in the folder.

    Of a UFO that fontgen wrote, only the glyphs that were edited since.

    Raises ImageError when a character has two of them.
    """
    found = _named(build, ".svg")
    more = [_named(build, ".glif"), *(glyphs_of_ufo(ufo) for ufo in _entries(build) if ufo.suffix.lower() == ".ufo")]
    for glyphs in more:
        for codepoint, path in glyphs.items():
            if codepoint in found:
                raise ImageError(f"{path}: {codepoint_name(codepoint)} is also {found[codepoint]}; keep one of them")
            found[codepoint] = path
    return found


def read_drawn(path: Path) -> Outline:
    """The outline of one file that `drawn` found."""
    return read_glif(path) if path.suffix.lower() == ".glif" else read_svg(path)


def without_effect(build: Build, charset: Mapping[str, Collection[int]]) -> dict[str, str]:
    """File name -> why this image or outline replaces nothing in a font of these characters, by their fates.

    The glyphs of a UFO are left out: most of them are the base font's.
    """
    reasons = {"kept": "the target font has it, and keeps it", "blank": "white space"}
    reasons["lacking"] = "no source font has it: add one that does, whose glyph this then replaces"
    fates = {codepoint: reason for fate, reason in reasons.items() for codepoint in charset[fate]}
    found: dict[str, str] = {}
    for path in _entries(build):
        codepoint = codepoint_from_name(path.stem)
        if path.suffix.lower() not in {".png", ".svg", ".glif"} or codepoint in charset["generate"]:
            continue
        unwanted = "[charset] want does not ask for it"
        unnamed = "named after no character; name it like U+4E00" + path.suffix
        found[path.name] = unnamed if codepoint is None else fates.get(codepoint, unwanted)
    return found


def hand_hash(build: Build) -> str:
    """Digest of all hand work; empty without any folder for it."""
    entries = list(_entries(build))
    files = [path for path in entries if path.is_file()]
    for ufo in entries:
        if ufo.suffix.lower() == ".ufo":
            files += [path for path in sorted(ufo.rglob("*")) if path.is_file()]
    return fingerprint([[path.name, file_hash(path)] for path in files]) if files else ""


def _entries(build: Build) -> Iterator[Path]:
    folder = build.recipe.output.overrides
    if folder is None:
        return
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder of overrides; make it, or take [output] overrides out")
    yield from sorted(folder.iterdir())


def _named(build: Build, suffix: str) -> dict[int, Path]:
    paths = (path for path in _entries(build) if path.suffix.lower() == suffix)
    found = ((codepoint_from_name(path.stem), path) for path in paths)
    return {codepoint: path for codepoint, path in found if codepoint is not None}
