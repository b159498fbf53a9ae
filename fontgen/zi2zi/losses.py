"""The losses. Shapes: B batch, C channels, H rows, W columns. Every loss is a mean: batch sizes compare."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fontgen.zi2zi.discriminator import Verdict

RELATIVISTIC = ("relativistic", "relativistic_pairing")
"""The kinds that judge true and drawn images against each other."""


def _bce(logits: Tensor, target: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def discriminator_loss(kind: str, true_B1: Tensor, fake_B1: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """What the discriminator pays for its verdicts on true and drawn images, the mean of the two halves.

    `kind`, with t the logit of a true and f of a drawn image:

    - bce (arXiv 1406.2661): -log sigmoid(t) and -log(1 - sigmoid(f))
    - hinge (arXiv 1705.02894): max(0, 1 - t) and max(0, 1 + f)
    - lsgan (arXiv 1611.04076, with a = 0 and b = c = 1): (t - 1)^2 and f^2
    - relativistic, the average one (arXiv 1807.00734): bce of t - mean f and f - mean t
    - relativistic_pairing (the same paper's RSGAN; arXiv 2501.05441): softplus(f - t) of each drawn
      image and the true image of the same source: one half, not two.

    `smoothing` moves the targets 1 and 0 inwards, except for hinge, which has none.
    """
    high, low = 1.0 - smoothing, smoothing
    if kind == "hinge":
        return 0.5 * (functional.relu(1.0 - true_B1).mean() + functional.relu(1.0 + fake_B1).mean())
    if kind == "lsgan":
        return 0.5 * ((true_B1 - high).square().mean() + (fake_B1 - low).square().mean())
    if kind == "relativistic":
        return 0.5 * (_bce(true_B1 - fake_B1.mean(), high) + _bce(fake_B1 - true_B1.mean(), low))
    if kind == "relativistic_pairing":
        return _bce(true_B1 - fake_B1, high)
    return 0.5 * (_bce(true_B1, high) + _bce(fake_B1, low))


def generator_loss(kind: str, true_B1: Tensor | None, fake_B1: Tensor) -> Tensor:
    """What the generator pays for not deceiving, by the same papers; never smoothed.

    bce: -log sigmoid(f); hinge: -f; lsgan: (f - 1)^2 / 2. The `RELATIVISTIC` kinds also look at `true_B1`:
    the discriminator's loss with t and f exchanged. Raises ValueError when they lack it.
    """
    if kind in RELATIVISTIC:
        if true_B1 is None:
            raise ValueError(f"{kind}: the generator's loss needs the verdict on the true images")
        return discriminator_loss(kind, fake_B1, true_B1)
    if kind == "hinge":
        return -fake_B1.mean()
    if kind == "lsgan":
        return 0.5 * (fake_B1 - 1.0).square().mean()
    return _bce(fake_B1, 1.0)


def category_loss(style_BS: Tensor, style_index_B: Tensor) -> Tensor:
    """Multi-label BCE of the style logits on the one-hot style."""
    truth_BS = functional.one_hot(style_index_B, style_BS.shape[1]).to(style_BS.dtype)
    return functional.binary_cross_entropy_with_logits(style_BS, truth_BS)


def constancy_loss(kind: str, drawn_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Distance of two bottleneck encodings, pooled over the image or place by place."""
    if kind == "pooled":
        drawn_BCHW, target_BCHW = drawn_BCHW.mean((2, 3)), target_BCHW.mean((2, 3))
    return functional.l1_loss(drawn_BCHW, target_BCHW)


def dice_loss(fake_B1HW: Tensor, true_B1HW: Tensor) -> Tensor:
    """One minus the overlap of the two glyphs' ink (soft Dice with squared ink in the denominator,
    arXiv 1606.04797), a mean over glyphs: every glyph counts the same, however little ink it has."""
    fake, true = 0.5 - 0.5 * fake_B1HW.float(), 0.5 - 0.5 * true_B1HW.float()
    space = (1, 2, 3)
    together = (fake * true).sum(space)
    # One pixel's worth of ink keeps a blank pair finite.
    return (1.0 - (2.0 * together + 1.0) / (fake.square().sum(space) + true.square().sum(space) + 1.0)).mean()


def edge_loss(fake_B1HW: Tensor, true_B1HW: Tensor) -> Tensor:
    """Absolute difference of the slopes of two images, along rows and along columns."""
    difference = fake_B1HW - true_B1HW
    return 0.5 * (difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean())


def feature_matching_loss(fake: Verdict, true: Verdict) -> Tensor:
    """Mean absolute difference of the discriminator's inner maps; the true side gives no gradient."""
    pairs = zip(fake.maps, true.maps, strict=True)
    return torch.stack([functional.l1_loss(f, t.detach()) for f, t in pairs]).mean()


def r1_penalty(truth_B1: Tensor, image_B1HW: Tensor) -> Tensor:
    """Half the squared gradient of the verdict on true images, a mean over the batch (arXiv 1801.04406)."""
    (slope,) = torch.autograd.grad(truth_B1.sum(), image_B1HW, create_graph=True)
    return 0.5 * slope.square().sum((1, 2, 3)).mean()
