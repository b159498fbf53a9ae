"""What can be set about the training. Imports no torch: recipes use it."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from fontgen.settings import RecipePath, Settings
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings


class TrainSettings(Settings):
    """How the networks are trained. Length is counted in steps, never in seconds."""

    batch_size: int = Field(default=16, ge=1)
    """Pairs of one forward pass, on each GPU where there are several."""
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
    augment_weight_em: float = Field(default=0.0, ge=0.0, le=0.03)
    """The strokes of source and target grow or shrink together by up to this much; 0.004 is slight (1 px at 256)."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """bf16: autocast, several times as fast where the hardware has it; fp16: the same with a loss scale, for
    GPUs without bf16."""
    channels_last: bool = True
    """Memory layout; faster on nearly every machine. On a CPU the levels of the smallest maps stay contiguous."""
    fused: bool = True
    """Each optimizer updates all weights in one kernel."""
    compile: Literal["off", "inductor", "aot_eager"] = "off"
    """torch.compile for both networks, never for the R1 penalty. inductor needs a C++ compiler, or Triton on a
    GPU, and minutes at the start; aot_eager only traces, to find faults."""
    checkpoint_activations: bool = False
    """The generator's inner maps are computed again in the backward pass instead of being kept: same result,
    about half of the memory for them, about a third more time."""
    start_from: RecipePath | None = None
    """A checkpoint whose weights training starts from (fine-tuning), and whose network is then the recipe's: leave
    its keys out of [network]. Styles that it knows by name go on, others get an embedding of their own."""
    freeze_encoder: bool = False
    """With `start_from`: the encoder stays as it is; only the styles and the decoder learn."""
    label_shuffle_from: int | None = Field(default=None, ge=0)
    """With several styles: from this step on every glyph is also drawn in another style of its batch, which the
    discriminator judges and names, without L1. zi2zi's label shuffling, for late training. Default: never."""
    seed: int = Field(default=1, ge=0)
    """Same seed, settings and machine: same weights, to the last bit."""
    max_bad_steps: int = Field(default=20, ge=1)
    """Training stops after so many steps in a row whose losses or gradients are not finite."""
    log_every: int = Field(default=10, ge=1)
    """Steps between lines of metrics.jsonl."""
    evaluate_every: int = Field(default=500, ge=1)
    """Steps between evaluations on the held-out pairs, sample sheets and checkpoints."""
    early_stop: int = Field(default=0, ge=0)
    """Training ends after so many evaluations in a row without better held-out figures; 0: never. Not with
    `lr_schedule` cosine, under which the figures gain most at the end."""
    early_stop_delta: float = Field(default=0.001, ge=0.0)
    """Better means that held-out SSIM minus ink L1 rose by more than this."""
    keep_checkpoints: int = Field(default=2, ge=0)
    """Checkpoints of the last so many evaluations that are kept by step, beside the best and the latest."""
    tensorboard: bool = False
    """Write TensorBoard's event files into train/tensorboard too (pip install 'fontgen[tensorboard]')."""
    losses: LossSettings = LossSettings()
    balance: BalanceSettings = BalanceSettings()

    def decisive(self) -> dict[str, Any]:
        """The settings that a training's result depends on, JSON-able: all but what is only kept or shown."""
        shown: dict[str, Any] = {"keep_checkpoints": True, "tensorboard": True}
        # What such weights are counts, not where they lie: a recipe's folder may be moved.
        return self.model_dump(mode="json", exclude={**shown, "start_from": True, "losses": {"perceptual_weights"}})

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.label_shuffle_from is not None and self.balance.mode == "fixed" and self.balance.start == 0.0:
            raise ValueError("label_shuffle_from: only the discriminator judges shuffled styles; give it balance.start")
        if self.freeze_encoder and self.start_from is None:
            raise ValueError("freeze_encoder keeps the encoder of start_from; give start_from, or leave it out")
        if self.checkpoint_activations and self.compile != "off":
            raise ValueError(
                'checkpoint_activations needs compile = "off": compiled passes choose themselves what to keep'
            )
        return self

    def effective_batch(self, processes: int = 1) -> int:
        """Pairs of one step."""
        return self.batch_size * self.accumulate * processes

    def total_steps(self, num_pairs: int, processes: int = 1) -> int:
        """Steps of the whole run on `num_pairs` training pairs."""
        return self.steps or max(1, -(-self.epochs * num_pairs // self.effective_batch(processes)))
