"""The memory of a training, foretold by rehearsing its step on tensors without data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from fontgen.zi2zi import perceptual
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.probe import random_batches
from fontgen.zi2zi.rehearsal import rehearsing
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes that a training takes on its device."""

    generator_parameters: int
    """Number of the generator's parameters."""
    discriminator_parameters: int
    weights: int
    """Parameters and buffers of both networks."""
    mean: int
    """The running mean of the generator."""
    optimizers: int
    """What the optimizers remember of each parameter."""
    gradients: int
    peak: int
    """The most at any moment of a step, all of the above counted in."""
    levels: tuple[int, ...]
    """What one forward pass of the generator keeps for its backward pass, by level, outermost first: the
    level down and the level up together."""
    verdict: int
    """What one forward pass of the discriminator keeps."""

    @property
    def standing(self) -> int:
        """What stays from step to step."""
        return self.weights + self.mean + self.optimizers

    @property
    def working(self) -> int:
        """What comes and goes within a step, gradients left out."""
        return self.peak - self.standing - self.gradients


@lru_cache(maxsize=64)
def foretell(network: NetworkSettings, settings: TrainSettings, size_px: int, device: torch.device) -> Memory:
    """The memory of the dearest step of a training, without running it.

    That is the step with the adversary, the discriminator's update and R1, from the second forward pass of
    `accumulate` on, when gradients are there already. Temporary memory inside single operations is not
    counted: convolutions and normalisations take some for other layouts.
    Raises RecipeError for settings that do not go together.
    """
    # More forward passes than two take no more memory than two; a compiled step has no code of its own to run.
    settings = settings.model_copy(update={"accumulate": min(settings.accumulate, 2), "compile": "off"})
    with rehearsing() as counter, _unread():
        networks = Networks(network, settings, size_px, device)
        counter.peak = counter.now
        _make_moments(networks)
        # Of the epochs to come, one in which every part of the losses is at work.
        networks.balance.begin_epoch(settings.balance.category_freeze_epochs)
        batches = random_batches(settings.accumulate, settings.batch_size, size_px, device)
        networks.update(settings.balance.d_start, batches, settings.balance.instance_noise)
        peak = counter.peak
        groups = {name: _bytes(tensors.values()) for name, tensors in networks.groups().items()}
        both = networks.generator, networks.discriminator
        levels, verdict = _kept(networks, settings, size_px, device)
        return Memory(
            generator_parameters=sum(p.numel() for p in networks.generator.parameters()),
            discriminator_parameters=sum(p.numel() for p in networks.discriminator.parameters()),
            weights=groups["generator"] + groups["discriminator"],
            mean=groups["mean"],
            optimizers=groups["optimizer_g"] + groups["optimizer_d"],
            gradients=_bytes(p.grad for module in both for p in module.parameters() if p.grad is not None),
            peak=peak,
            levels=levels,
            verdict=verdict,
        )


def fitting_batch(
    network: NetworkSettings,
    settings: TrainSettings,
    size_px: int,
    limit_bytes: int,
    *,
    device: torch.device = CPU,
    below: int | None = None,
) -> tuple[int, int] | None:
    """The largest (batch_size, accumulate) of the same effective batch whose peak is at most `limit_bytes`.

    `below`: only batch sizes under this one, for when it ran out of memory. None when not even one pair fits.
    """
    effective = settings.batch_size * settings.accumulate
    most = effective if below is None else below - 1
    sizes = [size for size in range(1, most + 1) if effective % size == 0]
    low, high = 0, len(sizes)
    while low < high:
        middle = (low + high) // 2
        split = {"batch_size": sizes[middle], "accumulate": effective // sizes[middle]}
        if foretell(network, settings.model_copy(update=split), size_px, device).peak <= limit_bytes:
            low = middle + 1
        else:
            high = middle
    return (sizes[low - 1], effective // sizes[low - 1]) if low else None


@contextmanager
def _unread() -> Iterator[None]:
    """The perceptual loss gets its network, but reads no weights into it: here they have no values."""
    fill = perceptual._fill
    perceptual._fill = lambda features, path: None
    try:
        yield
    finally:
        perceptual._fill = fill


def _make_moments(networks: Networks) -> None:
    """The optimizers get their moments, which a training has from its second step on."""
    trained = [networks.optimizer_g] if networks.balance.off else [networks.optimizer_g, networks.optimizer_d]
    for optimizer in trained:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum({t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}.values())


def _kept(
    networks: Networks, settings: TrainSettings, size_px: int, device: torch.device
) -> tuple[tuple[int, ...], int]:
    """Bytes that a pass of the generator keeps, by level, and bytes that one of the discriminator keeps."""
    generator, discriminator = networks.generator, networks.discriminator
    own = {p.untyped_storage()._cdata for module in (generator, discriminator) for p in module.parameters()}
    kept: dict[int, dict[int, int]] = {}
    level = 0

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own and not any(storage._cdata in known for known in kept.values()):
            kept.setdefault(level, {})[storage._cdata] = storage.nbytes()
        return tensor

    def entering(number: int) -> Any:
        def enter(module: nn.Module, inputs: Any) -> None:
            nonlocal level
            level = number

        return enter

    handles = [
        module.register_forward_pre_hook(entering(number))
        for modules in (generator.downs, generator.ups)
        for number, module in enumerate(modules)
    ]
    handles.append(discriminator.register_forward_pre_hook(entering(-1)))
    try:
        with (
            torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"),
            torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        ):
            (batch,) = random_batches(1, settings.batch_size, size_px, device)
            fake, encoding = generator.draw(batch.source_B1HW, batch.style_index_B)
            verdict = discriminator(batch.source_B1HW, fake)
    finally:
        for handle in handles:
            handle.remove()
    del encoding, verdict
    levels = tuple(sum(kept.get(number, {}).values()) for number in range(len(generator.downs)))
    return levels, sum(kept.get(-1, {}).values())
