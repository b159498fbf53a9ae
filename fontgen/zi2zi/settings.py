"""What can be set about the networks and their training. Imports no torch: recipes use it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from fontgen.errors import RecipeError
from fontgen.settings import Settings

_RECORD_DOWNS = {128: 5, 256: 8, 384: 7, 512: 8}
"""Depth by canvas size as the field runs it (7 at 384 px, 8 at 256 px); 128 and 512 px end at 4 and 2 px."""

_DEEPEST_PX = 3
"""Other sizes go down while the deepest map keeps at least this width, as it has at 384 px."""


class NetworkSettings(Settings):
    """The generator and the discriminator. The defaults are the network of record of zi2zi."""

    ngf: int = Field(default=64, ge=1, le=512)
    """Channels of the generator's first level; each level down doubles them up to `max_channels`."""
    max_channels: int | None = Field(default=None, ge=1)
    """Channels of the deepest levels; by default 8 times `ngf`."""
    num_downs: int | None = Field(default=None, ge=2, le=10)
    """Levels of the U-Net; by default from the canvas: 5 at 128 px, 8 at 256 px, 7 at 384 px, 8 at 512 px."""
    embedding_num: int = Field(default=40, ge=1)
    """Styles (target fonts) the network has room for."""
    embedding_dim: int = Field(default=128, ge=1)
    """Length of a style's embedding."""
    norm: Literal["instance", "batch", "group", "none"] = "instance"
    """Normalisation of the generator; batch only for batches of 16 and more."""
    skip: Literal["residual", "concat"] = "residual"
    """How a level of the encoder reaches the decoder: added, or concatenated (costs more, copies details better)."""
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Dropout on the decoder's inner blocks, those that keep the full number of channels. 0: none."""
    attention: tuple[int, ...] = ()
    """Self-attention on the encoder's maps of these widths in px, for instance [24, 48] at 384 px."""
    source_residual: float = Field(default=0.0, ge=0.0)
    """The network draws tanh(change + this many times the source), so that it only has to learn the
    change. 0 is zi2zi as published; 1 helps when the source resembles the target and the run is short."""
    ndf: int = Field(default=64, ge=1, le=512)
    """Channels of the discriminator's first level."""
    discriminator_norm: Literal["instance", "batch", "group", "none"] = "instance"
    """Normalisation of the discriminator."""
    spectral_norm: bool = False
    """Spectral normalisation on the discriminator, against a discriminator that wins too easily."""

    def downs_for(self, size_px: int) -> int:
        """Levels for a canvas of `size_px`. Raises RecipeError when canvas and levels cannot go together."""
        downs = self.num_downs or _RECORD_DOWNS.get(size_px) or _usual_downs(size_px)
        if downs < 2 or size_px % 2**downs:
            raise RecipeError(
                f"canvas of {size_px} px and num_downs {downs} do not go together: the canvas must be "
                f"a multiple of {2 ** max(downs, 2)} px; choose 128, 256, 384 or 512 px, or fewer num_downs"
            )
        widths = [size_px >> level for level in range(1, downs + 1)]
        if missing := sorted(set(self.attention) - set(widths)):
            raise RecipeError(
                f"attention at {missing[0]} px: a canvas of {size_px} px has maps of {widths} px; choose from these"
            )
        return downs

    def channels_for(self, size_px: int) -> list[int]:
        """Channels of each level, outermost first."""
        most = self.max_channels or 8 * self.ngf
        return [min(self.ngf << level, most) for level in range(self.downs_for(size_px))]


def _usual_downs(size_px: int) -> int:
    downs = 0
    while size_px % 2 == 0 and size_px // 2 >= _DEEPEST_PX and downs < 8:
        size_px //= 2
        downs += 1
    return downs


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
    adversarial_kind: Literal["bce", "hinge", "lsgan", "relativistic"] = "bce"
    """Adversarial loss; its weight is `balance`'s lambda_adv. relativistic: relativistic average, with BCE."""
    feature_matching: float = Field(default=0.0, ge=0.0)
    """Distance of the discriminator's inner maps of drawn and true image; about 10."""
    dice: float = Field(default=0.0, ge=0.0)
    """One minus the overlap of the ink: pulls every glyph's shape onto the true one; about `l1`."""
    edge: float = Field(default=0.0, ge=0.0)
    """Absolute difference of the images' slopes: crisper edges; 10 to 50."""


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
    """Mode d_loss: above this the discriminator has exploded and lambda_adv drops to `emergency`."""
    emergency: float = Field(default=0.05, ge=0.0)
    """Mode d_loss: lambda_adv while the discriminator has exploded."""
    d_every: int = Field(default=1, ge=1)
    """Update the discriminator every so many steps."""
    d_start: int = Field(default=0, ge=0)
    """The first step of the adversarial part; before it only the other losses work."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=0.5)
    """The discriminator's targets are 1 minus this and this (bce and lsgan); 0.1 is usual."""
    instance_noise: float = Field(default=0.0, ge=0.0)
    """Standard deviation of noise on what the discriminator sees, falling to 0 at the end."""
    r1: float = Field(default=0.0, ge=0.0)
    """Gradient penalty on true pairs, about 1 to 10."""
    r1_every: int = Field(default=16, ge=1)
    """The penalty is computed at every so many discriminator updates, and weighted up by as much."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, pairs in (("schedule", self.schedule), ("d_loss_levels", self.d_loss_levels)):
            limits = [limit for limit, _ in pairs]
            if limits != sorted(set(limits)):
                raise ValueError(f"{name}: limits must ascend, got {limits}")
            if any(value < 0 for _, value in pairs):
                raise ValueError(f"{name}: lambda_adv must not be negative")
        return self


class TrainSettings(Settings):
    """How the networks are trained. Length is counted in steps, never in seconds."""

    batch_size: int = Field(default=16, ge=1)
    """Pairs of one forward pass."""
    accumulate: int = Field(default=1, ge=1)
    """Forward passes whose gradients make one step: the effective batch is this times `batch_size`."""
    epochs: int = Field(default=60, ge=1)
    """How often every pair is seen; `steps` takes its place when given."""
    steps: int | None = Field(default=None, ge=1)
    """How many times the weights are updated."""
    lr_generator: float = Field(default=2.5e-4, gt=0.0, le=0.1)
    """Adam's learning rate for the generator."""
    lr_discriminator: float = Field(default=6e-5, gt=0.0, le=0.1)
    """Adam's learning rate for the discriminator; a quarter of the generator's keeps the balance."""
    lr_schedule: Literal["epoch", "cosine", "constant"] = "epoch"
    """epoch: times `lr_decay` each epoch down to the floors; cosine: to 0 at the last step (short runs)."""
    lr_decay: float = Field(default=0.99, gt=0.0, le=1.0)
    """Schedule epoch: factor an epoch."""
    lr_floor_generator: float = Field(default=1.5e-4, ge=0.0)
    """Schedule epoch: the generator's learning rate falls no lower."""
    lr_floor_discriminator: float = Field(default=5e-5, ge=0.0)
    """Schedule epoch: the discriminator's learning rate falls no lower."""
    lr_warmup: int = Field(default=0, ge=0)
    """Steps over which the learning rates rise from 0."""
    weight_decay_discriminator: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay on the discriminator."""
    clip_gradient: float = Field(default=0.0, ge=0.0)
    """Largest norm of the generator's gradient; 0: not clipped."""
    ema: float = Field(default=0.999, ge=0.0, lt=1.0)
    """Decay of the running mean of the generator's weights, the ones that are kept; 0: none."""
    augment_shift_em: float = Field(default=0.0, ge=0.0, le=0.2)
    """Source and target are shifted together by up to this much."""
    augment_scale: float = Field(default=0.0, ge=0.0, le=0.5)
    """Source and target are scaled together by up to this fraction. Nothing is ever mirrored."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: autocast, about twice as fast where the hardware has it."""
    channels_last: bool = True
    """Memory layout; faster on nearly every machine."""
    seed: int = Field(default=1, ge=0)
    """Same seed, settings and machine: same weights, to the last bit."""
    max_bad_steps: int = Field(default=20, ge=1)
    """Training stops after so many steps in a row whose losses or gradients are not finite."""
    log_every: int = Field(default=10, ge=1)
    """Steps between lines of metrics.jsonl."""
    evaluate_every: int = Field(default=500, ge=1)
    """Steps between evaluations on the held-out pairs, sample sheets and checkpoints."""
    losses: LossSettings = LossSettings()
    balance: BalanceSettings = BalanceSettings()

    def total_steps(self, num_pairs: int) -> int:
        """Steps of the whole run on `num_pairs` training pairs."""
        return self.steps or max(1, -(-self.epochs * num_pairs // (self.batch_size * self.accumulate)))
