"""The reference mode: what published zi2zi trainers do, written here from their description and their sizes.

Per step every image is decoded from its PNG; the generator draws the batch, and draws the target once
more, whole, for the constancy loss; the discriminator judges the drawn images twice and the true ones
once; there are two backward passes; Adam runs in its plain form; losses are read one by one. All of it in
fp32, eager, in contiguous memory. Inference likewise draws each batch, and draws once more for the
encoding. Networks, sizes and losses are fontgen's defaults: what is compared is how they are run.
The behaviour is that of zi2zi-pytorch by max32002; none of its code is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from fontgen.zi2zi.checkpoint import load_weights, optimizer_tensors, restore_optimizer
from fontgen.zi2zi.discriminator import Discriminator
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.norms import InstanceNorm

LAMBDA_L1, LAMBDA_CONSTANCY, LAMBDA_ADVERSARIAL = 100.0, 15.0, 0.6


class PngPairs(Dataset[tuple[int, Tensor, Tensor]]):
    """Source and target side by side in one PNG each; decoded whenever one is asked for."""

    def __init__(self, pngs: Sequence[bytes]) -> None:
        self.pngs = pngs

    def __len__(self) -> int:
        return len(self.pngs)

    def __getitem__(self, index: int) -> tuple[int, Tensor, Tensor]:
        pixels = torch.from_numpy(np.asarray(Image.open(BytesIO(self.pngs[index])).convert("L")).copy())
        both = pixels.float().div(127.5).sub(1.0)[None]
        size_px = both.shape[1]
        return 0, both[:, :, :size_px].contiguous(), both[:, :, size_px:].contiguous()


def png_pairs(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> list[bytes]:
    """(N, size, size) uint8 ink as PNGs of both sides, dark on light."""
    pngs = []
    for sides in zip(source, target, strict=True):
        buffer = BytesIO()
        Image.fromarray(255 - np.concatenate(sides, 1)).save(buffer, "PNG")
        pngs.append(buffer.getvalue())
    return pngs


class PublishedTrainer:
    """One generator and one discriminator, run as published."""

    def __init__(self, network: NetworkSettings, size_px: int, device: torch.device) -> None:
        self.device = device
        self.generator = _with_torch_norms(Generator(network, size_px)).to(device)
        self.discriminator = _with_torch_norms(Discriminator(network, size_px)).to(device)
        plain = {"lr": 1e-3, "betas": (0.5, 0.999)}
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), **plain)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), **plain)

    def step(self, batch: Sequence[Tensor]) -> dict[str, float]:
        style, source, target = (tensor.to(self.device) for tensor in batch)
        fake, encoding = self.generator.draw(source, style)
        _, known = self.generator.draw(target, style)
        loss_l1 = functional.l1_loss(fake, target)
        loss_constancy = functional.l1_loss(encoding.deepest_BCHW, known.deepest_BCHW)
        named = functional.one_hot(style, self.generator.settings.embedding_num).float()
        bce = functional.binary_cross_entropy_with_logits

        self.discriminator.requires_grad_(True)
        self.optimizer_d.zero_grad(set_to_none=True)
        drawn, true = self.discriminator(source, fake.detach()), self.discriminator(source, target)
        d_truth = bce(true.truth_B1, torch.ones_like(true.truth_B1)) + bce(
            drawn.truth_B1, torch.zeros_like(drawn.truth_B1)
        )
        d_loss = 0.5 * (d_truth + bce(true.style_BS, named) + bce(drawn.style_BS, named))
        d_loss.backward()
        figures = {"d_loss": d_loss.item()}

        self.discriminator.requires_grad_(False)
        self.optimizer_g.zero_grad(set_to_none=True)
        verdict = self.discriminator(source, fake)
        adversarial = bce(verdict.truth_B1, torch.ones_like(verdict.truth_B1))
        g_loss = LAMBDA_ADVERSARIAL * adversarial + LAMBDA_L1 * loss_l1 + LAMBDA_CONSTANCY * loss_constancy
        (g_loss + bce(verdict.style_BS, named)).backward()
        self.optimizer_d.step()
        self.optimizer_g.step()
        return figures | {"constancy": loss_constancy.item(), "l1": loss_l1.item(), "adversarial": adversarial.item()}

    def groups(self) -> dict[str, dict[str, Tensor]]:
        """Every tensor that the training needs to go on, by name."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer_g": optimizer_tensors(self.optimizer_g),
            "optimizer_d": optimizer_tensors(self.optimizer_d),
        }

    def restore(self, groups: dict[str, dict[str, Tensor]], path: Path) -> None:
        """Take over what `groups` gave and `path` kept. Raises CheckpointError."""
        load_weights(self.generator, groups["generator"], path)
        load_weights(self.discriminator, groups["discriminator"], path)
        restore_optimizer(self.optimizer_g, groups["optimizer_g"])
        restore_optimizer(self.optimizer_d, groups["optimizer_d"])

    @torch.no_grad()
    def draw(self, batch: Sequence[Tensor]) -> NDArray[np.uint8]:
        """(B, size, size) uint8, dark on light: the images drawn from the sources of a batch."""
        style, source, target = (tensor.to(self.device) for tensor in batch)
        fake, _ = self.generator.draw(source, style)
        self.generator.draw(target, style)
        return ((fake[:, 0] + 1.0) * 127.5).round().to(torch.uint8).cpu().numpy()


def loader(pngs: Sequence[bytes], batch_size: int) -> DataLoader[tuple[int, Tensor, Tensor]]:
    return DataLoader(PngPairs(pngs), batch_size=batch_size, shuffle=True, drop_last=True)


def _with_torch_norms(network: Any) -> Any:
    """torch's instance norms in the place of those that keep the memory layout."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, InstanceNorm):
                setattr(module, name, nn.InstanceNorm2d(child.num_features))
    return network
