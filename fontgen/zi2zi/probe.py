"""How long a training takes, from a few of its steps on random images."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from fontgen.zi2zi.balance import Balance
from fontgen.zi2zi.data import Batch
from fontgen.zi2zi.device import repeatable
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

_PROBE_SECONDS = 1.5
"""A probe step should take no longer than about this: its batch is chosen accordingly."""

_REPEATS = 2


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What the probe steps took."""

    batch_size: int
    """Pairs a forward pass in the probe steps; the recipe's, or fewer where the device is slow or small."""
    seconds_per_image: float
    """A mean over all steps of the run: with and without the adversary, the discriminator's update, R1."""
    peak_bytes: int | None
    """The most that the probe steps took, on CUDA; None elsewhere."""


class _Kind(NamedTuple):
    """Steps that cost the same."""

    step: int
    """One of them."""
    updates: int
    """The discriminator's updates before it."""


def time_steps(
    network: NetworkSettings,
    settings: TrainSettings,
    size_px: int,
    device: torch.device,
    *,
    steps: int,
    most_pairs: int | None = None,
) -> Timing:
    """Time each kind of step that a run of `steps` steps has, with the recipe's batch or a smaller one.

    At most `most_pairs` pairs go through at once. Evaluations and checkpoints are not part of it.
    """
    kinds = _kinds(settings, steps)
    limit = min(settings.batch_size, most_pairs or settings.batch_size)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with repeatable(device):
        torch.manual_seed(settings.seed)
        networks = Networks(network, settings.model_copy(update={"accumulate": 1}), size_px, device)
        networks.balance.begin_epoch(settings.balance.category_freeze_epochs)
        size = 1
        seconds = _mean_seconds(networks, kinds, size, size_px)
        larger = min(limit, max(1, int(_PROBE_SECONDS / max(seconds, 1e-6))))
        if device.type == "cuda":
            larger = limit
        if larger > size:
            size = larger
            seconds = _mean_seconds(networks, kinds, size, size_px)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Timing(batch_size=size, seconds_per_image=seconds / size, peak_bytes=peak)


def _kinds(settings: TrainSettings, steps: int) -> dict[_Kind, int]:
    """One of each kind of step, and how many the run has of it."""
    balance, updates = Balance(settings.balance), 0
    first: dict[tuple[bool, bool, bool], _Kind] = {}
    counts: Counter[_Kind] = Counter()
    for step in range(steps):
        balance.discriminator_updates = updates
        updating = balance.updates_discriminator(step)
        kind = first.setdefault(
            (balance.active(step), updating, updating and balance.penalises()), _Kind(step, updates)
        )
        counts[kind] += 1
        updates += updating
    return dict(counts)


def _mean_seconds(networks: Networks, kinds: dict[_Kind, int], size: int, size_px: int) -> float:
    """Seconds a step of one forward pass with `size` pairs: a mean over the run's kinds of steps."""
    total = 0.0
    warm = False
    for kind, count in kinds.items():
        best = float("inf")
        for _ in range(_REPEATS if warm else _REPEATS + 1):
            networks.balance.discriminator_updates = kind.updates
            seconds = _seconds(networks, kind.step, random_batches(1, size, size_px, networks.device))
            # The first step of all makes the optimizers' moments and chooses kernels.
            best = min(best, seconds) if warm else best
            warm = True
        total += best * count
    return total / sum(kinds.values())


def _seconds(networks: Networks, step: int, batches: Iterator[Batch]) -> float:
    _settle(networks.device)
    started = time.perf_counter()
    networks.update(step, batches, networks.settings.balance.instance_noise)
    _settle(networks.device)
    return time.perf_counter() - started


def random_batches(count: int, size: int, size_px: int, device: torch.device) -> Iterator[Batch]:
    """`count` batches of noise, made one by one as training reads its own."""
    for _ in range(count):
        source, target = (torch.rand(size, 1, size_px, size_px, device=device) * 2 - 1 for _ in range(2))
        yield Batch(source, target, torch.zeros(size, dtype=torch.long, device=device))


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
