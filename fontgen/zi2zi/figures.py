"""Held-out figures: how close drawn glyphs are to the true ones. Images are (B, 1, H, W) ink in 0..1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

_SSIM_SIGMA_PX = 1.5
_SSIM_RADIUS_PX = 5
_SSIM_C1 = 0.01**2
_SSIM_C2 = 0.03**2
"""Wang et al. 2004 (doi 10.1109/TIP.2003.819861), for values in 0..1."""

_SPREAD_GLYPHS = 32


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


def score(figures: Mapping[str, float]) -> float:
    """One number to choose the best checkpoint by, higher is better."""
    return figures["ssim"] - figures["ink_l1"]


def change_counts(source_B1HW: Tensor, fake_B1HW: Tensor, true_B1HW: Tensor) -> dict[str, Tensor]:
    """Pixels (B,) in which the ink is another than the source's, ink being what is at least half covered.

    `px_wanted` in the true glyph, `px_changed` in the drawn one, `px_right` in both.
    """
    space = (1, 2, 3)
    source = source_B1HW > 0.5
    changed, wanted = (fake_B1HW > 0.5) != source, (true_B1HW > 0.5) != source
    return {
        "px_wanted": wanted.sum(space),
        "px_changed": changed.sum(space),
        "px_right": (wanted & changed).sum(space),
    }


def change_figures(sums: Mapping[str, float]) -> dict[str, float]:
    """What the network does to the source, from the sums of `change_counts`; {} where nothing was to change.

    `changed`: how many pixels the network changes, by how many had to change: 0 copies the source.
    `followed`: of the pixels that either changes, the share that both change: 1 is the target itself.
    """
    wanted, changed, right = (sums[name] for name in ("px_wanted", "px_changed", "px_right"))
    if not wanted:
        return {}
    return {"changed": changed / wanted, "followed": right / (wanted + changed - right)}


class StyleSpread:
    """How far the drawings of one character in two styles differ as their true glyphs do: 1 as far, 0 not at all.

    With the differences d of the drawn and t of the true images it is the sum of d t by the sum of t t, over
    the characters held out in several styles (up to 32). Calibrated sources of two styles differ a little, and
    so do copies of them; counting along the true difference keeps that out.
    """

    def __init__(self, codepoints: Sequence[int]) -> None:
        repeated = [codepoint for codepoint, number in Counter(codepoints).items() if number > 1]
        self._first: dict[int, tuple[Tensor, Tensor] | None] = dict.fromkeys(sorted(repeated)[:_SPREAD_GLYPHS])
        self._together = 0.0
        self._true = 0.0

    def add(self, codepoints: Sequence[int], fake_B1HW: Tensor, true_B1HW: Tensor) -> None:
        """Take note of held-out drawings and their true glyphs, in any order and any number of batches."""
        for codepoint, fake_1HW, true_1HW in zip(codepoints, fake_B1HW, true_B1HW, strict=True):
            if codepoint not in self._first:
                continue
            first = self._first[codepoint]
            if first is None:
                self._first[codepoint] = fake_1HW, true_1HW
                continue
            drawn, true = fake_1HW - first[0], true_1HW - first[1]
            self._together += float((drawn * true).sum())
            self._true += float(true.square().sum())

    def figures(self) -> dict[str, float]:
        """`style_spread`; {} with a single style."""
        return {"style_spread": self._together / self._true} if self._true else {}
