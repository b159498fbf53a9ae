"""A training as published, and fontgen's with its optimizations one by one, on images that are made up.

The benchmarks of speed run these: `benchmarks/train.py` and `benchmarks/train_cuda.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from benchmarks.published import PublishedTrainer, loader, png_pairs
from fontgen.canvas import Canvas
from fontgen.parallel import usable_cores
from fontgen.zi2zi.checkpoint import save_generator
from fontgen.zi2zi.data import Batch, PairBatches
from fontgen.zi2zi.device import repeatable
from fontgen.zi2zi.generator import Encoding, Generator
from fontgen.zi2zi.header import CheckpointHeader
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.passes import Drawing
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

GLYPHS = 64


@dataclass(frozen=True)
class Options:
    """What of fontgen's training is switched on; the defaults are how it trains."""

    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = True
    data: Literal["png", "resident"] = "resident"
    """png: decoded for every batch, as published trainers do."""
    encoder_only: bool = True
    """The target goes through the encoder alone for the constancy loss, and not through the whole generator."""
    fused: bool = True
    compile: Literal["off", "inductor", "aot_eager"] = "off"


class Job(Protocol):
    """A training whose batches and steps are timed apart."""

    def next(self) -> Any:
        """The next batch."""

    def step(self, batch: Any) -> Any:
        """One update of the weights with it. A batch may serve again."""


class MadePairs:
    """Boxes as glyphs: speed does not depend on what is drawn."""

    def __init__(self, size_px: int) -> None:
        rng = np.random.default_rng(0)
        self.canvas = Canvas(size_px=size_px)
        self.source = np.zeros((GLYPHS, size_px, size_px), np.uint8)
        for image in self.source:
            for _ in range(12):
                row, column = rng.integers(0, size_px // 2, 2)
                image[row : row + size_px // 12, column : column + size_px // 3] = 255
        self.target = np.roll(self.source, 2, axis=2)
        self.codepoints = np.arange(0x4E00, 0x4E00 + GLYPHS, dtype=np.int32)
        self.style_index = np.zeros(GLYPHS, np.int32)
        self.held_out = np.zeros(GLYPHS, bool)
        self.styles = ["made"]
        self.fingerprint = "benchmark"


class PublishedJob:
    """The reference mode."""

    def __init__(self, network: NetworkSettings, batch_size: int, size_px: int, device: torch.device) -> None:
        pairs = MadePairs(size_px)
        self.device = device
        self.trainer = PublishedTrainer(network, size_px, device)
        self._batches = for_ever(loader(png_pairs(pairs.source, pairs.target), batch_size))

    def next(self) -> list[Tensor]:
        return [tensor.to(self.device) for tensor in next(self._batches)]

    def step(self, batch: list[Tensor]) -> dict[str, float]:
        return self.trainer.step(batch)


class OwnJob:
    """fontgen's training."""

    def __init__(
        self, network: NetworkSettings, options: Options, batch_size: int, size_px: int, device: torch.device
    ) -> None:
        pairs = MadePairs(size_px)
        settings = TrainSettings(
            batch_size=batch_size,
            precision=options.precision,
            channels_last=options.channels_last,
            fused=options.fused,
            compile=options.compile,
        )
        self.device = device
        self.networks = Networks(network, settings, size_px, device)
        if not options.encoder_only:
            self.networks.draw = _WholeDrawing(self.networks.generator)
        self._rng, self._steps = np.random.default_rng(0), iter(range(1 << 30))
        self._own = self._pngs = None
        if options.data == "png":
            self._pngs = for_ever(loader(png_pairs(pairs.source, pairs.target), batch_size))
        else:
            self._own = PairBatches(pairs, settings, device, mode="resident")

    def next(self) -> Batch:
        if self._own is not None:
            return self._own.next(self._rng)
        assert self._pngs is not None
        style, source, target = (tensor.to(self.device) for tensor in next(self._pngs))
        return Batch(source, target, style)

    def step(self, batch: Batch) -> dict[str, float]:
        return self.networks.update(next(self._steps), [batch], 0.0)[0]


class _WholeDrawing(Drawing):
    """The target is drawn from beginning to end too, and only its encoding used."""

    def forward(
        self, source_B1HW: Tensor, style_index_B: Tensor, target_B1HW: Tensor | None
    ) -> tuple[Tensor, Encoding, Tensor | None]:
        fake_B1HW, encoding = self.generator.draw(source_B1HW, style_index_B)
        known = None if target_B1HW is None else self.generator.draw(target_B1HW, style_index_B)[1].deepest_BCHW
        return fake_B1HW, encoding, known


def surroundings(options: Options | None, device: torch.device) -> AbstractContextManager[Any]:
    """The global settings of torch under which a job runs; the reference mode (None) has torch's own."""
    return nullcontext() if options is None else repeatable(device)


def fresh_checkpoint(size_px: int, ngf: int) -> Path:
    """A generator of fresh weights on disk, made where its memory is not measured."""
    path = Path(tempfile.gettempdir()) / f"fontgen-bench-{size_px}-{ngf}-{torch.__version__}.safetensors"
    if not path.exists():
        network, pairs = NetworkSettings(ngf=ngf, ndf=ngf), MadePairs(size_px)
        header = CheckpointHeader(network=network, canvas=pairs.canvas, styles=pairs.styles, step=0, pairs="benchmark")
        save_generator(path, Generator(network, size_px), header)
    return path


def for_ever(batches: Any) -> Iterator[Any]:
    while True:
        yield from batches


def machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{usable_cores()} cores, {torch.backends.cpu.get_cpu_capability()}"
