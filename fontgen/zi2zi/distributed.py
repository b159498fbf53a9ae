"""Several processes, one a GPU, that train one network: DistributedDataParallel under torchrun."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Team:
    """This process's place among those that train together. Alone, every method leaves things as they are."""

    rank: int = 0
    size: int = 1

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module, its gradients averaged over the team by every backward pass (but in its `no_sync`)."""
        if self.size == 1:
            return module
        devices = [device.index] if device.type == "cuda" else None
        # Each process keeps its own buffers: those of BatchNorm are means anyway, those of spectral
        # normalisation follow from the weights.
        return DistributedDataParallel(
            module, device_ids=devices, broadcast_buffers=False, gradient_as_bucket_view=True
        )

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the team; not finite where one is not."""
        if self.size > 1:
            dist.all_reduce(values)
            values = values / self.size
        return values

    def share(self, total: int) -> slice:
        """This process's part of `total` items, which must be a multiple of the team's size."""
        part = total // self.size
        return slice(self.rank * part, (self.rank + 1) * part)


ALONE = Team()
