"""Run by torchrun: one step of two processes on their halves of the first eight pairs; the gradients go to a file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tiny_pairs import SIZE_PX, bar_pairs

from fontgen.zi2zi.data import PairBatches
from fontgen.zi2zi.distributed import ALONE, Team, join, leave
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

NETWORK = NetworkSettings(ngf=8, ndf=4, max_channels=16, num_downs=3, embedding_num=2, embedding_dim=4, dropout=0.0)
CPU = torch.device("cpu")


def gradients(team: Team = ALONE) -> dict[str, torch.Tensor]:
    """The gradients of a step on eight augmented pairs, in two batches, shared out over the team."""
    settings = TrainSettings(
        batch_size=4 // team.size,
        accumulate=2,
        losses=LossSettings(category=1.0, feature_matching=1.0, constancy_kind="spatial"),
        balance=BalanceSettings(r1=1.0),
        augment_shift_em=0.02,
        augment_scale=0.03,
        augment_weight_em=0.02,
    )
    torch.manual_seed(0)
    networks = Networks(NETWORK, settings, SIZE_PX, CPU, team)
    batches = PairBatches(bar_pairs(), settings, CPU, team)
    rng = np.random.default_rng(0)
    _, counted = networks.update(0, [batches.next(rng) for _ in range(2)], 0.0)
    assert counted
    return {
        f"{name}.{weight}": parameter.grad.contiguous()
        for name in ("generator", "discriminator")
        for weight, parameter in getattr(networks, name).named_parameters()
        if parameter.grad is not None
    }


if __name__ == "__main__":
    found, _ = join("cpu")
    tensors = gradients(found)
    save_file(tensors, Path(sys.argv[1]) / f"{found.rank}.safetensors")
    leave()
