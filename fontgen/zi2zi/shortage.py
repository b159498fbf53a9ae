"""When memory runs out during training: one line that says what would fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from fontgen.errors import TrainingError
from fontgen.zi2zi.memory import fitting_batch
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.planning import gb, room_for_tensors
from fontgen.zi2zi.settings import TrainSettings

_OF_CPU = "DefaultCPUAllocator"
"""torch's allocator on a CPU raises RuntimeError, and names itself in its message."""


@contextmanager
def naming_what_fits(
    network: NetworkSettings, settings: TrainSettings, size_px: int, device: torch.device, state: Path
) -> Iterator[None]:
    """Turn a lack of memory into a TrainingError with the batch size and accumulation that would fit.

    `state` is the file from which training could go on; whether it is there is said too.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and _OF_CPU not in str(error):
            raise
        room, _ = room_for_tensors(device)
        most = room if room is not None else 2**63
        fit = fitting_batch(network, settings, size_px, most, device=device, below=settings.batch_size)
        raise TrainingError(_words(settings, device, fit, room, state)) from error


def _words(
    settings: TrainSettings, device: torch.device, fit: tuple[int, int] | None, room: int | None, state: Path
) -> str:
    there = f" ({gb(room)} for tensors)" if room is not None else ""
    what = f"out of memory on {device}{there} with batch_size {settings.batch_size}"
    if fit is None:
        remedy = "no smaller batch fits; `fontgen plan` names what takes less memory"
    else:
        effective = settings.batch_size * settings.accumulate
        remedy = (
            f"batch_size = {fit[0]} and accumulate = {fit[1]} in [train] would fit, {effective} pairs a step as before"
        )
    kept = "; the last checkpoint is kept, and the same command goes on from it" if state.exists() else ""
    return f"{what}; {remedy}{kept}"
