"""Source and target of a pair changed together, so that a network sees more than the pairs there are.

A mirrored or turned glyph would be another glyph; a shifted, scaled or slightly bolder one is the same.
Shapes: B batch, H rows, W columns; 2 is source and target.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fontgen.canvas import Canvas
from fontgen.zi2zi.device import sent
from fontgen.zi2zi.settings import TrainSettings

_CROSS_SHARE = 2.0 - 2.0**0.5
"""Part of the cross in one pixel of growth, the square has the rest: along the axes both grow by 1 px, along the
diagonals by 1/sqrt(2) and sqrt(2) px, and in this mixture by 1 px too."""


class Augmentation:
    """What the settings ask for, at sub-pixel accuracy, on the device of the images."""

    def __init__(self, settings: TrainSettings, canvas: Canvas) -> None:
        self.settings = settings
        self.canvas = canvas

    def __call__(self, both_B2HW: Tensor, rng: np.random.Generator, share: slice, total: int) -> Tensor:
        """Augment images in -1..1, ink = -1.

        All that is drawn from `rng` is drawn for `total` pairs, of which these are `share`: several
        processes with the same `rng` augment as one does.
        """
        settings = self.settings
        if settings.augment_weight_em:
            # A stroke has two edges.
            reach_px = 0.5 * settings.augment_weight_em * self.canvas.px_per_em
            both_B2HW = grown(both_B2HW, reach_px * rng.uniform(-1.0, 1.0, total)[share])
        if settings.augment_shift_em or settings.augment_scale:
            theta = self._affine(rng, total)[share]
            grid = functional.affine_grid(sent(theta, both_B2HW.device), list(both_B2HW.shape), align_corners=False)
            # Outside the canvas grid_sample reads 0, so background has to be 0 meanwhile.
            both_B2HW = 1.0 + functional.grid_sample(both_B2HW - 1.0, grid, mode="bilinear", align_corners=False)
        return both_B2HW

    def _affine(self, rng: np.random.Generator, total: int) -> NDArray[np.float32]:
        # affine_grid measures in half canvases.
        reach = self.settings.augment_shift_em * self.canvas.px_per_em * 2.0 / self.canvas.size_px
        theta = np.zeros((total, 2, 3), np.float32)
        theta[:, 0, 0] = theta[:, 1, 1] = 1.0 + self.settings.augment_scale * rng.uniform(-1.0, 1.0, total)
        theta[:, :, 2] = reach * rng.uniform(-1.0, 1.0, (total, 2))
        return theta


def grown(image_BCHW: Tensor, edge_px_B: NDArray[np.float64]) -> Tensor:
    """Images whose every edge moves outwards by `edge_px_B` px (inwards where negative); ink = -1.

    A step of one pixel is grey dilation (erosion), a part of one lies as far between before and after:
    an edge's grey ramp moves by exactly that part, since its coverage is linear in its place.
    """
    edge_B111 = sent(edge_px_B.astype(np.float32), image_BCHW.device)[:, None, None, None]
    # Shrinking ink is growing background.
    flip_B111 = torch.where(edge_B111 < 0, 1.0, -1.0)
    left_B111 = edge_B111.abs()
    ink_BCHW = flip_B111 * image_BCHW
    for _ in range(math.ceil(np.abs(edge_px_B).max(initial=0.0))):
        tall = functional.max_pool2d(ink_BCHW, (3, 1), 1, (1, 0))
        wide = functional.max_pool2d(ink_BCHW, (1, 3), 1, (0, 1))
        square = functional.max_pool2d(tall, (1, 3), 1, (0, 1))
        larger_BCHW = square + _CROSS_SHARE * (torch.maximum(tall, wide) - square)
        ink_BCHW = ink_BCHW + left_B111.clamp(max=1.0) * (larger_BCHW - ink_BCHW)
        left_B111 = (left_B111 - 1.0).clamp(min=0.0)
    return flip_B111 * ink_BCHW
