"""One update of the weights: the losses, the two optimizers, the running mean.

Shapes: B batch, H rows, W columns.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fontgen.zi2zi.balance import Balance
from fontgen.zi2zi.checkpoint import load_weights, optimizer_tensors, restore_optimizer
from fontgen.zi2zi.data import Batch
from fontgen.zi2zi.discriminator import Discriminator, Verdict
from fontgen.zi2zi.distributed import ALONE, Team
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.layout import lay_out
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.objective import Objective, Parts, noisy
from fontgen.zi2zi.passes import Drawing, Judging, compiled
from fontgen.zi2zi.precision import Precision
from fontgen.zi2zi.settings import TrainSettings

_BETAS = (0.5, 0.999)
"""Adam's, as in DCGAN, pix2pix and zi2zi."""


class Networks:
    """Generator, discriminator, their optimizers and the running mean of the generator."""

    def __init__(
        self,
        network: NetworkSettings,
        settings: TrainSettings,
        size_px: int,
        device: torch.device,
        team: Team = ALONE,
    ) -> None:
        self.settings = settings
        self.device = device
        self.team = team
        generator = Generator(network, size_px, checkpoint_activations=settings.checkpoint_activations)
        self.generator = generator.to(device)
        self.discriminator = Discriminator(network, size_px).to(device)
        if settings.channels_last:
            lay_out(self.generator, device)
            lay_out(self.discriminator, device)
        if settings.freeze_encoder:
            self.generator.freeze_encoder()
        self.mean = copy.deepcopy(self.generator).eval().requires_grad_(False)
        """The running mean of the generator's weights: the network that is evaluated and kept."""
        self.optimizer_g = torch.optim.Adam(
            [p for p in self.generator.parameters() if p.requires_grad],
            lr=settings.lr_generator,
            betas=_BETAS,
            fused=settings.fused,
        )
        self.optimizer_d = torch.optim.AdamW(
            self.discriminator.parameters(),
            lr=settings.lr_discriminator,
            betas=_BETAS,
            weight_decay=settings.weight_decay_discriminator,
            fused=settings.fused,
        )
        self.draw = team.wrap(compiled(Drawing(self.generator), settings.compile), device)
        self.judge = team.wrap(compiled(Judging(self.discriminator), settings.compile), device)
        self.precision = Precision(settings.precision, device)
        self.balance = Balance(settings.balance)
        self.objective = Objective(settings, self.balance, device)
        self.stop = False

    @property
    def _judges_once(self) -> bool:
        """Whether one verdict on the drawn images serves both networks.

        The discriminator's weights do not change between its losses and the generator's, so neither
        does its verdict. A compiled backward pass always computes every gradient, and only once.
        """
        return self.settings.compile == "off"

    def set_rates(self, rate_g: float, rate_d: float) -> None:
        self.optimizer_g.param_groups[0]["lr"] = rate_g
        self.optimizer_d.param_groups[0]["lr"] = rate_d

    def update(
        self, step: int, batches: Iterable[Batch], noise_std: float, *, stop: bool = False
    ) -> tuple[dict[str, float], bool]:
        """Make one step over `accumulate` batches: the losses (means over the batches) and whether it counted.

        A step whose losses or gradients are not finite leaves every weight and every buffer as it was.
        `stop` travels with the losses: `self.stop` says afterwards whether any process of the team wants
        to stop.
        """
        adversary = self.balance.deceives(step)
        with_d = self.balance.updates_discriminator(step)
        penalise = with_d and self.balance.penalises()
        shuffle_from = self.settings.label_shuffle_from
        shuffles = adversary and shuffle_from is not None and step >= shuffle_from
        self.optimizer_g.zero_grad(set_to_none=True)
        self.optimizer_d.zero_grad(set_to_none=True)
        buffers = [buffer for network in (self.generator, self.discriminator) for buffer in network.buffers()]
        before = [buffer.clone() for buffer in buffers]
        sums: dict[str, Tensor] = {}
        count = self.settings.accumulate
        for number, batch in enumerate(batches, 1):
            with self._gathering(number == count), self.precision.autocast():
                parts = self._losses(batch, adversary, with_d, penalise, shuffles, noise_std)
            for name, (value, _) in parts.items():
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + value.detach().float()
        self.precision.unscale(self.optimizer_g)
        if with_d:
            self.precision.unscale(self.optimizer_d)
        names = list(sums)
        # One transfer for all figures and both gradient norms: each would make the device wait.
        norm_g = self._gradient_norm(self.generator)
        norm_d = self._gradient_norm(self.discriminator) if with_d else torch.zeros((), device=self.device)
        wish = torch.full((), float(stop), device=self.device)
        figures_N = torch.stack([*(sums[name] / count for name in names), norm_g, norm_d, wish])
        *values, size_g, size_d, wishes = self.team.mean(figures_N).tolist()
        self.stop = wishes > 0.0
        figures = dict(zip(names, values, strict=True))
        figures["gradient"] = size_g
        self.precision.settle()
        if not all(_finite(value) for value in [*values, size_g, size_d]):
            self.optimizer_g.zero_grad(set_to_none=True)
            self.optimizer_d.zero_grad(set_to_none=True)
            # A forward pass moves BatchNorm's statistics and spectral norm's vectors.
            with torch.no_grad():
                for buffer, value in zip(buffers, before, strict=True):
                    buffer.copy_(value)
            return figures, False
        if self.settings.clip_gradient and size_g > self.settings.clip_gradient:
            gradients = [p.grad for p in self.generator.parameters() if p.grad is not None]
            torch._foreach_mul_(gradients, self.settings.clip_gradient / size_g)
        self.optimizer_g.step()
        if with_d:
            if not self.balance.names_styles:
                # A team gives every weight a gradient, be it 0, and weight decay would move the frozen head.
                self.discriminator.style.zero_grad(set_to_none=True)
            self.optimizer_d.step()
            self.balance.saw(figures["d_loss"])
        self._follow(step)
        return figures, True

    @contextmanager
    def _gathering(self, last: bool) -> Iterator[None]:
        """Gradients are averaged over the team once, with the last batch of a step."""
        with ExitStack() as stack:
            for module in (self.draw, self.judge):
                if isinstance(module, DistributedDataParallel) and not last:
                    stack.enter_context(module.no_sync())
            yield

    def _losses(
        self, batch: Batch, adversary: bool, with_d: bool, penalise: bool, shuffles: bool, noise_std: float
    ) -> Parts:
        """Losses and weights of both networks; their gradients are added to the networks'."""
        objective, discriminator = self.objective, self.discriminator
        source, target, style_index = batch
        fake, encoding, known = self.draw(source, style_index, target if objective.compares_encodings else None)
        seen_true, seen_fake = noisy(target, noise_std), noisy(fake, noise_std)
        if shuffles:
            # Other styles for the same glyphs: the encoding serves again, the truth is not at hand.
            others_B = style_index[torch.randperm(len(style_index)).to(style_index.device)]
            seen_other = noisy(self.generator.decoder(encoding, self.generator.embedding(others_B), source), noise_std)
        parts_d: Parts = {}
        true_verdict: Verdict | None = None
        fake_verdict: Verdict | None = None
        if with_d:
            discriminator.requires_grad_(True)
            shown = seen_fake if self._judges_once else seen_fake.detach()
            true_verdict, fake_verdict = self.judge(source, seen_true, shown)
            parts_d = objective.of_discriminator(batch, true_verdict, fake_verdict)
            if shuffles:
                other_verdict = discriminator(source, seen_other.detach())
                parts_d |= objective.of_discriminator_shuffled(others_B, true_verdict, other_verdict)
            if penalise:
                parts_d |= objective.of_slope(discriminator, batch)
            # Every output takes part, since DistributedDataParallel waits for every weight.
            self._backward(parts_d, discriminator, keep=self._judges_once, also=(true_verdict, fake_verdict))
            parts_d = {name: (value.detach(), weight) for name, (value, weight) in parts_d.items()}
            true_verdict = _detached(true_verdict)
        parts = objective.of_drawing(batch, fake, encoding, known)
        if adversary:
            if fake_verdict is None or not self._judges_once:
                # The generator's losses pass through the discriminator, which they leave alone.
                discriminator.requires_grad_(False)
                fake_verdict = discriminator(source, seen_fake)
            if true_verdict is None and objective.deceiving_needs_truth:
                true_verdict = discriminator(source, seen_true)
            parts |= objective.of_deceiving(batch, fake_verdict, true_verdict, self.balance.lambda_adv)
            if shuffles:
                other_verdict = discriminator(source, seen_other)
                lambda_adv = self.balance.lambda_adv
                parts |= objective.of_deceiving_shuffled(others_B, other_verdict, true_verdict, lambda_adv)
        self._backward(parts, self.generator)
        return parts_d | parts

    def _backward(self, parts: Parts, network: nn.Module, *, keep: bool = False, also: Iterable[Verdict] = ()) -> None:
        """Add the gradients of weighted losses to those of one network; `keep` the graph for another pass."""
        total = torch.stack([value.float() * weight for value, weight in parts.values()]).sum()
        if self.team.size > 1:
            total = total + sum(0.0 * (verdict.truth_B1.sum() + verdict.style_BS.sum()) for verdict in also)
        weights = [p for p in network.parameters() if p.requires_grad]
        loss = self.precision.scaled(total / self.settings.accumulate)
        torch.autograd.backward(loss, inputs=weights, retain_graph=keep)

    def _gradient_norm(self, network: nn.Module) -> Tensor:
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        if not gradients:
            return torch.zeros((), device=self.device)
        norms: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        return norms

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the running mean; its memory grows with the run, so that short runs profit as well."""
        decay = min(self.settings.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.mean.parameters()), list(self.generator.parameters()), 1.0 - decay)
        for mean, current in zip(self.mean.buffers(), self.generator.buffers(), strict=True):
            mean.copy_(current)

    def groups(self) -> dict[str, dict[str, Tensor]]:
        """Every tensor that training needs to go on, by name."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer_g": optimizer_tensors(self.optimizer_g),
            "optimizer_d": optimizer_tensors(self.optimizer_d),
        }

    def restore(self, groups: dict[str, dict[str, Tensor]], balance: dict[str, Any], path: Any) -> None:
        """Take over what `groups` and `balance.state` gave. Raises CheckpointError."""
        for name in ("generator", "discriminator", "mean"):
            load_weights(getattr(self, name), groups.get(name, {}), path)
        restore_optimizer(self.optimizer_g, groups.get("optimizer_g", {}))
        restore_optimizer(self.optimizer_d, groups.get("optimizer_d", {}))
        self.balance.restore(balance)


def learning_rates(settings: TrainSettings, step: int, total: int, epoch: int) -> tuple[float, float]:
    """Learning rates of generator and discriminator at a step."""
    if settings.lr_schedule == "cosine":
        factor = 0.5 * (1.0 + math.cos(math.pi * step / total))
        rates = settings.lr_generator * factor, settings.lr_discriminator * factor
    elif settings.lr_schedule == "epoch":
        factor = settings.lr_decay**epoch
        # A floor above the rate itself must not raise it.
        rates = (
            max(settings.lr_generator * factor, min(settings.lr_floor_generator, settings.lr_generator)),
            max(settings.lr_discriminator * factor, min(settings.lr_floor_discriminator, settings.lr_discriminator)),
        )
    else:
        rates = settings.lr_generator, settings.lr_discriminator
    rise = min(1.0, (step + 1) / settings.lr_warmup) if settings.lr_warmup else 1.0
    return rates[0] * rise, rates[1] * rise


def _finite(value: float) -> bool:
    return value - value == 0.0


def _detached(verdict: Verdict) -> Verdict:
    return Verdict(verdict.truth_B1.detach(), verdict.style_BS.detach(), [m.detach() for m in verdict.maps])
