"""Several processes, one a GPU, that train one network: DistributedDataParallel under torchrun.

torchrun starts the same command `size` times. The process of rank 0 leads: it alone runs the other
stages, writes, prints and locks. The others wait for its orders.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from fontgen.errors import RecipeError

_PATIENCE = timedelta(days=2)
"""Waiting is normal: pairs are drawn and held-out pairs judged by one process. A dead one breaks its connections."""
_LAST_WORDS_SECONDS = 3.0
"""So long the others wait for the words of the process that failed first."""
_DDP_OPTIONS = signature(DistributedDataParallel).parameters
"""The one for buffers has changed its name."""
_SIGNS_OF_LOSS = ("gloo", "nccl", "connection", "socket", "broken pipe", "peer")


@dataclass(frozen=True)
class Team:
    """This process's place among those that train together. Alone, every method leaves things as they are."""

    rank: int = 0
    size: int = 1
    store: Store | None = None
    device: torch.device | None = None

    @property
    def can_be_heard(self) -> bool:
        """Whether the leader notices at once that this process has gone. On GPUs it may hang in a kernel."""
        return self.device is None or self.device.type == "cpu"

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module, its gradients averaged over the team by every backward pass (but in its `no_sync`)."""
        if self.size == 1:
            return module
        devices = [device.index] if device.type == "cuda" else None
        # Each process keeps its own buffers: those of BatchNorm are means anyway, those of spectral
        # normalisation follow from the weights.
        synced = "forward_sync_buffers" if "forward_sync_buffers" in _DDP_OPTIONS else "broadcast_buffers"
        options: dict[str, Any] = {synced: False, "gradient_as_bucket_view": True}
        return DistributedDataParallel(module, device_ids=devices, **options)

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

    def told(self, value: Any) -> Any:
        """What the leader says; the others' `value` counts for nothing."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def gathered(self, value: Any) -> list[Any]:
        """Everyone's value, by rank."""
        if self.size == 1:
            return [value]
        boxes: list[Any] = [None] * self.size
        dist.all_gather_object(boxes, value)
        return boxes

    def is_loss(self, error: Exception) -> bool:
        """Whether an error says that another process has gone."""
        words = str(error).lower()
        return self.size > 1 and (isinstance(error, dist.DistError) or any(sign in words for sign in _SIGNS_OF_LOSS))

    def say_last_words(self, words: str) -> bool:
        """Leave the reason for the end to the others: whether this process is the first to give one."""
        if self.store is None or self.store.add("mourners", 1) != 1:
            return False
        self.store.set("last words", words)
        return True

    def last_words(self) -> str | None:
        """The reason that another process left, if there is one before long."""
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        while self.store is not None and time.monotonic() < deadline:
            if self.store.check(["last words"]):
                return str(self.store.get("last words").decode("utf-8"))
            time.sleep(0.05)
        return None


ALONE = Team()


def join(device: str) -> tuple[Team, torch.device]:
    """Meet the other processes that torchrun started. Returns the team and this process's device.

    Raises RecipeError where there are more processes than GPUs.
    """
    local, size = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ["WORLD_SIZE"])
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda and local >= torch.cuda.device_count():
        raise RecipeError(
            f"torchrun started {size} processes, but there are {torch.cuda.device_count()} GPUs; "
            f"choose --nproc-per-node {torch.cuda.device_count()}, or --device cpu"
        )
    where = torch.device("cuda", local) if cuda else torch.device("cpu")
    store, rank, size = next(rendezvous("env://", timeout=_PATIENCE))
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    store = PrefixStore("fontgen", store)
    if cuda:
        torch.cuda.set_device(where)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    return Team(rank, size, store, where), where


def leave() -> None:
    """Say goodbye, so that nobody waits."""
    if dist.is_initialized():
        dist.destroy_process_group()
