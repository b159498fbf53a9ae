"""What `fontgen redo` and `fontgen fix` do with the glyphs that they are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fontgen.errors import CharsetError, RecipeError, codepoint_name
from fontgen.files import write_bytes
from fontgen.outlines.folder import svg_name
from fontgen.report import Report
from fontgen.stages import by_hand
from fontgen.stages.build import Build
from fontgen.stages.inputs import fates
from fontgen.stages.redo import RedoFile
from fontgen.stages.repair import gate_scores


def plan_redo(
    build: Build, codepoints: Iterable[int], *, passes: int | None, checkpoint: Path | None, reset: bool
) -> RedoFile:
    """The project's redone glyphs with another attempt at some; `reset` forgets them.

    Raises CharsetError for characters that the recipe does not generate.
    """
    given = _generated(build, codepoints)
    if reset:
        return replace(build.redo, glyphs={c: m for c, m in build.redo.glyphs.items() if c not in given})
    return build.redo.with_attempt(given, recipe_passes=build.recipe.infer.passes, passes=passes, checkpoint=checkpoint)


def _generated(build: Build, codepoints: Iterable[int]) -> list[int]:
    given, makes = list(codepoints), set(fates(build).generate)
    if wrong := [codepoint_name(c) for c in given if c not in makes]:
        raise CharsetError(f"the recipe does not generate {' '.join(wrong[:8])}; name characters that it draws")
    return given


def scores(build: Build, codepoints: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Codepoint -> what the gate said last of each; nothing where it has not run."""
    if not (build.folder("gate").path / "gate.json").exists():
        return {}
    known = gate_scores(build)
    return {c: known[c] for c in codepoints if c in known}


def score_lines(before: Mapping[int, Mapping[str, Any]], after: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    """One line a glyph: `U+9F98 龘  0.412 -> 0.731`, and why it is still doubtful."""
    for codepoint, record in after.items():
        old = f"{before[codepoint]['score']:.3f} -> " if codepoint in before else ""
        doubt = f"  suspect: {record.get('reason', '')}" if record["suspect"] else ""
        yield f"{codepoint_name(codepoint)} {chr(codepoint)}  {old}{record['score']:.3f}{doubt}"


def copy_to_overrides(build: Build, codepoints: Iterable[int]) -> Report:
    """Copy the traced outline of each glyph into the overrides folder, unless a file for it is there.

    Raises RecipeError when the recipe names no such folder, CharsetError for glyphs it does not generate.
    """
    folder = build.recipe.output.overrides
    if folder is None:
        raise RecipeError('the recipe has no folder for hand work; add [output] overrides = "overrides" to it')
    report = Report("fix")
    there = {**by_hand.painted(build), **by_hand.drawn(build)} if folder.is_dir() else {}
    for codepoint in _generated(build, codepoints):
        traced = build.folder("trace").path / svg_name(codepoint)
        if codepoint in there:
            report.add_skipped(codepoint, f"{there[codepoint]} is there already")
        elif not traced.exists():
            report.add_failed(codepoint, "not traced yet; run `fontgen build` first")
        else:
            write_bytes(folder / traced.name, traced.read_bytes())
            report.add_done(codepoint)
    return report
