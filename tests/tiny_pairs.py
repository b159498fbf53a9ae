"""Pairs so small that a training on them takes a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas

SIZE_PX = 32


@dataclass
class TinyPairs:
    canvas: Canvas
    source: NDArray[np.uint8]
    target: NDArray[np.uint8]
    codepoints: NDArray[np.int32]
    style_index: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    styles: list[str]
    fingerprint: str = "tiny"


def bar_pairs() -> TinyPairs:
    """Ten bars (source) and the same bars two pixels thicker (target), two of them held out."""
    rng = np.random.default_rng(0)
    source = np.zeros((10, SIZE_PX, SIZE_PX), np.uint8)
    target = np.zeros_like(source)
    for index in range(10):
        row, column = rng.integers(6, 18, 2)
        source[index, row : row + 4, column : column + 8] = 255
        target[index, row - 1 : row + 5, column - 1 : column + 9] = 255
    return TinyPairs(
        canvas=Canvas(size_px=SIZE_PX),
        source=source,
        target=target,
        codepoints=np.arange(0x4E00, 0x4E0A, dtype=np.int32),
        style_index=np.array([0, 1] * 5, np.int32),
        held_out=np.arange(10) >= 8,
        styles=["thick", "thicker"],
    )
