"""The forward passes of a step as modules, which is what compilation and distribution take.

Shapes: B batch, H rows, W columns.
"""

from __future__ import annotations

from typing import Any

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
        fake_B1HW, encoding = self.generator.draw(source_B1HW, style_index_B)
        known = None if target_B1HW is None else self.generator.encoder(target_B1HW).deepest_BCHW
        return fake_B1HW, encoding, known


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
