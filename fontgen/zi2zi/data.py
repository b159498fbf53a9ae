"""Pairs of glyph images as batches. Shapes: B batch, H rows, W columns."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fontgen.canvas import Canvas
from fontgen.errors import TrainingError
from fontgen.zi2zi.augment import Augmentation
from fontgen.zi2zi.device import sent
from fontgen.zi2zi.distributed import ALONE, Team
from fontgen.zi2zi.image_store import Resident, Streamed, fits
from fontgen.zi2zi.settings import TrainSettings


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


def to_ink8(image_B1HW: Tensor) -> Tensor:
    """The network's images as (B, H, W) uint8, ink = 255, where they are."""
    return (to_ink(image_B1HW)[:, 0] * 255.0).round_().to(torch.uint8)


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
        taken = self.coming(number)
        self.position += number
        return taken

    def coming(self, number: int) -> NDArray[np.intp]:
        """What `take` would give."""
        taken: list[NDArray[np.intp]] = []
        position, end = self.position, self.position + number
        while position < end:
            epoch, start = divmod(position, self.count)
            part = self._order_of(epoch)[start : start + end - position]
            taken.append(part)
            position += len(part)
        return np.concatenate(taken)

    def _order_of(self, epoch: int) -> NDArray[np.intp]:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.count)
        return self._order[1]


class PairBatches:
    """Training batches, augmented, and the held-out pairs, as they are.

    `mode` is where the images lie meanwhile: `resident` on the device, `streamed` in the arrays they
    come from, the next batch on its way while a step runs; by default resident when they fit. Both give
    the same batches. Raises TrainingError when there is nothing to train on.
    """

    def __init__(
        self,
        pairs: Pairs,
        settings: TrainSettings,
        device: torch.device,
        team: Team = ALONE,
        mode: Literal["resident", "streamed"] | None = None,
    ) -> None:
        self.settings = settings
        self.device = device
        self.team = team
        self.canvas = pairs.canvas
        self.augmentation = Augmentation(settings, pairs.canvas)
        self.style_index = np.asarray(pairs.style_index).astype(np.int64)
        """Of all pairs."""
        held_out = np.asarray(pairs.held_out).astype(bool)
        self.training = np.flatnonzero(~held_out)
        self.held_out = np.flatnonzero(held_out)
        if not len(self.training):
            raise TrainingError("no pairs to train on: the fonts share no characters, or all are held out")
        self.sampler = Sampler(len(self.training), settings.seed)
        self.mode = mode or ("resident" if fits(2 * pairs.source.nbytes, device) else "streamed")
        store = Resident if self.mode == "resident" else Streamed
        self._images = store((pairs.source, pairs.target), device)

    def pick(self, indices: NDArray[np.intp]) -> Batch:
        """The pairs at these indices, unchanged."""
        return self._batch(indices, self._images.take(indices))

    def next(self, rng: np.random.Generator) -> Batch:
        """This process's part of the sampler's next batch, augmented by `rng`."""
        total = self.settings.batch_size * self.team.size
        share = self.team.share(total)
        indices = self.training[self.sampler.take(total)][share]
        images = self._images.take(indices)
        self._images.expect(self.training[self.sampler.coming(total)][share])
        batch = self._batch(indices, images)
        settings = self.settings
        if not (settings.augment_shift_em or settings.augment_scale or settings.augment_weight_em):
            return batch
        both_B2HW = torch.cat([batch.source_B1HW, batch.target_B1HW], 1)
        both_B2HW = self.augmentation(both_B2HW, rng, share, total)
        return Batch(both_B2HW[:, :1], both_B2HW[:, 1:], batch.style_index_B)

    def _batch(self, indices: NDArray[np.intp], images: tuple[Tensor, Tensor]) -> Batch:
        source, target = (to_network(image)[:, None] for image in images)
        return Batch(source, target, sent(self.style_index[indices], self.device))
