"""Where the images of the pairs lie while a network trains on them. Shapes: N pairs, B batch, H rows, W columns."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fontgen.zi2zi.device import sent

Images = NDArray[np.uint8]

_IN_MEMORY_BYTES = 1 << 30
"""On a CPU, pairs up to this size are copied into memory; larger ones are read through their memory map."""
_GPU_SHARE = 0.25
"""Part of a GPU's free memory that the pairs may take: the networks are still to come."""


def fits(num_bytes: int, device: torch.device) -> bool:
    """Whether so many bytes of images should lie on the device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return num_bytes <= _GPU_SHARE * free
    return num_bytes <= _IN_MEMORY_BYTES


class Resident:
    """Both sides of all pairs on the device, as uint8."""

    def __init__(self, sides: tuple[Images, Images], device: torch.device) -> None:
        self.device = device
        # A copy: the arrays may be a memory map that must not be written to, and slow to read.
        self._sides = tuple(torch.from_numpy(np.array(side)).to(device) for side in sides)

    def take(self, indices: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Source and target (B, H, W) uint8 at these indices."""
        rows = sent(indices, self.device)
        source, target = (side.index_select(0, rows) for side in self._sides)
        return source, target

    def expect(self, indices: NDArray[np.intp]) -> None:
        """These will be taken next."""


class Streamed:
    """Both sides in the arrays they come from; the batch expected next is gathered and sent while a step runs.

    Two buffers take turns, pinned where the device is a GPU: one is sent while the other is filled.
    """

    def __init__(self, sides: tuple[Images, Images], device: torch.device) -> None:
        self.device = device
        self._sides = sides
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="pairs")
        self._expected: tuple[bytes, Future[tuple[Tensor, Tensor]]] | None = None
        self._buffers: list[tuple[Tensor, Tensor, torch.cuda.Event | None]] = []
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._turn = 0

    def take(self, indices: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Source and target (B, H, W) uint8 at these indices."""
        expected, self._expected = self._expected, None
        if expected is None or expected[0] != indices.tobytes():
            if expected is not None:
                expected[1].result()
            images = self._gather(indices)
        else:
            images = expected[1].result()
        if self._stream is not None:
            now = torch.cuda.current_stream(self.device)
            now.wait_stream(self._stream)
            for image in images:
                image.record_stream(now)
        return images

    def expect(self, indices: NDArray[np.intp]) -> None:
        """These will be taken next."""
        self._expected = indices.tobytes(), self._worker.submit(self._gather, indices)

    def _gather(self, indices: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        if self._stream is None:
            source, target = (torch.from_numpy(side[indices]) for side in self._sides)
            return source, target
        buffers, sent = self._buffer(len(indices))
        with torch.cuda.stream(self._stream):
            for side, buffer in zip(self._sides, buffers, strict=True):
                np.take(side, indices, axis=0, out=buffer.numpy(), mode="clip")
            source, target = (buffer.to(self.device, non_blocking=True) for buffer in buffers)
            sent.record(self._stream)
        return source, target

    def _buffer(self, count: int) -> tuple[tuple[Tensor, Tensor], torch.cuda.Event]:
        """The buffer whose turn it is, once what it held has been sent."""
        self._turn = 1 - self._turn
        while len(self._buffers) < 2:
            shape = (0, *self._sides[0].shape[1:])
            empty = torch.empty(shape, dtype=torch.uint8)
            self._buffers.append((empty, empty, None))
        source, target, sent = self._buffers[self._turn]
        if sent is not None:
            sent.synchronize()
        if len(source) < count:
            shape = (count, *self._sides[0].shape[1:])
            source, target = (torch.empty(shape, dtype=torch.uint8, pin_memory=True) for _ in range(2))
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._buffers[self._turn] = source, target, event
        return (source[:count], target[:count]), event
