"""The forward passes of a step as modules, which is what compilation and distribution take.

Shapes: B batch, H rows, W columns.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fontgen.zi2zi.discriminator import Discriminator, Verdict
from fontgen.zi2zi.generator import Encoding, Generator


class Drawing(nn.Module):
    """The images of a batch, the encodings they were drawn from, and those of the target where it is given."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, source_B1HW: Tensor, style_index_B: Tensor, target_B1HW: Tensor | None
    ) -> tuple[Tensor, Encoding, Tensor | None]:
        generator = self.generator
        if target_B1HW is None:
            return *generator.draw(source_B1HW, style_index_B), None
        if generator.settings.norm == "batch" or generator.checkpoint_activations:
            # Statistics would be those of sources and targets together, or a level's maps take twice the memory.
            return *generator.draw(source_B1HW, style_index_B), generator.encoder(target_B1HW).deepest_BCHW
        # In one pass: the deepest weights outweigh their maps, and are read, and their gradients written, once.
        both, count = generator.encoder(torch.cat([source_B1HW, target_B1HW])), len(source_B1HW)
        encoding = Encoding([skip[:count] for skip in both.skips], both.deepest_BCHW[:count])
        fake_B1HW = generator.decoder(encoding, generator.embedding(style_index_B), source_B1HW)
        return fake_B1HW, encoding, both.deepest_BCHW[count:]


class Judging(nn.Module):
    """What the discriminator says of the true images and of the drawn ones."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, source_B1HW: Tensor, true_B1HW: Tensor, fake_B1HW: Tensor) -> tuple[Verdict, Verdict]:
        return self.discriminator(source_B1HW, true_B1HW), self.discriminator(source_B1HW, fake_B1HW)


def compiled(module: nn.Module, backend: str) -> nn.Module:
    """The module, compiled in place unless `backend` is off: its weights and their names stay what they are."""
    if backend != "off":
        options: dict[str, Any] = {"backend": backend, "dynamic": False}
        module.compile(**options)
    return module
