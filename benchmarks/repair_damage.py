"""Defects of known place, as a GAN leaves them: hairlines across strokes, pinholes, specks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Ink8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CHANGED = 64
"""A quarter of full ink."""


def iou(a: Ink8, b: Ink8) -> float:
    """Intersection over union of the pixels at least half covered."""
    inked_a, inked_b = a > 127, b > 127
    return float((inked_a & inked_b).sum() / max((inked_a | inked_b).sum(), 1))


@dataclass(frozen=True)
class Damaged:
    """A glyph with injected defects, (n, n) each."""

    ink8: Ink8
    defect: Mask
    """Pixels changed by more than a quarter of full ink: gaps with ink on both sides, pinholes, specks."""
    dent: Mask
    """Pixels changed as much where a hairline runs along or off a stroke's edge: there is ink on one
    side only, and nothing is left that says where the edge was."""

    def repaired(self, truth8: Ink8, out8: Ink8) -> Mask:
        """(n, n) bool: back within a quarter of full ink of the undamaged glyph."""
        back: Mask = np.abs(truth8.astype(int) - out8) <= CHANGED
        return back


def damage(ink8: Ink8, rng: np.random.Generator, *, faint: float = 0.6, bend_per_px: float = 0.0) -> Damaged:
    """One or two hairlines, up to four pinholes and up to five specks on an (n, n) uint8 glyph.

    Hairlines go through a random inked pixel at any angle, 1 to 3 px wide at 256 px, 12 to 60 px long or
    across the whole glyph; they take `faint` to all of the ink away, and may be arcs of a curvature up
    to `bend_per_px`. Pinholes lie inside ink, specks on the ground.
    """
    n = ink8.shape[0]
    scale = n / 256
    out = ink8 / np.float32(255)
    y, x = np.mgrid[:n, :n].astype(np.float32)
    inked = np.argwhere(ink8 > 127)
    ground = np.argwhere(ndimage.maximum_filter(ink8, 11) == 0)
    depth_px = ndimage.distance_transform_edt(ink8 > 127)
    gap = np.zeros(ink8.shape, bool)
    dented = np.zeros(ink8.shape, bool)

    def disc(places: NDArray[np.intp], radius: float) -> NDArray[np.float32]:
        row, col = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 2)
        cover: NDArray[np.float32] = np.clip(radius + 0.5 - np.hypot(x - col, y - row), 0, 1)
        return cover

    for _ in range(rng.integers(1, 3)):
        row, col = inked[rng.integers(len(inked))]
        angle, width, depth = rng.uniform(0, np.pi), rng.uniform(1, 3) * scale, rng.uniform(faint, 1)
        half_length = rng.uniform(6, 30) * scale if rng.random() < 0.6 else n
        along = (x - col) * np.cos(angle) + (y - row) * np.sin(angle)
        across = (x - col) * np.sin(angle) - (y - row) * np.cos(angle)
        if bend_per_px:
            across += rng.uniform(-bend_per_px, bend_per_px) / 2 * along**2
        line = np.clip(width / 2 + 0.5 - np.abs(across), 0, 1) * np.clip(half_length + 0.5 - np.abs(along), 0, 1)
        out *= 1 - depth * line
        rows, cols = np.nonzero(line)
        here = across[rows, cols]
        sides = [
            ndimage.map_coordinates(
                ink8, [rows - np.cos(angle) * (edge - here), cols + np.sin(angle) * (edge - here)], order=1
            )
            for edge in (width / 2 + scale, -width / 2 - scale)
        ]
        both = (sides[0] >= 128) & (sides[1] >= 128)
        gap[rows[both], cols[both]] = True
        dented[rows[~both], cols[~both]] = True
    for _ in range(rng.integers(0, 5)):
        radius = rng.uniform(0.7, 1.5) * scale
        inside = np.argwhere(depth_px >= radius + 2 * scale)
        if len(inside):
            out *= 1 - disc(inside, radius) * rng.uniform(0.6, 1)
    for _ in range(rng.integers(0, 6) if len(ground) else 0):
        out = np.maximum(out, disc(ground, rng.uniform(0.7, 1.8) * scale) * rng.uniform(0.4, 1))
    damaged: Ink8 = np.rint(out * 255).astype(np.uint8)
    changed = np.abs(ink8.astype(int) - damaged) > CHANGED
    dent = changed & dented & ~gap
    return Damaged(damaged, changed & ~dent, dent)


def is_dense(codepoint: int) -> bool:
    """Whether a character has more than 20 strokes: both planes of Big5 are in the order of stroke counts."""
    try:
        code = int.from_bytes(chr(codepoint).encode("big5"), "big")
    except UnicodeEncodeError:
        return False
    return any(first <= code <= last for first, last in _DENSE_BIG5)


_DENSE_BIG5 = ((0xC4D7, 0xC67E), (0xF5C0, 0xF9D5))
"""From the first character of 21 strokes to the end of each plane."""
