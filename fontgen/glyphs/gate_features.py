"""Measures of how well a generated glyph agrees with its calibrated source glyph.

All on small grids, so that a glyph takes a few milliseconds. Arrays are (row, col), ink 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize

from fontgen.glyphs.clean_morphology import cell_means, dilate_square, topology

Ink8 = NDArray[np.uint8]
Floats = NDArray[np.float64]

FINE, COARSE = 64, 32
"""Sides of the grids: 3.5 and 7 px at 256 px, a fifth and two fifths of a bold stroke."""

KERNEL = 7
"""Side, in coarse cells, of the learned kernel that dresses the source's ink in the target's style."""

_FAR = 10.0
"""Distances are clipped here (fine cells): a stroke further off than that is simply missing."""

NAMES = (
    "cosine", "overlap", "missing_mean", "missing_95", "missing_max", "extra_mean", "extra_95", "extra_max",
    "ink_ratio", "stroke_length_ratio", "edge_ratio", "components", "holes", "components_off", "holes_off",
    "centre_row", "centre_col", "spread_ratio",
    "residual", "residual_top", "residual_low", "residual_high",
)  # fmt: skip


_NO_WEIGHT = 1e-12
"""Far below what single precision adds up; numbers near its smallest take ten times as long to multiply."""


@dataclass(frozen=True)
class Sketch:
    """What the gate looks at in one image; made once, compared with others."""

    fine: Floats
    """(FINE, FINE) mean ink."""
    coarse: Floats
    """(COARSE, COARSE) ink blurred by half a cell."""
    skeleton: NDArray[np.bool_]
    """(FINE, FINE)."""
    distance: Floats
    """(FINE, FINE) fine cells to the nearest skeleton cell."""
    components: int
    holes: int
    edge_px: float
    """Edge length over the canvas side."""

    @property
    def ink(self) -> float:
        return float(self.fine.mean())


@lru_cache(maxsize=16)
def _pooling(size_px: int, cells: int, sigma_cells: float) -> NDArray[np.float32]:
    """(cells, size_px) rows of weights: area averages, optionally blurred by a Gaussian."""
    centres = (np.arange(size_px) + 0.5) * cells / size_px
    away = centres[None, :] - (np.arange(cells) + 0.5)[:, None]
    if sigma_cells:
        weights = np.exp(-0.5 * (away / sigma_cells) ** 2)
    else:
        weights = np.clip(0.5 + 0.5 * cells / size_px - np.abs(away), 0, cells / size_px)
    normalised: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    normalised[normalised < _NO_WEIGHT] = 0
    return normalised


def mean_ink(ink8: Ink8) -> NDArray[np.float32]:
    """(n, n) uint8 -> (FINE, FINE) mean ink, 0..1."""
    if ink8.shape[0] % FINE == 0:
        return cell_means(ink8, ink8.shape[0] // FINE)
    pool = _pooling(ink8.shape[0], FINE, 0.0)
    grid: NDArray[np.float32] = pool @ (ink8 * np.float32(1 / 255)) @ pool.T
    return grid


def sketch(ink8: Ink8) -> Sketch:
    """Look at one (n, n) uint8 image."""
    n = ink8.shape[0]
    ink = ink8 * np.float32(1 / 255)
    coarse_pool = _pooling(n, COARSE, 0.6)
    fine = mean_ink(ink8).astype(np.float64)
    coarse = (coarse_pool @ ink @ coarse_pool.T).astype(np.float64)
    skeleton = skeletonize(fine > 0.4)
    solid = ink8 >= 128
    components, holes = topology(solid)
    edges = np.count_nonzero(solid[1:] != solid[:-1]) + np.count_nonzero(solid[:, 1:] != solid[:, :-1])
    distance = ndimage.distance_transform_edt(~skeleton) if skeleton.any() else np.full((FINE, FINE), _FAR)
    return Sketch(
        fine, coarse, skeleton, np.minimum(distance, _FAR),
        components, holes, edges / n,
    )  # fmt: skip


def compare(source: Sketch, image: Sketch, kernel: Floats, noise: Floats) -> Floats:
    """(len(NAMES),) measures of an image against its source.

    `kernel` (KERNEL * KERNEL + 1,) and `noise` (3,) come from `fit_style`.
    """
    s16 = source.coarse.reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel()
    g16 = image.coarse.reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel()
    cosine = s16 @ g16 / max(np.sqrt((s16 @ s16) * (g16 @ g16)), 1e-9)
    overlap = np.minimum(source.coarse, image.coarse).sum() / max(np.maximum(source.coarse, image.coarse).sum(), 1e-9)
    missing, extra = image.distance[source.skeleton], source.distance[image.skeleton]

    def ratio(a: float, b: float) -> float:
        return float(np.log((a + 1e-3) / (b + 1e-3)))

    rows, cols, spread = _moments(image.fine) - _moments(source.fine)
    dressed = dress(source.coarse, kernel)
    z = (image.coarse - dressed) / _noise_level(dressed, noise)
    smooth = ndimage.uniform_filter(z, 3)
    top = np.sort(np.abs(smooth), axis=None)[-12:]
    return np.array([
        1 - cosine, 1 - overlap, *_distances(missing), *_distances(extra),
        ratio(image.ink, source.ink), ratio(image.skeleton.mean(), source.skeleton.mean()),
        ratio(image.edge_px, source.edge_px),
        np.clip(image.components - source.components, -4, 4), np.clip(image.holes - source.holes, -4, 4),
        min(abs(image.components - source.components), 4), min(abs(image.holes - source.holes), 4),
        rows, cols, spread,
        np.sqrt((z**2).mean()), top.mean(), -smooth.min(), smooth.max(),
    ])  # fmt: skip


def residual(source: Sketch, image: Sketch, kernel: Floats, noise: Floats) -> Floats:
    """(COARSE, COARSE) ink beyond (+) or short of (-) what the source lets expect, in standard deviations."""
    dressed = dress(source.coarse, kernel)
    z: Floats = ndimage.uniform_filter((image.coarse - dressed) / _noise_level(dressed, noise), 3)
    return z


def _distances(values: Floats) -> tuple[float, float, float]:
    if not len(values):
        return _FAR, _FAR, _FAR
    values = np.sort(values)
    place = 0.95 * (len(values) - 1)
    low, share = int(place), place % 1.0
    high = values[min(low + 1, len(values) - 1)]
    return float(values.mean()), float(values[low] + share * (high - values[low])), float(values[-1])


def _moments(grid: Floats) -> Floats:
    """Centre row, centre column and log spread of the ink, in shares of the canvas."""
    place = (np.arange(FINE) + 0.5) / FINE
    total = max(float(grid.sum()), 1e-9)
    rows, cols = grid.sum(axis=1), grid.sum(axis=0)
    row, col = rows @ place / total, cols @ place / total
    spread = (rows @ (place - row) ** 2 + cols @ (place - col) ** 2) / total
    return np.array([row, col, 0.5 * np.log(spread + 1e-6)])


def _neighbours(grid: Floats) -> Floats:
    """(COARSE * COARSE, KERNEL * KERNEL + 1): each cell's neighbourhood and a one."""
    padded = np.pad(grid, KERNEL // 2)
    views = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL)).reshape(COARSE * COARSE, -1)
    return np.column_stack([views, np.ones(len(views))])


def dress(coarse: Floats, kernel: Floats) -> Floats:
    """The source's coarse ink, blurred and thinned as the style's genuine pairs ask."""
    dressed: Floats = ndimage.correlate(coarse, kernel[:-1].reshape(KERNEL, KERNEL), mode="constant") + kernel[-1]
    clipped: Floats = np.clip(dressed, 0, 1)
    return clipped


def _variation(dressed: Floats) -> Floats:
    """(3, ...) terms of the variance: everywhere, in half ink, at edges."""
    edge = dilate_square(dressed) + dilate_square(-dressed)
    return np.stack([np.ones_like(dressed), dressed * (1 - dressed), edge])


def _noise_level(dressed: Floats, noise: Floats) -> Floats:
    level: Floats = np.sqrt(np.maximum(np.tensordot(noise, _variation(dressed), 1), 1e-3))
    return level


def fit_style(sources: list[Sketch], targets: list[Sketch]) -> tuple[Floats, Floats]:
    """Least-squares kernel (KERNEL * KERNEL + 1,) source -> target, and the variance terms (3,) of its error."""
    size = KERNEL * KERNEL + 1
    gram, moment = np.eye(size) * 1.0, np.zeros(size)
    for source, target in zip(sources, targets, strict=True):
        x = _neighbours(source.coarse)
        gram += x.T @ x
        moment += x.T @ target.coarse.ravel()
    kernel: Floats = np.linalg.solve(gram, moment).astype(np.float64)
    gram3, moment3 = np.eye(3) * 1e-3, np.zeros(3)
    for source, target in zip(sources, targets, strict=True):
        dressed = dress(source.coarse, kernel)
        terms = _variation(dressed).reshape(3, -1)
        gram3 += terms @ terms.T
        moment3 += terms @ ((target.coarse - dressed).ravel() ** 2)
    return kernel, np.maximum(np.linalg.solve(gram3, moment3), 1e-4)
