"""Held-out figures: how close drawn glyphs are to the true ones. Images are (B, 1, H, W) ink in 0..1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SSIM_SIGMA_PX = 1.5
_SSIM_RADIUS_PX = 5
_SSIM_C1 = 0.01**2
_SSIM_C2 = 0.03**2
"""Wang et al. 2004 (doi 10.1109/TIP.2003.819861), for values in 0..1."""


def ssim(fake_B1HW: Tensor, true_B1HW: Tensor) -> Tensor:
    """Structural similarity (B,), Gaussian window of 11 px, over the pixels whose window fits."""
    offsets = torch.arange(-_SSIM_RADIUS_PX, _SSIM_RADIUS_PX + 1, dtype=torch.float32, device=fake_B1HW.device)
    window = torch.exp(-0.5 * (offsets / _SSIM_SIGMA_PX).square())
    window = window / window.sum()

    def blurred(x: Tensor) -> Tensor:
        return functional.conv2d(functional.conv2d(x, window[None, None, :, None]), window[None, None, None, :])

    mean_f, mean_t = blurred(fake_B1HW), blurred(true_B1HW)
    variance_f = blurred(fake_B1HW.square()) - mean_f.square()
    variance_t = blurred(true_B1HW.square()) - mean_t.square()
    covariance = blurred(fake_B1HW * true_B1HW) - mean_f * mean_t
    likeness = (2 * mean_f * mean_t + _SSIM_C1) * (2 * covariance + _SSIM_C2)
    scale = (mean_f.square() + mean_t.square() + _SSIM_C1) * (variance_f + variance_t + _SSIM_C2)
    return (likeness / scale).mean((1, 2, 3))


def fidelity(fake_B1HW: Tensor, true_B1HW: Tensor) -> dict[str, Tensor]:
    """Per glyph, each (B,).

    `l1` mean absolute difference; `ink_l1` the same by the true glyph's ink, so that margins do not
    flatter; `iou` of the pixels above 0.5; `soft_iou` of the grey values; `ssim`.
    """
    space = (1, 2, 3)
    difference = (fake_B1HW - true_B1HW).abs()
    fake_ink, true_ink = fake_B1HW > 0.5, true_B1HW > 0.5
    return {
        "l1": difference.mean(space),
        "ink_l1": difference.sum(space) / true_B1HW.sum(space).clamp_min(1.0),
        "iou": (fake_ink & true_ink).sum(space) / (fake_ink | true_ink).sum(space).clamp_min(1),
        "soft_iou": torch.minimum(fake_B1HW, true_B1HW).sum(space)
        / torch.maximum(fake_B1HW, true_B1HW).sum(space).clamp_min(1.0),
        "ssim": ssim(fake_B1HW, true_B1HW),
    }


def score(figures: dict[str, float]) -> float:
    """One number to choose the best checkpoint by, higher is better."""
    return figures["ssim"] - figures["ink_l1"]
