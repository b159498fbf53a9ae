"""Pairs of glyph images as batches. Shapes: B batch, H rows, W columns."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fontgen.canvas import Canvas
from fontgen.errors import TrainingError
from fontgen.zi2zi.settings import TrainSettings

_IN_MEMORY_BYTES = 1 << 30
"""Pairs up to this size are copied into memory; larger ones are read through their memory map."""


class Pairs(Protocol):
    """What training reads: n pairs of (size, size) uint8 images, ink = 255."""

    @property
    def canvas(self) -> Canvas: ...
    @property
    def source(self) -> NDArray[np.uint8]: ...
    @property
    def target(self) -> NDArray[np.uint8]: ...
    @property
    def codepoints(self) -> NDArray[np.int32]: ...
    @property
    def style_index(self) -> NDArray[np.integer]: ...
    @property
    def held_out(self) -> NDArray[np.bool_]: ...
    @property
    def styles(self) -> list[str]: ...
    @property
    def fingerprint(self) -> str: ...


class Batch(NamedTuple):
    """Images are (B, 1, H, W) float32 in -1..1, ink = -1."""

    source_B1HW: Tensor
    target_B1HW: Tensor
    style_index_B: Tensor


def to_network(ink8_B1HW: Tensor) -> Tensor:
    """uint8 ink (255 = ink) to the network's -1 (ink) .. +1 (background)."""
    return 1.0 - ink8_B1HW.float() * (2.0 / 255.0)


def to_ink(image_B1HW: Tensor) -> Tensor:
    """The network's -1 .. +1 to ink in 0..1."""
    return (0.5 - 0.5 * image_B1HW.float()).clamp_(0.0, 1.0)


def to_ink8(image_B1HW: Tensor) -> NDArray[np.uint8]:
    """The network's images as (B, H, W) uint8, ink = 255."""
    return (to_ink(image_B1HW)[:, 0] * 255.0).round_().to(torch.uint8).cpu().numpy()


class Sampler:
    """Every pair once an epoch, in an order that depends on the seed and the epoch alone."""

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed
        self.position = 0
        """Pairs drawn since the beginning: all there is to save."""
        self._order: tuple[int, NDArray[np.intp]] | None = None

    @property
    def epoch(self) -> int:
        return self.position // self.count

    def take(self, number: int) -> NDArray[np.intp]:
        """The next `number` indices, running on into the next epoch."""
        taken: list[NDArray[np.intp]] = []
        while number:
            start = self.position % self.count
            part = self._order_of(self.epoch)[start : start + number]
            taken.append(part)
            self.position += len(part)
            number -= len(part)
        return np.concatenate(taken)

    def _order_of(self, epoch: int) -> NDArray[np.intp]:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.count)
        return self._order[1]


class PairBatches:
    """Training batches, augmented, and the held-out pairs, as they are.

    Raises TrainingError when there is nothing to train on.
    """

    def __init__(self, pairs: Pairs, settings: TrainSettings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.canvas = pairs.canvas
        small = 2 * pairs.source.nbytes <= _IN_MEMORY_BYTES
        self._source = np.array(pairs.source) if small else pairs.source
        self._target = np.array(pairs.target) if small else pairs.target
        self.style_index = np.asarray(pairs.style_index).astype(np.int64)
        """Of all pairs."""
        held_out = np.asarray(pairs.held_out).astype(bool)
        self.training = np.flatnonzero(~held_out)
        self.held_out = np.flatnonzero(held_out)
        if not len(self.training):
            raise TrainingError("no pairs to train on: the fonts share no characters, or all are held out")
        self.sampler = Sampler(len(self.training), settings.seed)

    def pick(self, indices: NDArray[np.intp]) -> Batch:
        """The pairs at these indices, unchanged."""
        source, target = (
            to_network(torch.from_numpy(np.asarray(images[indices])).to(self.device))[:, None]
            for images in (self._source, self._target)
        )
        return Batch(source, target, torch.from_numpy(self.style_index[indices]).to(self.device))

    def next(self, rng: np.random.Generator) -> Batch:
        """The sampler's next batch, augmented by `rng`."""
        batch = self.pick(self.training[self.sampler.take(self.settings.batch_size)])
        if not (self.settings.augment_shift_em or self.settings.augment_scale):
            return batch
        both_B2HW = self._moved(torch.cat([batch.source_B1HW, batch.target_B1HW], 1), rng)
        return Batch(both_B2HW[:, :1], both_B2HW[:, 1:], batch.style_index_B)

    def _moved(self, both_B2HW: Tensor, rng: np.random.Generator) -> Tensor:
        """Source and target of each pair moved and scaled together, at sub-pixel accuracy.

        A mirrored or turned glyph would be another glyph; a shifted or scaled one is the same.
        """
        count, _, _, size_px = both_B2HW.shape
        # affine_grid measures in half canvases.
        reach = self.settings.augment_shift_em * self.canvas.px_per_em * 2.0 / size_px
        theta = np.zeros((count, 2, 3), np.float32)
        theta[:, 0, 0] = theta[:, 1, 1] = 1.0 + self.settings.augment_scale * rng.uniform(-1.0, 1.0, count)
        theta[:, :, 2] = reach * rng.uniform(-1.0, 1.0, (count, 2))
        grid = functional.affine_grid(
            torch.from_numpy(theta).to(both_B2HW.device), list(both_B2HW.shape), align_corners=False
        )
        # Outside the canvas grid_sample reads 0, so background has to be 0 meanwhile.
        return 1.0 + functional.grid_sample(both_B2HW - 1.0, grid, mode="bilinear", align_corners=False)
