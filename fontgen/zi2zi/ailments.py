"""What can go wrong with a training, and the settings that cure it, in the order to try. No torch.

The order is that of practice; docs/training.md has the same settings in its table, which a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings


@dataclass(frozen=True)
class Cure:
    """A setting that helps, and whether it is still to be tried."""

    key: str
    """Where it stands in a recipe, with dots: `train.balance.d_every`."""
    advice: Callable[[NetworkSettings, TrainSettings], str]
    """The setting as one would write it; empty when it is like that already."""

    def words(self, network: NetworkSettings, settings: TrainSettings) -> str:
        """`[train.balance] d_every = 2`, or nothing."""
        text = self.advice(network, settings)
        return f"[{self.key.rpartition('.')[0]}] {text}" if text else ""


@dataclass(frozen=True)
class Ailment:
    """Something that can be wrong with a training."""

    kind: str
    cured: str
    """What is said when it is over."""
    cures: tuple[Cure, ...]
    """In the order to try."""


def _slower_discriminator(network: NetworkSettings, settings: TrainSettings) -> str:
    quarter = settings.lr_generator / 4
    return f"lr_discriminator = {quarter:.3g}" if settings.lr_discriminator > 1.01 * quarter else ""


def _slower_generator(network: NetworkSettings, settings: TrainSettings) -> str:
    slower = min(2.5e-4, settings.lr_generator / 4)
    return f"lr_generator = {slower:.3g}" if settings.lr_generator > 1e-4 else ""


_D_EVERY = Cure("train.balance.d_every", lambda n, s: "" if s.balance.d_every > 1 else "d_every = 2")
_SMOOTHING = Cure(
    "train.balance.label_smoothing",
    lambda n, s: "" if s.balance.label_smoothing or s.losses.adversarial_kind == "hinge" else "label_smoothing = 0.1",
)
_START = Cure("train.balance.start", lambda n, s: "start = 0.5" if s.balance.start > 1 else "")
_SPECTRAL = Cure("network.spectral_norm", lambda n, s: "" if n.spectral_norm else "spectral_norm = true")
_R1 = Cure("train.balance.r1", lambda n, s: "" if s.balance.r1 else "r1 = 1.0")
_DECAY = Cure(
    "train.weight_decay_discriminator",
    lambda n, s: "" if s.weight_decay_discriminator else "weight_decay_discriminator = 0.01",
)
_FREEZE = Cure(
    "train.balance.category_freeze_epochs",
    lambda n, s: "" if s.balance.category_freeze_epochs or not s.losses.category else "category_freeze_epochs = 10",
)
_NOISE = Cure("train.balance.instance_noise", lambda n, s: "" if s.balance.instance_noise else "instance_noise = 0.05")
_CLIP = Cure("train.clip_gradient", lambda n, s: "" if s.clip_gradient else "clip_gradient = 1.0")
_WARMUP = Cure("train.lr_warmup", lambda n, s: "" if s.lr_warmup else "lr_warmup = 500")
_SLOWER_G = Cure("train.lr_generator", _slower_generator)
_EPOCHS = Cure("train.epochs", lambda n, s: f"epochs = {2 * s.epochs}" if s.steps is None else "")
_STEPS = Cure("train.steps", lambda n, s: f"steps = {2 * s.steps}" if s.steps else "")

AILMENTS = (
    Ailment(
        "discriminator_won",
        "the discriminator no longer wins",
        (
            Cure("train.lr_discriminator", _slower_discriminator),
            *(_D_EVERY, _SMOOTHING, _START, _SPECTRAL, _R1, _DECAY, _FREEZE, _NOISE),
        ),
    ),
    Ailment(
        "discriminator_exploded",
        "the discriminator has come to rest",
        (
            Cure("train.lr_discriminator", lambda n, s: f"lr_discriminator = {s.lr_discriminator / 4:.3g}"),
            _SPECTRAL,
            _R1,
        ),
    ),
    Ailment(
        "copies_source",
        "the generator no longer copies the source",
        (
            Cure("train.lr_generator", lambda n, s: "lr_generator = 2.5e-4" if s.lr_generator < 1e-4 else ""),
            Cure("network.source_residual", lambda n, s: "source_residual = 0.0" if n.source_residual else ""),
            Cure("network.skip", lambda n, s: 'skip = "residual"' if n.skip == "concat" else ""),
            Cure("network.skip_conv", lambda n, s: "" if n.skip_conv else "skip_conv with the widths of some skips"),
            Cure("train.losses.constancy", lambda n, s: "constancy = 5" if s.losses.constancy > 5 else ""),
            _EPOCHS,
            _STEPS,
        ),
    ),
    Ailment(
        "style_flat",
        "the style comes through",
        (
            Cure("train.losses.l1", lambda n, s: "l1 = 100" if s.losses.l1 < 10 else ""),
            Cure("train.batch_size", lambda n, s: "batch_size = 16" if s.batch_size > 32 else ""),
            Cure("train.losses.category", lambda n, s: "" if s.losses.category else "category = 1"),
            Cure("network.skip", lambda n, s: 'skip = "residual"' if n.skip == "concat" else ""),
            _EPOCHS,
            _STEPS,
        ),
    ),
    Ailment(
        "draws_nothing",
        "the generator draws the characters",
        (
            Cure("train.losses.l1", lambda n, s: "l1 = 100" if s.losses.l1 < 10 else ""),
            Cure("train.lr_generator", _slower_generator),
            *(_WARMUP, _EPOCHS, _STEPS),
        ),
    ),
    Ailment(
        "steps_skipped",
        "losses and gradients are finite again",
        (
            Cure("train.precision", lambda n, s: "" if s.precision == "fp32" else 'precision = "fp32"'),
            *(_SLOWER_G, _WARMUP, _CLIP),
        ),
    ),
    Ailment(
        "gradient_exploded",
        "the generator's gradient has come to rest",
        (_CLIP, _SLOWER_G, _WARMUP),
    ),
    Ailment(
        "gradient_vanished",
        "the generator's gradient is back",
        (
            *(_SLOWER_G, _WARMUP),
            Cure("network.norm", lambda n, s: "" if n.norm == "instance" else 'norm = "instance"'),
        ),
    ),
)

_BY_KIND = {each.kind: each for each in AILMENTS}


def ailment(kind: str) -> Ailment:
    return _BY_KIND[kind]
