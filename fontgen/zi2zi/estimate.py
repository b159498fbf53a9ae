"""What a training will cost, measured on a few steps with made-up images."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from fontgen.zi2zi.data import Batch
from fontgen.zi2zi.device import repeatable
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

_PROBE_STEPS = 3
_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Parameters, memory and time of a training."""

    generator_parameters: int
    discriminator_parameters: int
    levels: list[tuple[int, int]]
    """(width in px, channels) of the generator's levels, outermost first."""
    weight_bytes: int
    """Weights, gradients, Adam's two moments, and the running mean of the generator."""
    activation_bytes: int
    """What one forward pass keeps for its backward pass; on CUDA the measured peak less the weights."""
    seconds_per_step: float


def estimate(network: NetworkSettings, settings: TrainSettings, size_px: int, device: torch.device) -> Estimate:
    """Build the networks and time a few full steps (generator and discriminator) on random images."""
    with repeatable(device):
        torch.manual_seed(settings.seed)
        networks = Networks(network, settings, size_px, device)
        batch = _batch(settings.batch_size, size_px, device)
        batches = [batch] * settings.accumulate
        step = settings.balance.d_start
        counted = _saved_bytes(networks, batch)
        networks.update(step, batches, 0.0)
        _settle(device)
        started = time.monotonic()
        for number in range(_PROBE_STEPS):
            networks.update(step + number, batches, 0.0)
        _settle(device)
        seconds = (time.monotonic() - started) / _PROBE_STEPS
        generator = sum(p.numel() for p in networks.generator.parameters())
        discriminator = sum(p.numel() for p in networks.discriminator.parameters())
        weights = _BYTES * (5 * generator + 4 * discriminator)
        if device.type == "cuda":
            counted = max(counted, torch.cuda.max_memory_allocated(device) - weights)
    channels = network.channels_for(size_px)
    return Estimate(
        generator_parameters=generator,
        discriminator_parameters=discriminator,
        levels=[(size_px >> level + 1, count) for level, count in enumerate(channels)],
        weight_bytes=weights,
        activation_bytes=counted,
        seconds_per_step=seconds,
    )


def _batch(size: int, size_px: int, device: torch.device) -> Batch:
    images = torch.rand(2, size, 1, size_px, size_px, device=device) * 2 - 1
    return Batch(images[0], images[1], torch.zeros(size, dtype=torch.long, device=device))


def _saved_bytes(networks: Networks, batch: Batch) -> int:
    """Bytes of the distinct tensors that the generator's forward pass keeps for its backward pass."""
    weights = {p.untyped_storage().data_ptr() for p in networks.generator.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        fake, _ = networks.generator.draw(batch.source_B1HW, batch.style_index_B)
    del fake
    return sum(kept.values())


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
