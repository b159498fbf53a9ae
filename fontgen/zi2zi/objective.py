"""What the two networks are asked for: every loss with its weight, for one batch.

Shapes: B batch, H rows, W columns.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fontgen.zi2zi import losses
from fontgen.zi2zi.data import Batch
from fontgen.zi2zi.discriminator import Discriminator, Verdict
from fontgen.zi2zi.generator import Encoding, Generator
from fontgen.zi2zi.settings import TrainSettings

Parts = dict[str, tuple[Tensor, float]]
"""Losses by name: the value and its weight."""


class Objective:
    """The losses of a training. It keeps no state."""

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings

    def of_drawing(self, generator: Generator, batch: Batch, fake: Tensor, encoding: Encoding) -> Parts:
        """The generator's losses that need no discriminator."""
        weights = self.settings.losses
        target = batch.target_B1HW
        parts: Parts = {}
        if weights.l1:
            parts["l1"] = functional.l1_loss(fake, target), weights.l1
        if weights.dice:
            parts["dice"] = losses.dice_loss(fake, target), weights.dice
        if weights.edge:
            parts["edge"] = losses.edge_loss(fake, target), weights.edge
        if weights.constancy:
            known = generator.encoder(target).deepest_BCHW
            distance = losses.constancy_loss(weights.constancy_kind, encoding.deepest_BCHW, known)
            parts["constancy"] = distance, weights.constancy
        return parts

    def of_discriminator(
        self, discriminator: Discriminator, batch: Batch, fake: Tensor, penalise: bool, noise_std: float
    ) -> Parts:
        """The discriminator's losses; `fake` carries no gradient. `penalise` adds R1."""
        source, target, style_index = batch
        balance, weights = self.settings.balance, self.settings.losses
        true_verdict: Verdict = discriminator(source, _noisy(target, noise_std))
        fake_verdict: Verdict = discriminator(source, _noisy(fake, noise_std))
        d_loss = losses.discriminator_loss(
            weights.adversarial_kind, true_verdict.truth_B1, fake_verdict.truth_B1, smoothing=balance.label_smoothing
        )
        parts: Parts = {"d_loss": (d_loss, 1.0)}
        if weights.category:
            named = losses.category_loss(true_verdict.style_BS, style_index)
            drawn = losses.category_loss(fake_verdict.style_BS, style_index)
            parts["d_category"] = 0.5 * (named + drawn), weights.category
        if penalise:
            with torch.autocast(target.device.type, enabled=False):
                image = target.float().clone().requires_grad_(True)
                verdict: Verdict = discriminator(source.float(), image)
                parts["r1"] = losses.r1_penalty(verdict.truth_B1, image), balance.r1 * balance.r1_every
        return parts

    def of_deceiving(
        self, discriminator: Discriminator, batch: Batch, fake: Tensor, lambda_adv: float, noise_std: float
    ) -> Parts:
        """The generator's losses that pass through the discriminator."""
        source, target, style_index = batch
        weights = self.settings.losses
        verdict: Verdict = discriminator(source, _noisy(fake, noise_std))
        true_verdict: Verdict | None = None
        if weights.feature_matching or weights.adversarial_kind == "relativistic":
            with torch.no_grad():
                true_verdict = discriminator(source, _noisy(target, noise_std))
        true_logits = None if true_verdict is None else true_verdict.truth_B1
        deceived = losses.generator_loss(weights.adversarial_kind, true_logits, verdict.truth_B1)
        parts: Parts = {"adversarial": (deceived, lambda_adv)}
        if weights.category:
            parts["category"] = losses.category_loss(verdict.style_BS, style_index), weights.category
        if weights.feature_matching and true_verdict is not None:
            parts["feature_matching"] = losses.feature_matching_loss(verdict, true_verdict), weights.feature_matching
        return parts


def _noisy(image_B1HW: Tensor, std: float) -> Tensor:
    return image_B1HW + std * torch.randn_like(image_B1HW) if std else image_B1HW
