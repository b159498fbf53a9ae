"""What the two networks are asked for: every loss with its weight, for one batch.

Shapes: B batch, H rows, W columns.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fontgen.zi2zi import losses
from fontgen.zi2zi.balance import Balance
from fontgen.zi2zi.data import Batch
from fontgen.zi2zi.discriminator import Discriminator, Verdict
from fontgen.zi2zi.generator import Encoding
from fontgen.zi2zi.perceptual import Perceptual, find_weights
from fontgen.zi2zi.settings import TrainSettings

Parts = dict[str, tuple[Tensor, float]]
"""Losses by name: the value and its weight."""


class Objective:
    """The losses of a training. It keeps no state of its own: `balance` says what counts at a step.

    Raises CheckpointError when the perceptual loss is on and VGG16's weights are not there.
    """

    def __init__(self, settings: TrainSettings, balance: Balance, device: torch.device) -> None:
        self.settings = settings
        self.balance = balance
        self.perceptual: Perceptual | None = None
        if settings.losses.perceptual:
            self.perceptual = Perceptual(find_weights(settings.losses.perceptual_weights)).to(device)

    @property
    def _category(self) -> float:
        """The weight of the category losses at this step."""
        return self.settings.losses.category if self.balance.names_styles else 0.0

    @property
    def compares_encodings(self) -> bool:
        """Whether `of_drawing` needs the target's encoding."""
        return self.settings.losses.constancy > 0

    @property
    def deceiving_needs_truth(self) -> bool:
        """Whether `of_deceiving` needs the verdict on the true images."""
        weights = self.settings.losses
        return weights.feature_matching > 0 or weights.adversarial_kind in losses.RELATIVISTIC

    def of_drawing(self, batch: Batch, fake: Tensor, encoding: Encoding, known_BCHW: Tensor | None) -> Parts:
        """The generator's losses that need no discriminator; `known_BCHW` is the target's encoding."""
        weights = self.settings.losses
        target = batch.target_B1HW
        parts: Parts = {}
        if weights.l1:
            parts["l1"] = functional.l1_loss(fake, target), weights.l1
        if weights.dice:
            parts["dice"] = losses.dice_loss(fake, target), weights.dice
        if weights.edge:
            parts["edge"] = losses.edge_loss(fake, target), weights.edge
        if self.perceptual is not None:
            parts["perceptual"] = self.perceptual(fake, target), weights.perceptual
        if known_BCHW is not None:
            distance = losses.constancy_loss(weights.constancy_kind, encoding.deepest_BCHW, known_BCHW)
            parts["constancy"] = distance, weights.constancy
        return parts

    def of_discriminator(self, batch: Batch, true_verdict: Verdict, fake_verdict: Verdict) -> Parts:
        """The discriminator's losses."""
        balance, weights = self.settings.balance, self.settings.losses
        d_loss = losses.discriminator_loss(
            weights.adversarial_kind, true_verdict.truth_B1, fake_verdict.truth_B1, smoothing=balance.label_smoothing
        )
        parts: Parts = {"d_loss": (d_loss, 1.0)}
        if self._category:
            named = losses.category_loss(true_verdict.style_BS, batch.style_index_B)
            drawn = losses.category_loss(fake_verdict.style_BS, batch.style_index_B)
            parts["d_category"] = 0.5 * (named + drawn), self._category
        return parts

    def of_slope(self, discriminator: Discriminator, batch: Batch) -> Parts:
        """The lazy R1 penalty, always in fp32 and never compiled: it is a gradient of a gradient."""
        balance, target = self.settings.balance, batch.target_B1HW
        with torch.autocast(target.device.type, enabled=False):
            image = target.float().clone().requires_grad_(True)
            verdict: Verdict = discriminator(batch.source_B1HW.float(), image)
            return {"r1": (losses.r1_penalty(verdict.truth_B1, image), balance.r1 * balance.r1_every)}

    def of_deceiving(self, batch: Batch, verdict: Verdict, true_verdict: Verdict | None, lambda_adv: float) -> Parts:
        """The generator's losses that pass through the discriminator; `true_verdict` carries no gradient."""
        weights = self.settings.losses
        true_logits = None if true_verdict is None else true_verdict.truth_B1
        deceived = losses.generator_loss(weights.adversarial_kind, true_logits, verdict.truth_B1)
        parts: Parts = {"adversarial": (deceived, lambda_adv)}
        if self._category:
            parts["category"] = losses.category_loss(verdict.style_BS, batch.style_index_B), self._category
        if weights.feature_matching and true_verdict is not None:
            parts["feature_matching"] = losses.feature_matching_loss(verdict, true_verdict), weights.feature_matching
        return parts

    def of_discriminator_shuffled(self, style_index_B: Tensor, true_verdict: Verdict, verdict: Verdict) -> Parts:
        """The discriminator's losses on drawings in styles whose truth is not at hand: false, and of those styles."""
        kind, smoothing = self.settings.losses.adversarial_kind, self.settings.balance.label_smoothing
        loss = losses.discriminator_loss(kind, true_verdict.truth_B1, verdict.truth_B1, smoothing=smoothing)
        parts: Parts = {"d_shuffled": (loss, 1.0)}
        if self._category:
            parts["d_category_shuffled"] = 0.5 * losses.category_loss(verdict.style_BS, style_index_B), self._category
        return parts

    def of_deceiving_shuffled(
        self, style_index_B: Tensor, verdict: Verdict, true_verdict: Verdict | None, lambda_adv: float
    ) -> Parts:
        """The generator's losses on those drawings: nothing but the discriminator says what is right."""
        true_logits = None if true_verdict is None else true_verdict.truth_B1
        deceived = losses.generator_loss(self.settings.losses.adversarial_kind, true_logits, verdict.truth_B1)
        parts: Parts = {"adversarial_shuffled": (deceived, lambda_adv)}
        if self._category:
            parts["category_shuffled"] = losses.category_loss(verdict.style_BS, style_index_B), self._category
        return parts


def noisy(image_B1HW: Tensor, std: float) -> Tensor:
    """What the discriminator gets to see: instance noise of this standard deviation added."""
    return image_B1HW + std * torch.randn_like(image_B1HW) if std else image_B1HW
