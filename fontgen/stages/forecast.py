"""How many glyphs the stages of a plan would make, as far as that can be known before they run."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

from fontgen.glyphs.store import image_name
from fontgen.outlines.folder import stale_outlines
from fontgen.stages.build import Build
from fontgen.stages.drawing import infer_keys
from fontgen.stages.inputs import fates, read_charset, source_keys
from fontgen.stages.outputs import font_units, images_to_trace, trace_settings
from fontgen.stages.repair import clean_keys, first_scores


@dataclass(frozen=True)
class GlyphCount:
    """Glyphs that a stage would make, of those that it answers for."""

    made: int
    total: int

    def __str__(self) -> str:
        return f"{self.made:,} of {self.total:,} glyphs"


def forecast(build: Build, running: Container[str], afresh: Container[str] = ()) -> dict[str, GlyphCount]:
    """Stage -> its glyphs, for stages that work glyph by glyph and those that always take all of them.

    `running` are the stages that would run, `afresh` those that count nothing of an earlier run. What depends on a
    calibration or a training that is still to come is counted whole. The shift that `register` will measure is
    taken to be the present one; how many suspects there are to retry is known where the gate stands.
    """
    codepoints = fates(build).generate if "charset" in running else read_charset(build)["generate"]
    stale = {
        # outlines whose image stands are kept even then: an SVG may have been edited
        name: codepoints if name in afresh and name != "trace" else found
        for name, found in _stale(build, running, codepoints)
    }
    counts = {name: GlyphCount(len(found), len(codepoints)) for name, found in stale.items()}
    for name in ("gate", "assemble"):
        counts[name] = GlyphCount(len(codepoints), len(codepoints))
    if "gate" not in running:
        doubted = [record for record in first_scores(build).values() if record["suspect"]]
        counts["retry"] = GlyphCount(len(doubted), len(codepoints))
    return {name: count for name, count in counts.items() if name in running}


_GLYPH_STAGES = ("source", "infer", "clean", "trace")


def _stale(build: Build, running: Container[str], codepoints: list[int]) -> list[tuple[str, list[int]]]:
    found: list[tuple[str, list[int]]] = []
    if build.recipe.infer.checkpoint or "calibrate" not in running:
        keys, _ = source_keys(build, codepoints)
        found.append(("source", _stale_images(build, "source", keys)))
        if build.recipe.infer.checkpoint or "train" not in running:
            keys = infer_keys(build, keys, build.redo.glyphs)
            found.append(("infer", _stale_images(build, "infer", keys)))
            keys = clean_keys(build, keys)
            cleaned = _stale_images(build, "clean", keys)
            found += [("clean", cleaned), ("trace", _stale_outlines(build, codepoints, set(cleaned)))]
    return found + [(name, codepoints) for name in _GLYPH_STAGES[len(found) :]]


def _stale_images(build: Build, stage: str, keys: dict[int, str]) -> list[int]:
    folder = build.folder(stage)
    return folder.find_stale(keys, lambda codepoint: folder.path / image_name(codepoint))


def _stale_outlines(build: Build, codepoints: list[int], cleaned_anew: set[int]) -> list[int]:
    standing = [c for c in codepoints if c not in cleaned_anew]
    if not standing or not build.folder("register").manifest:
        return codepoints
    images, _ = images_to_trace(build)
    kept = images.subset(standing)
    present: dict[int, Path] = {c: path for c, path in kept.files.items() if path.exists()}
    kept = replace(kept, files=present)
    stale = stale_outlines(kept, build.folder("trace").path, trace_settings(build), font_units(build))
    return [*(c for c in codepoints if c in cleaned_anew), *stale]
