"""What can be set about the losses and their balance. Imports no torch: recipes use it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from fontgen.settings import RecipePath, Settings


class LossSettings(Settings):
    """Weights of the generator's losses; a loss of weight 0 is not computed."""

    l1: float = Field(default=100.0, ge=0.0)
    """Absolute difference from the target (images in -1..1)."""
    constancy: float = Field(default=15.0, ge=0.0)
    """Distance of the source's encoding from the target's; 5 to 15."""
    constancy_kind: Literal["pooled", "spatial"] = "pooled"
    """Compare encodings averaged over the image (steadier) or place by place."""
    category: float = Field(default=1.0, ge=0.0)
    """The discriminator names the style, the generator draws what it can name."""
    adversarial_kind: Literal["bce", "hinge", "lsgan", "relativistic", "relativistic_pairing"] = "bce"
    """Adversarial loss; its weight is `balance`'s lambda_adv. relativistic: each image against the average of the
    other kind; relativistic_pairing: each drawn image against the true one of the same character."""
    feature_matching: float = Field(default=0.0, ge=0.0)
    """Distance of the discriminator's inner maps of drawn and true image; about 10."""
    dice: float = Field(default=0.0, ge=0.0)
    """One minus the overlap of the ink: pulls every glyph's shape onto the true one; about `l1`."""
    edge: float = Field(default=0.0, ge=0.0)
    """Absolute difference of the images' slopes: crisper edges; 10 to 50."""
    perceptual: float = Field(default=0.0, ge=0.0)
    """Distance in the first layers of VGG16 (relu1_2, relu2_2); 0.01 to 0.05. Needs VGG16's weights on disk."""
    perceptual_weights: RecipePath | None = None
    """torchvision's VGG16 weights (vgg16-397923af.pth, or a safetensors copy); default: torch's hub cache.
    Nothing is downloaded."""


class BalanceSettings(Settings):
    """How strong the adversarial loss is (lambda_adv), and how strong the discriminator may become."""

    mode: Literal["fixed", "schedule", "d_loss"] = "d_loss"
    """fixed: always `start`; schedule: by epoch; d_loss: from the discriminator's loss of the last update."""
    start: float = Field(default=0.25, ge=0.0)
    """lambda_adv at the start; with mode fixed, for ever. 0 with mode fixed switches the adversary off."""
    schedule: tuple[tuple[int, float], ...] = ((5, 0.1), (20, 0.3))
    """Mode schedule: (epoch, lambda_adv) pairs, each valid below its epoch."""
    schedule_end: float = Field(default=0.5, ge=0.0)
    """Mode schedule: lambda_adv after the last of those epochs."""
    d_loss_levels: tuple[tuple[float, float], ...] = ((0.02, 0.20), (0.08, 0.35), (0.20, 0.50))
    """Mode d_loss: (d_loss, lambda_adv) pairs, each valid below its d_loss."""
    d_loss_above: float = Field(default=0.60, ge=0.0)
    """Mode d_loss: lambda_adv above the last level."""
    emergency_d_loss: float = Field(default=5.0, gt=0.0)
    """Mode d_loss: above this the discriminator has exploded and lambda_adv drops to `emergency`; 1e9 switches this
    brake off."""
    emergency: float = Field(default=0.05, ge=0.0)
    """Mode d_loss: lambda_adv while the discriminator has exploded."""
    d_every: int = Field(default=1, ge=1)
    """Update the discriminator every so many steps."""
    d_start: int = Field(default=0, ge=0)
    """The first step of the adversarial part; before it only the other losses work."""
    d_alone: int = Field(default=0, ge=0)
    """Steps from `d_start` in which the discriminator learns alone before the generator hears it: a warm-up
    for a fine-tuning, whose generator is far ahead of a fresh discriminator."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=0.5)
    """The discriminator's targets are 1 minus this and this (all kinds but hinge); 0.1 is usual."""
    instance_noise: float = Field(default=0.0, ge=0.0)
    """Standard deviation of noise on what the discriminator sees, falling to 0 at the end."""
    r1: float = Field(default=0.0, ge=0.0)
    """Gradient penalty on true pairs, about 1 to 10."""
    r1_every: int = Field(default=16, ge=1)
    """The penalty is computed at every so many discriminator updates, and weighted up by as much."""
    category_freeze_epochs: int = Field(default=0, ge=0)
    """In the first so many epochs there is no category loss, and the weights of the discriminator's category head do
    not move; 10 to 20 when the discriminator wins early."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, pairs in (("schedule", self.schedule), ("d_loss_levels", self.d_loss_levels)):
            limits = [limit for limit, _ in pairs]
            if limits != sorted(set(limits)):
                raise ValueError(f"{name}: limits must ascend, got {limits}")
            if any(value < 0 for _, value in pairs):
                raise ValueError(f"{name}: lambda_adv must not be negative")
        return self
