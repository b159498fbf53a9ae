"""Repair glyph images: gaps, pinholes, dust, veils and ragged edges; what is true stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import GlyphError, ImageError
from fontgen.glyphs import clean_marks as marks
from fontgen.glyphs.clean_fill import fill_gap
from fontgen.glyphs.clean_gaps import (
    DESIGN_SIZE_PX,
    REFERENCE_MEASURES,
    Floats,
    Gaps,
    cell_px,
    find_gaps,
    lies_along_an_outline,
    source_evidence,
)
from fontgen.glyphs.clean_links import LinkKind, mend_links
from fontgen.glyphs.clean_morphology import Ink8, Mask, stroke_width_px, topology
from fontgen.glyphs.clean_overlay import write_overlay
from fontgen.glyphs.clean_result import Box, CleanResult, Defect
from fontgen.glyphs.clean_settings import CleanSettings, DefectKind
from fontgen.glyphs.clean_weights import log_odds
from fontgen.glyphs.polarity import read_dark_on_light, require_dark_on_light
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest
from fontgen.parallel import parallel_map
from fontgen.report import Report

_WORTH_A_LOOK = -6.0
"""Local log odds below which a gap is a counter whatever the source says (fewer than 1 in 1,000 defects lies below)."""

_SURE = 2.5
"""Log odds from which a defect convicts: hairlines come in groups, so its neighbours are judged more boldly."""

_ANOTHER_DRAWING = 3.8
"""Log misfit (squared cells of full ink) from which the source's strokes lie otherwise in this neighbourhood."""

_BY_CHANCE = 1.0
"""Log odds that the ink of such a source may add to what the gap's own shape says."""

_MARGIN_PX = 16.0
"""White (px at 256 px) kept around the ink of glyph and source; beyond it nothing is looked at."""

_PASSES = 2
"""A crossing of two hairlines, or the rest of a long one, shows itself once the first is filled."""


def clean_ink(ink8: Ink8, reference8: Ink8 | None = None, *, settings: CleanSettings) -> CleanResult:
    """Repair one (n, n) uint8 glyph (255 = ink), guided by its calibrated source glyph on the same canvas.

    Pixels that are not part of a repair keep their value. A blank image is returned as it is.
    GlyphError when the image is inverted or black all over, ImageError for a reference of another size.
    """
    if reference8 is not None and reference8.shape != ink8.shape:
        raise ImageError(
            f"reference of {reference8.shape[1]} px for an image of {ink8.shape[1]} px; render both on one canvas"
        )
    require_dark_on_light(ink8)
    window = _ink_window(ink8, reference8)
    if window is None:
        return CleanResult(ink8)
    part8 = np.ascontiguousarray(ink8[window])
    source8 = None if reference8 is None else np.ascontiguousarray(reference8[window])
    out8, defects = _clean_part(part8, source8, settings, ink8.shape[0])
    if not defects:
        return CleanResult(ink8)
    whole = ink8.copy()
    whole[window] = out8
    return CleanResult(whole, [defect.moved(window[0].start, window[1].start) for defect in defects])


def _ink_window(ink8: Ink8, reference8: Ink8 | None) -> tuple[slice, slice] | None:
    """Rows and columns that hold all ink of both with a margin, in whole cells; None for a blank glyph."""
    inked = ink8 > 0
    rows, cols = inked.any(axis=1), inked.any(axis=0)
    if not rows.any():
        return None
    if reference8 is not None:
        inked = reference8 > 0
        rows |= inked.any(axis=1)
        cols |= inked.any(axis=0)
    size_px = ink8.shape[0]
    step, margin = cell_px(size_px), round(_MARGIN_PX * size_px / DESIGN_SIZE_PX)
    sides = []
    for side in (rows, cols):
        filled = np.flatnonzero(side)
        sides.append(slice(max(0, int(filled[0]) - margin) // step * step, min(int(filled[-1]) + margin + 1, size_px)))
    return sides[0], sides[1]


def _clean_part(
    ink8: Ink8, reference8: Ink8 | None, settings: CleanSettings, size_px: int
) -> tuple[Ink8, list[Defect]]:
    """`clean_ink` on the inked part (rows, cols) of a canvas of `size_px`."""
    scale = size_px / DESIGN_SIZE_PX
    defects: list[Defect] = []
    out = ink8
    if settings.levels:
        out = _clean_levels(out, reference8, scale, defects)
    if settings.edges:  # before the rest: the crumbs of a ragged edge are neither dust nor gaps
        smooth = marks.smooth_edges(out, scale)
        if smooth is not None:
            _record(defects, "ragged edge", out != smooth, 0.8)
            out = smooth
    stroke_px = stroke_width_px(out >= 128)
    out = _clean_specks(out, reference8, stroke_px, settings, scale, defects)
    changed = None
    for _ in range(_PASSES):
        repaired = _clean_gaps(out, reference8, settings, scale, changed, defects)
        if repaired is out:
            break
        out, changed = repaired, repaired != out
    if reference8 is not None and reference8.any():
        asked: dict[LinkKind, bool] = {"cut": settings.cuts, "bridge": settings.bridges}
        kinds = [kind for kind, wanted in asked.items() if wanted]
        out, repairs = mend_links(out, reference8, kinds, settings.boldness, scale)
        for kind, changed, confidence in repairs:
            _record(defects, kind, changed, confidence)
    return out, defects


def _record(
    defects: list[Defect], kind: DefectKind, mask: Mask, confidence: float, offset: tuple[int, int] = (0, 0)
) -> None:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        row, col = offset
        box = (row + int(rows[0]), col + int(cols[0]), row + int(rows[-1]) + 1, col + int(cols[-1]) + 1)
        defects.append(Defect(kind, box, int(np.count_nonzero(mask)), confidence))


def _clean_levels(ink8: Ink8, reference8: Ink8 | None, scale: float, defects: list[Defect]) -> Ink8:
    faint, grey = marks.veil(ink8, scale), marks.grey_ink(ink8, reference8)
    if not faint.any() and not grey.any():
        return ink8
    out = ink8
    level = marks.veil_level(ink8, faint)
    if level:
        out = marks.without_level(out, level)
    out = np.where(faint, 0, np.where(grey, 255, out)).astype(np.uint8)
    changed = out != ink8
    _record(defects, "grey ink", changed & grey, 0.9)
    _record(defects, "veil", changed & ~grey, 0.95)
    return out


def _clean_specks(
    ink8: Ink8,
    reference8: Ink8 | None,
    stroke_px: float,
    settings: CleanSettings,
    scale: float,
    defects: list[Defect],
) -> Ink8:
    if not settings.speck_px:
        return ink8
    out = ink8
    for mask, window in marks.specks(ink8, stroke_px, settings.speck_px, scale, reference8):
        if out is ink8:
            out = ink8.copy()
        # the antialiased fringe goes too, but nothing that belongs to a neighbour
        top, left = window[0].start, window[1].start
        _record(defects, "speck", mask, 0.9, (top, left))
        out[window][mask] = 0
        fringe = out[max(top - 1, 0) : window[0].stop + 1, max(left - 1, 0) : window[1].stop + 1]
        fringe[fringe < 24] = 0
    return out


def _clean_gaps(
    ink8: Ink8,
    reference8: Ink8 | None,
    settings: CleanSettings,
    scale: float,
    changed: Mask | None,
    defects: list[Defect],
) -> Ink8:
    """Fill what is judged a defect, near to what `changed` if given; returns the very input when nothing is."""
    gaps = find_gaps(ink8, settings.gap_px, scale, changed)
    if not len(gaps):
        return ink8
    odds = log_odds(gaps.measures, "gap")
    if reference8 is not None and reference8.any():
        looked = np.flatnonzero(odds > _WORTH_A_LOOK)
        if len(looked):
            evidence, known = source_evidence(gaps, looked, reference8)
            guided = log_odds(np.column_stack([gaps.measures[looked], evidence]), "gap guided")
            odds[looked] = weigh_source(odds[looked], guided, evidence[:, REFERENCE_MEASURES.index("source_misfit")])
            odds[looked[known]] = -np.inf
    odds[lies_along_an_outline(gaps)] = -np.inf
    chosen = np.flatnonzero(odds > _threshold(odds, settings.boldness))
    if not len(chosen):
        return ink8
    out = ink8
    boxes: dict[int, Box] = {}
    for index in chosen[np.argsort(-odds[chosen], kind="stable")]:
        out, boxes[int(index)] = fill_gap(out, gaps, int(index))
    if reference8 is not None and reference8.any():
        out, boxes = _undo_against_source(ink8, out, gaps, boxes, odds, reference8)
    for index, box in boxes.items():
        window = (slice(box[0], box[2]), slice(box[1], box[3]))
        kind: DefectKind = "pinhole" if gaps.length[index] <= 5 * scale else "gap"
        changed = (out != ink8)[window]
        _record(defects, kind, changed, float(1 / (1 + np.exp(-odds[index]))), (box[0], box[1]))
    return out if boxes else ink8


def weigh_source(local: Floats, guided: Floats, misfit: Floats) -> Floats:
    """The log odds of gaps (k,), from those without and with the source, and the log misfit of the source there.

    Where the source is another drawing its ink lies there by chance: it may acquit a gap, hardly convict it.
    """
    return np.where(misfit > _ANOTHER_DRAWING, np.minimum(guided, local + _BY_CHANCE), guided)


def _threshold(odds: NDArray[np.float64], boldness: float) -> float:
    """The log odds asked of a gap, 1.8 at boldness 0 and -0.6 at boldness 1; hairlines come in groups.

    Beside a sure defect 3 less are asked, of a gap that stands alone 1.5 more.
    """
    asked = 1.8 - 2.4 * boldness
    if odds.max() > max(_SURE, asked):
        return asked - 3.0
    return asked if np.count_nonzero(odds > asked) > 1 else asked + 1.5


def _undo_against_source(
    before: Ink8, after: Ink8, gaps: Gaps, boxes: dict[int, Box], odds: NDArray[np.float64], reference8: Ink8
) -> tuple[Ink8, dict[int, Box]]:
    """Take back, least sure first, the repairs that carry the topology away from the source's."""

    doubtful = [index for index in boxes if odds[index] <= _SURE + 1]
    if not doubtful:
        return after, boxes
    source = topology(reference8 >= 128)

    def distance(ink8: Ink8) -> int:
        components, holes = topology(ink8 >= 128)
        return abs(components - source[0]) + abs(holes - source[1])

    limit = distance(before)
    reached = distance(after)
    for index in sorted(doubtful, key=lambda i: odds[i]):
        if reached <= limit:
            break
        others = {other: box for other, box in boxes.items() if other != index}
        trial = before
        for other in others:
            trial, _ = fill_gap(trial, gaps, other)
        if (now := distance(trial)) < reached:
            after, boxes, reached = trial, others, now
    return after, boxes


class _CleanJob:
    """Picklable: cleans one glyph of a folder."""

    def __init__(
        self,
        folder: ImageFolder,
        output: Path,
        reference: ImageFolder | None,
        settings: CleanSettings,
        overlay: Path | None,
    ) -> None:
        self.folder, self.output, self.reference, self.settings = folder, output, reference, settings
        self.overlay = overlay

    def __call__(self, codepoint: int) -> Cleaned:
        try:
            ink8 = self.folder.read(codepoint)
            reference8 = None
            if self.reference is not None and codepoint in self.reference.files:
                reference8 = read_dark_on_light(self.reference, codepoint)
            result = clean_ink(ink8, reference8, settings=self.settings)
            write_ink(self.output / image_name(codepoint), result.ink8)
            if self.overlay is not None and result.defects:
                write_overlay(self.overlay / image_name(codepoint), ink8, result)
            return codepoint, result.defects, reference8 is not None, ""
        except ImageError as error:
            return codepoint, [], False, str(error)
        except GlyphError as error:
            return codepoint, [], False, f"{self.folder.files[codepoint]}: {error}"


Cleaned = tuple[int, list[Defect], bool, str]
"""Codepoint, repairs, whether a reference guided them, and why the glyph failed."""


def clean_folder(
    folder: ImageFolder,
    output: Path,
    reference: ImageFolder | None = None,
    *,
    settings: CleanSettings,
    overlay: Path | None = None,
) -> Report:
    """Clean every image of `folder` into `output`, with a manifest that says what was repaired where.

    With `overlay` each repaired glyph is pictured in that folder too, twice its size, with a box
    around every repair.

    Glyphs that `reference` lacks are cleaned without it, more timidly. A glyph that cannot be read
    or judged is counted as failed, its file named, and left out. ImageError when the reference was
    rendered on another canvas.
    """
    cleaned = clean_images(folder, output, reference, settings=settings, overlay=overlay)
    return record_cleaned(folder, output, cleaned, settings=settings)


def clean_images(
    folder: ImageFolder,
    output: Path,
    reference: ImageFolder | None = None,
    *,
    settings: CleanSettings,
    overlay: Path | None = None,
) -> Iterator[Cleaned]:
    """What `clean_folder` does but for the manifest, glyph by glyph in the order of `folder`."""
    if reference is not None and reference.canvas.size_px != folder.canvas.size_px:
        raise ImageError(
            f"{reference.root}: images of {reference.canvas.size_px} px, but {folder.root} has "
            f"{folder.canvas.size_px} px; render the reference on the same canvas"
        )
    return parallel_map(_CleanJob(folder, output, reference, settings, overlay), folder.codepoints)


def record_cleaned(folder: ImageFolder, output: Path, cleaned: Iterable[Cleaned], *, settings: CleanSettings) -> Report:
    """Write the manifest of those glyphs of `folder`, and count them."""
    report = Report("clean")
    glyphs: dict[int, dict[str, Any]] = {}
    kinds: Counter[str] = Counter()
    unguided = 0
    for codepoint, defects, guided, problem in cleaned:
        if problem:
            report.add_failed(codepoint, problem)
            continue
        report.add_done(codepoint)
        kinds.update(defect.kind for defect in defects)
        unguided += not guided
        record = dict(folder.glyphs.get(codepoint, {}))
        if defects:
            record["repairs"] = [defect.to_json() for defect in defects]
        glyphs[codepoint] = record
    report.figures = {
        "repairs": dict(sorted(kinds.items())),
        "glyphs_repaired": sum("repairs" in record for record in glyphs.values()),
        "glyphs_without_reference": unguided,
    }
    write_manifest(output, folder.canvas, glyphs, {**folder.provenance, "clean": settings.model_dump()})
    return report
