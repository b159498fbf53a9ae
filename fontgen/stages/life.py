"""One glyph's whole life: what each stage made of it, what was found wrong and what was done about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas
from fontgen.errors import CharsetError, codepoint_name
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink, resample_ink
from fontgen.glyphs.store import MANIFEST, UNCERTAINTY, ImageFolder
from fontgen.outlines.folder import svg_name
from fontgen.outlines.outline import Outline
from fontgen.outlines.picture import draw_outline
from fontgen.stages import by_hand
from fontgen.stages.build import Build, font_ref
from fontgen.stages.inputs import fates
from fontgen.stages.outputs import font_files
from fontgen.stages.redoing import scores
from fontgen.stages.repair import images_after

SIZE_PX = 512


@dataclass
class GlyphLife:
    """The images of one glyph, stage by stage, and what is known about it."""

    codepoint: int
    images: list[tuple[str, NDArray[np.uint8] | None]] = field(default_factory=list)
    """(stage in words, (size, size) uint8 with ink = 255 or None where there is none)."""
    facts: dict[str, Any] = field(default_factory=dict)
    """JSON-able: score, suspect, reason, repairs, uncertainty, points, redone, by_hand …"""

    def lines(self) -> Iterator[str]:
        yield f"{codepoint_name(self.codepoint)} {chr(self.codepoint)}"
        for key, value in self.facts.items():
            for number, part in enumerate(value if isinstance(value, list) and value else [value]):
                yield f"  {'' if number else key:<10} {_words(part)}"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(part)}" for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(map(_words, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def glyph_life(build: Build, codepoint: int) -> GlyphLife:
    """Gather it from the build folder; stages that have not run leave their place empty.

    Raises CharsetError for a character that the recipe does not make.
    """
    found = fates(build)
    name = codepoint_name(codepoint)
    if codepoint not in found.generate:
        why = "the target font has it" if codepoint in found.kept else "the recipe does not ask for it"
        if codepoint in found.blank:
            why = "it is white space"
        if codepoint in found.lacking:
            why = f"it is {found.lacking[codepoint]} in the source fonts"
        raise CharsetError(f"{name}: not generated: {why}; `fontgen build --dry-run` says what is")
    life = GlyphLife(codepoint)
    canvas = Canvas(size_px=SIZE_PX)
    for stage, heading in (("source", "source"), ("infer", "drawn"), ("clean", "repaired")):
        folder, image = _image(build, stage, codepoint)
        life.images.append((heading, None if image is None else resample_ink(image, folder.canvas, canvas)))
        if stage == "clean" and folder is not None and codepoint in folder.glyphs:
            record = folder.glyphs[codepoint]
            life.facts["repairs"] = record.get("repairs", [])
            if UNCERTAINTY in record:
                life.facts[UNCERTAINTY] = record[UNCERTAINTY]
    outline = _outline(build, codepoint, life.facts)
    life.images.append(("outline", None if outline is None else draw_outline(outline, canvas)))
    life.images.append(("in the font", _in_font(font_files(build)[0], codepoint, canvas)))
    if build.recipe.truth:
        ref = font_ref(build.recipe.truth.font)
        there = codepoint in open_face(ref).cmap
        life.images.append(("truth", render_ink(open_face(ref), codepoint, canvas) if there else None))
    life.facts |= scores(build, [codepoint]).get(codepoint, {})
    if means := build.redo.glyphs.get(codepoint):
        life.facts["redone"] = means.model_dump(mode="json", exclude_defaults=True) | {"attempt": means.attempt}
    return life


def _image(build: Build, stage: str, codepoint: int) -> tuple[Any, NDArray[np.uint8] | None]:
    root = build.folder(stage).path
    if not (root / MANIFEST).exists():
        return None, None
    folder = ImageFolder.open(root) if stage == "source" else images_after(build, stage)
    present = codepoint in folder.files and folder.files[codepoint].exists()
    return folder, folder.read(codepoint) if present else None


def _outline(build: Build, codepoint: int, facts: dict[str, Any]) -> Outline | None:
    painted, drawn = by_hand.painted(build).get(codepoint), by_hand.drawn(build).get(codepoint)
    if painted or drawn:
        facts["by hand"] = " and ".join(path.name for path in (painted, drawn) if path)
    path = drawn or build.folder("trace").path / svg_name(codepoint)
    if not path.exists():
        return None
    outline = by_hand.read_drawn(path)
    facts["points"] = outline.point_count()
    return outline


def _in_font(path: Path, codepoint: int, canvas: Canvas) -> NDArray[np.uint8] | None:
    if not path.exists():
        return None
    face = open_face(FontRef.of(path))
    return render_ink(face, codepoint, canvas) if codepoint in face.cmap else None
