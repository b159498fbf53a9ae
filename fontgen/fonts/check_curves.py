"""Outlines as a foundry draws them: contours that do not overlap, points where curves turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pathops
import uharfbuzz as hb

from fontgen.fonts.check_subject import Finding, Subject, judged

LEAST_OVERLAP_EM2 = 20e-6
"""20 square units of a 1000-unit em: less is rounding where strokes touch."""

LEAST_BULGE_EM = 0.0015
"""How far a curve's handles may stand out beyond the curve: rounding to whole units moves them by less."""


def check_curves(subject: Subject) -> Iterator[Finding]:
    """One's own glyphs (all, when it is not said which those are): overlaps, and extremes without a point.

    Overlaps show as seams where a renderer fills contour by contour, and in strokes and shadows drawn around
    letters. Points at extremes are what hinting, snapping and boxes read from handles go by (Adobe Type 1 Font Format,
    section 4.1).
    """
    overlapping, bulging = [], []
    upem = subject.units_per_em
    # HarfBuzz draws a glyph in an eighth of the time that fontTools takes, and with the same points.
    drawn = hb.Font(hb.Face(subject.plain, subject.face_index))
    for name in _own(subject):
        path = pathops.Path()
        drawn.draw_glyph_with_pen(subject.font.getGlyphID(name), path.getPen())
        if not path.bounds or path.bounds[2] == path.bounds[0]:
            continue
        handles = path.controlPointBounds
        if max(abs(a - b) for a, b in zip(handles, path.bounds, strict=True)) > LEAST_BULGE_EM * upem:
            bulging.append(name)
        merged = pathops.Path(path)
        try:
            merged.simplify()
        except pathops.PathOpsError:  # so tangled that it cannot be merged
            overlapping.append(name)
            continue
        if abs(abs(path.area) - abs(merged.area)) > LEAST_OVERLAP_EM2 * upem * upem:
            overlapping.append(name)
    yield judged(
        "overlaps", "warn", map(subject.label, overlapping), "no contours overlap", "{count} glyphs have overlaps"
    )
    yield judged(
        "extreme points",
        "warn",
        map(subject.label, bulging),
        "curves have points at their glyph's extremes",
        "{count} glyphs have curves that reach their extreme without a point",
    )


def _own(subject: Subject) -> Iterable[str]:
    if subject.generated is None:
        return list(subject.font.getGlyphOrder())
    return list(dict.fromkeys(subject.cmap[c] for c in sorted(subject.generated) if c in subject.cmap))
