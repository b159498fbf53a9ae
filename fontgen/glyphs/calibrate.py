"""Where the source font's glyphs must be placed to lie on the target's: scale, dx, dy in em."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas, Placement
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.pairs import sample
from fontgen.glyphs.render import render_ink

CALIBRATION_SIZE_PX = 96
"""Grey edges carry position far below a pixel: 240 glyphs at 96 px repeat to about 0.001 em at the em box's corners."""

SAMPLE_GLYPHS = 240

_FEWEST_IDEOGRAPHS = 40

_KEPT_SHARE = 0.8
"""Glyphs that count: the fifth that agrees least is often drawn after another model, not misplaced."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The measured placement of source glyphs on the target, with its figures."""

    placement: Placement
    spread_x_em: float
    """Median absolute deviation of single glyphs' ink centres from the placement."""
    spread_y_em: float
    iou_before: float
    """Mean soft intersection over union of source and target ink, source as it is."""
    iou_after: float
    num_glyphs: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        return cls(**{**data, "placement": Placement.from_json(data["placement"])})


def soft_iou(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, rows, cols) uint8 pairs -> (n,) sum of minima over sum of maxima; 0 where both are blank."""
    axes = (1, 2)
    both = np.minimum(a, b).sum(axis=axes, dtype=np.int64)
    either = np.maximum(a, b).sum(axis=axes, dtype=np.int64)
    agreement: NDArray[np.float64] = both / np.maximum(either, 1)
    return agreement


def calibration_sample(shared: Sequence[int]) -> list[int]:
    """The shared characters to measure on: ideographs alone where there are enough of them.

    Kana and Latin are drawn to another size than ideographs, differently so in every font.
    """
    ideographs = [c for c in shared if 0x3400 <= c <= 0x9FFF or 0x20000 <= c <= 0x3FFFF]
    return sample(ideographs if len(ideographs) >= _FEWEST_IDEOGRAPHS else shared, SAMPLE_GLYPHS)


def calibrate(
    sources: Mapping[int, FontRef],
    codepoints: Sequence[int],
    target_ink: Callable[[int, Canvas], NDArray[np.uint8]],
    *,
    descender_em: float,
) -> Calibration:
    """Estimate the placement that carries the source's glyphs onto the target's.

    Starts from medians of ink centre and ink radius, then maximises the mean soft IoU of the
    best-agreeing four fifths of the glyphs over scale, dx and dy (Nelder-Mead).

    sources: codepoint -> font; codepoints: the shared characters to measure on;
    target_ink: draws the target of a codepoint on a canvas. Raises ImageError without usable glyphs.
    """
    from scipy.optimize import minimize

    canvas = Canvas(size_px=CALIBRATION_SIZE_PX, margin_em=0.125, descender_em=descender_em)

    def draw(placement: Placement, wanted: Sequence[int]) -> NDArray[np.uint8]:
        return np.stack([render_ink(open_face(sources[c]), c, canvas, placement) for c in wanted])

    targets = np.stack([target_ink(c, canvas) for c in codepoints]) if codepoints else np.zeros((0, 1, 1), np.uint8)
    plain = draw(Placement(), codepoints) if codepoints else targets
    usable: NDArray[np.bool_] = np.logical_and(plain.any(axis=(1, 2)), targets.any(axis=(1, 2)))
    if not usable.any():
        raise ImageError("calibration: no shared character with ink in both fonts; check the fonts and the charset")
    wanted = [c for c, keep in zip(codepoints, usable.tolist(), strict=True) if keep]
    targets, plain = targets[usable], plain[usable]

    target_x, target_y, target_r = _moments_em(targets, canvas)
    source_x, source_y, source_r = _moments_em(plain, canvas)
    scale = float(np.median(target_r / source_r))
    start = np.array(
        [scale, np.median(target_x - scale * source_x), np.median(target_y - scale * source_y)], dtype=np.float64
    )

    def cost(parameters: NDArray[np.float64]) -> float:
        scale, dx_em, dy_em = map(float, parameters)
        if not 0.3 < scale < 3.0:
            return 1.0
        agreement = np.sort(soft_iou(draw(Placement(scale=scale, dx_em=dx_em, dy_em=dy_em), wanted), targets))
        return 1.0 - float(agreement[int(len(agreement) * (1 - _KEPT_SHARE)) :].mean())

    simplex = np.vstack([start, start + np.diag([0.03, 0.02, 0.02])])
    found = minimize(
        cost, start, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-6}
    )
    scale, dx_em, dy_em = (round(float(value), 5) for value in found.x)
    best = Placement(scale=scale, dx_em=dx_em, dy_em=dy_em)
    placed = draw(best, wanted)
    placed_x, placed_y, _ = _moments_em(placed, canvas)
    return Calibration(
        placement=best,
        spread_x_em=_spread(target_x - placed_x),
        spread_y_em=_spread(target_y - placed_y),
        iou_before=round(float(soft_iou(plain, targets).mean()), 4),
        iou_after=round(float(soft_iou(placed, targets).mean()), 4),
        num_glyphs=len(wanted),
    )


def placement_difference_px(a: Placement, b: Placement, canvas: Canvas) -> float:
    """How far apart two placements put the corners of the em box, at most, in pixels of the canvas."""
    y0 = canvas.descender_em
    corners = np.array([[0.0, 1.0, 0.0, 1.0], [y0, y0, y0 + 1, y0 + 1], [1.0, 1.0, 1.0, 1.0]])
    return float(np.abs((a.matrix - b.matrix) @ corners).max() * canvas.px_per_em)


def _moments_em(ink: NDArray[np.uint8], canvas: Canvas) -> tuple[NDArray[np.float64], ...]:
    """Ink centre (x, y) and root-mean-square radius of each image, in em."""
    size = canvas.size_px
    centres = np.arange(size) + 0.5
    by_col = ink.sum(axis=1, dtype=np.float64)
    by_row = ink.sum(axis=2, dtype=np.float64)
    total = by_col.sum(axis=1)
    col, row = by_col @ centres / total, by_row @ centres / total
    variance = by_col @ centres**2 / total - col**2 + by_row @ centres**2 / total - row**2
    affine = canvas.px_to_em
    x_em, y_em = affine @ np.stack([col, row, np.ones_like(col)])
    return x_em, y_em, np.sqrt(np.maximum(variance, 1e-9)) * affine[0, 0]


def _spread(differences: NDArray[np.float64]) -> float:
    return round(float(np.median(np.abs(differences - np.median(differences)))), 5)
