"""Ink where none belongs, and grey where black belongs: veils, dust, grey strokes, ragged edges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from fontgen.glyphs.clean_morphology import (
    Ink8,
    Mask,
    dilate,
    dilate_square,
    erode,
    label,
    stretches,
    stroke_width_px,
)

_FAINT = 90
"""A stroke drawn thinner than a third of a pixel would be this faint; nothing that was meant is."""

_SOME = 24
"""Ink from here on holds a component together."""

_SOLID = 250
"""Ink up to here inside a stroke is grey; above it is rounding."""

_RAGGED_SHARE = 0.12
"""Pixels that a 3x3 median flips, per edge pixel. Outlines of real fonts stay below 0.06."""


_SOURCE_TOLERANCE_PX = 8.0
"""How far (px at 256 px) a stroke may lie from the source's and still be the same stroke."""

_CRUMB_PX = 2.0
"""Loose ink nearer than this (px at 256 px) to other ink is left alone."""


_THREAD, _THREAD_PX = 8, 4.0
"""The faintest ink by which a speck may hang on a stroke, and the longest way (px at 256 px)."""

_A_FEW_PX = 4.0
"""Faint pixels (at 256 px) up to which there is no veil: a brush stroke that runs dry leaves as many."""


def veil(ink8: Ink8, scale: float) -> Mask:
    """(rows, cols) bool: faint ink that no edge explains."""
    if not ((ink8 > 0) & (ink8 < _FAINT)).any():
        return np.zeros(ink8.shape, bool)
    faint: Mask = (ink8 > 0) & (ink8 < _FAINT) & ~dilate(ink8 >= _FAINT, 2)
    return faint if np.count_nonzero(faint) > _A_FEW_PX * scale**2 else np.zeros(ink8.shape, bool)


def veil_level(ink8: Ink8, faint: Mask) -> int:
    """How dark the ground is as a whole: 0 unless the veil covers most of it."""
    ground = ~dilate(ink8 >= _FAINT, 2)
    if np.count_nonzero(faint) <= 0.5 * max(int(np.count_nonzero(ground)), 1):
        return 0
    return int(np.median(ink8[ground]))


def without_level(ink8: Ink8, level: int) -> Ink8:
    """Undo a uniform veil: `level` becomes 0, 255 stays."""
    table = np.clip(np.rint((np.arange(256) - level) * (255 / (255 - level))), 0, 255)
    out: Ink8 = table.astype(np.uint8)[ink8]
    return out


def grey_ink(ink8: Ink8, reference8: Ink8 | None) -> Mask:
    """(rows, cols) bool: pixels deep inside strokes that are not fully black.

    Grey beside white of the source is left: it may be what a generator made of a narrow counter.
    """
    grey: Mask = erode(ink8 >= 128, 2) & (ink8 <= _SOLID)
    if reference8 is not None and grey.any():
        grey &= erode(reference8 >= 128, 2)
    return grey


def specks(
    ink8: Ink8, stroke_px: float, speck_px: float, scale: float, reference8: Ink8 | None
) -> list[tuple[Mask, tuple[slice, slice]]]:
    """Loose ink too small to be a dot of this glyph: (mask within the window, window) of each.

    A dot is about as wide as a stroke in both directions; dust is smaller. Where the source has no
    ink nearby 1.6 times that extent counts as dust.
    """
    ink = ink8 >= _SOME
    found: list[tuple[Mask, tuple[slice, slice]]] = []
    tolerance_px = max(1, round(_SOURCE_TOLERANCE_PX * scale))
    limit = min(speck_px * scale, 0.6 * stroke_px)
    for mask, window in _small_components(ink, 2 * speck_px * scale + 2):
        extent = max(mask.shape) - 1
        if extent > limit and (
            reference8 is None or extent > 1.6 * limit or _reaches(mask, window, reference8, tolerance_px)
        ):
            continue
        if _beside_ink(ink, mask, window, max(1, round(_CRUMB_PX * scale))):
            continue
        if not _hangs_by_a_thread(ink8, mask, window, max(1, round(_THREAD_PX * scale))):
            found.append((mask, window))
    return found


def _small_components(ink: Mask, most_px: float) -> Iterator[tuple[Mask, tuple[slice, slice]]]:
    """Mask within the window, and window, of the components that extend no further; none where there is only one."""
    lines = stretches(ink)
    members, count = lines.components()
    if count < 2:
        return
    order = np.argsort(members, kind="stable")  # within a component rows come in order
    first = np.searchsorted(members[order], np.arange(count))
    last = np.append(first[1:], len(order)) - 1
    top, bottom = lines.row[order[first]], lines.row[order[last]] + 1
    left, right = np.minimum.reduceat(lines.start[order], first), np.maximum.reduceat(lines.stop[order], first)
    for i in np.flatnonzero(np.maximum(bottom - top, right - left) <= most_px):
        mask = np.zeros((bottom[i] - top[i], right[i] - left[i]), bool)
        for line in order[first[i] : last[i] + 1]:
            mask[lines.row[line] - top[i], lines.start[line] - left[i] : lines.stop[line] - left[i]] = True
        yield mask, (slice(int(top[i]), int(bottom[i])), slice(int(left[i]), int(right[i])))


def _beside_ink(ink: Mask, mask: Mask, window: tuple[slice, slice], reach_px: int) -> bool:
    """Whether a speck lies so near to other ink that it may be the end of a stroke which a brush left broken."""
    around = _around(window, reach_px)
    grown, there = _grown(mask, reach_px), ink[around].copy()
    top, left = (side.start - outer.start for side, outer in zip(window, around, strict=True))
    there[top : top + mask.shape[0], left : left + mask.shape[1]] &= ~mask
    return bool((there & grown[reach_px - top :, reach_px - left :][: there.shape[0], : there.shape[1]]).any())


def _hangs_by_a_thread(ink8: Ink8, mask: Mask, window: tuple[slice, slice], reach_px: int) -> bool:
    """Whether faint ink leads from a speck to other ink within that distance: so a brush stroke runs dry."""
    around = _around(window, reach_px)
    near = ink8[around]
    flat, members, count = label(near >= _THREAD)
    top, left = (side.start - outer.start for side, outer in zip(window, around, strict=True))
    own = np.zeros(near.shape, bool)
    own[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    other = (near >= _SOME) & ~own
    here, there = (np.bincount(members, some.ravel()[flat], count) > 0 for some in (own, other))
    return bool((here & there).any())


def _reaches(mask: Mask, window: tuple[slice, slice], reference8: Ink8, reach_px: int) -> bool:
    """Whether the source has ink within that distance of a mask within its window."""
    grown = _grown(mask, reach_px)
    before = [max(reach_px - side.start, 0) for side in window]  # cut off by the border of the image
    there = reference8[_around(window, reach_px)] >= 128
    return bool((there & grown[before[0] :, before[1] :][: there.shape[0], : there.shape[1]]).any())


def _grown(mask: Mask, reach_px: int) -> Mask:
    wide = np.zeros((mask.shape[0] + 2 * reach_px, mask.shape[1] + 2 * reach_px), bool)
    wide[reach_px:-reach_px, reach_px:-reach_px] = mask
    return dilate(wide, reach_px)


def _around(window: tuple[slice, slice], reach_px: int) -> tuple[slice, slice]:
    rows, cols = (slice(max(side.start - reach_px, 0), side.stop + reach_px) for side in window)
    return rows, cols


def smooth_edges(ink8: Ink8, scale: float) -> Ink8 | None:
    """The image with its edges smoothed, or None when they are no more ragged than outlines are."""
    ink = ink8 >= 128
    edge = dilate_square(ink) & ~erode(ink, 1)
    if not edge.any():
        return None
    flipped = _majority(ink) != ink
    if np.count_nonzero(flipped) <= _RAGGED_SHARE * np.count_nonzero(edge) / 2:
        return None
    if stroke_width_px(ink) < 4 * scale:
        return None  # too thin to tell a ragged stroke from a drawn one
    soft = ndimage.gaussian_filter(ink8.astype(np.float32), max(0.8, 2.0 * scale))
    steep = np.clip((soft - 127.5) * 4 + 127.5, 0, 255)
    band = dilate(ink, 2) & ~erode(ink, 2)
    out: Ink8 = np.where(band, np.rint(steep), ink8).astype(np.uint8)
    return out


def _majority(ink: Mask) -> Mask:
    """The 3x3 median of a bool image."""
    padded = np.pad(ink, 1).astype(np.uint8)
    columns = padded[:-2] + padded[1:-1] + padded[2:]
    majority: Mask = columns[:, :-2] + columns[:, 1:-1] + columns[:, 2:] >= 5
    return majority
