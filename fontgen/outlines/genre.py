"""The genre of a font, measured on its own outlines."""

from __future__ import annotations

from cmath import phase
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import hypot
from typing import Any

from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

from fontgen.glyphs.calibrate import calibration_sample
from fontgen.outlines.outline import Contour, Outline, reversed_contour, signed_area
from fontgen.outlines.settings import Genre, TraceSettings
from fontgen.outlines.svg import recorded_contours

_SHARP = 0.4  # radians: a bend within one point of more than this is a corner
_ROUND_SHARE, _SANS_SHARE = 0.25, 0.92
_SERIF_STRAIGHT = 0.35
_STEM_EM = 0.02  # a straight edge at least so long may be a stem's
_GLYPHS = 60


def glyph_outline(glyphs: Mapping[str, Any], name: str, *, units_per_em: int) -> Outline:
    """The outline of one glyph of a fontTools glyph set, whichever way the font winds its contours."""
    pen = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(TransformPen(pen, (1 / units_per_em, 0, 0, 1 / units_per_em, 0, 0)))
    contours = recorded_contours(pen)
    if sum(map(signed_area, contours)) < 0:
        contours = [reversed_contour(contour) for contour in contours]
    return Outline(tuple(contours))


def for_font(settings: TraceSettings, font: TTFont) -> TraceSettings:
    """The settings with genre `auto` replaced by what the font's own outlines say."""
    if settings.genre != "auto":
        return settings
    cmap, glyphs, units = font.getBestCmap(), font.getGlyphSet(), font["head"].unitsPerEm
    chosen = calibration_sample(sorted(cmap))[:_GLYPHS]
    genre = measure_genre(glyph_outline(glyphs, cmap[c], units_per_em=units) for c in chosen)
    return settings.model_copy(update={"genre": genre})


def measure_genre(outlines: Iterable[Outline]) -> Genre:
    """`round`, `sans`, `serif` or `auto`, for outlines of a few dozen glyphs of the target font.

    Outer corners decide: stroke ends turn outwards by half a circle each, at corners in a font with square
    ends and in curves in one with round ends. Share of the outward turning that is sharp, measured on Han:
    Zen Maru Gothic and Klee One below 0.01, Noto Sans 0.94 to 0.96 in every weight, Noto Serif 0.68 to 0.69, IPA
    Mincho 0.68, Nanum Myeongjo 0.81, Aoyagi Kouzan (a brush drawn in short straight lines) 0.88. Of those between, a
    serif's stems are straight: of the edge of Noto Serif 0.49 to 0.57 lies exactly on an axis, of IPA Mincho's 0.54, of
    Nanum Myeongjo's 0.16, of Aoyagi's 0.02. What is left is `auto`.
    """
    drawn = list(outlines)
    share = sharp_share(drawn)
    if share is None:
        return "auto"
    if share < _ROUND_SHARE:
        return "round"
    if share > _SANS_SHARE:
        return "sans"
    return "serif" if straight_share(drawn) > _SERIF_STRAIGHT else "auto"


def straight_share(outlines: Iterable[Outline]) -> float:
    """Share of the edge that is made of straight lines exactly along an axis, short ones left out."""
    straight = total = 0.0
    for outline in outlines:
        for contour in outline.contours:
            start = contour[-1][-1]
            for segment in contour:
                (x0, y0), (x1, y1) = start, segment[-1]
                length = hypot(x1 - x0, y1 - y0)
                total += length
                if len(segment) == 1 and length >= _STEM_EM and min(abs(x1 - x0), abs(y1 - y0)) < 1e-9:
                    straight += length
                start = segment[-1]
    return straight / total if total else 0.0


def sharp_share(outlines: Iterable[Outline]) -> float | None:
    """Share of the outward turning that happens at corners; None without any turning."""
    sharp = total = 0.0
    for outline in outlines:
        for contour in outline.contours:
            at_corners, in_curves = _outward_turning(contour)
            sharp += at_corners
            total += at_corners + in_curves
    return sharp / total if total else None


def _outward_turning(contour: Contour) -> tuple[float, float]:
    """Radians turned to the left (around ink) at corners, and smoothly."""
    at_corners = in_curves = 0.0
    directions: list[tuple[complex, bool]] = []
    start = complex(*contour[-1][-1])
    for segment in contour:
        path = [start, *(complex(*point) for point in segment)]
        chords = [b - a for a, b in pairwise(path) if abs(b - a) > 1e-6]
        directions += [(chord, index == 0) for index, chord in enumerate(chords)]
        start = path[-1]
    # A direction turns from the one before it; where it begins a segment, at that segment's first point.
    for index, (direction, begins_segment) in enumerate(directions):
        turn = phase(direction / directions[index - 1][0])
        if turn > 0:
            if begins_segment and turn > _SHARP:
                at_corners += turn
            else:
                in_curves += turn
    return at_corners, in_curves
