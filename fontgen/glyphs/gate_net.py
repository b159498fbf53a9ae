"""A small convolutional network that says where a source's ink has no ink beside it in the image, and the reverse.

It was taught on many pairs of typefaces (`benchmarks/gate_fit.py`), with parts erased, wiped away and put in, and so
knows how far strokes of two styles may lie apart; plain numpy evaluates it. What one font makes of its answers, the
gate learns from that font's own pairs.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]

LAYERS = ((5, 2, 1, 12), (3, 1, 1, 20), (3, 1, 2, 20), (3, 1, 3, 20), (1, 1, 1, 2))
"""(side of the kernel, stride, dilation, channels) of each layer; rectified but for the last."""

INPUTS = 2


def evidence(source: NDArray[np.floating], image: NDArray[np.floating]) -> Single:
    """(2, n / 2, n / 2) log odds that ink of the (n, n) source is gone there, that ink was put there.

    Both are mean ink, 0..1, on the same grid.
    """
    x: Single = np.stack([source, image], axis=2).astype(np.float32)
    *hidden, last = _weights()
    for (side, stride, dilation, _), (weight, bias) in zip(LAYERS[:-1], hidden, strict=True):
        x = np.maximum(_looks(x, side, stride, dilation) @ weight + bias, 0)
    weight, bias = last
    odds: Single = np.moveaxis(x @ weight + bias, 2, 0)
    return odds


def _looks(x: Single, side: int, stride: int, dilation: int) -> Single:
    """(rows, cols, channels) -> (rows / stride, cols / stride, side ** 2 * channels), beyond the border no ink."""
    rows, cols, channels = x.shape
    reach = dilation * (side // 2)
    padded = np.zeros((rows + 2 * reach, cols + 2 * reach, channels), np.float32)
    padded[reach : reach + rows, reach : reach + cols] = x
    looks = np.empty((rows // stride, cols // stride, side * side, channels), np.float32)
    for k in range(side * side):
        row, col = dilation * (k // side), dilation * (k % side)
        looks[:, :, k] = padded[row : row + rows : stride, col : col + cols : stride]
    return looks.reshape(rows // stride, cols // stride, -1)


LOCAL_NAMES = ("gone_max", "gone_top", "gone_sum", "put_max", "put_top", "put_sum")

_TOP = 6


def local_measures(odds: Single) -> NDArray[np.float64]:
    """(len(LOCAL_NAMES),) of what `evidence` returns."""
    values = []
    for plane in odds.reshape(2, -1).astype(np.float64):
        top = np.partition(plane, -_TOP)[-_TOP:]
        values += [top.max(), top.mean(), np.log(np.logaddexp(0, plane).sum() + 1e-3)]
    return np.array(values)


@lru_cache(maxsize=1)
def _weights() -> list[tuple[Single, Single]]:
    with resources.files("fontgen").joinpath("data/gate.npy").open("rb") as file:
        values: Single = np.load(file).astype(np.float32)
    parts, at, inputs = [], 0, INPUTS
    for side, _, _, outputs in LAYERS:
        size = side * side * inputs * outputs
        parts.append((values[at : at + size].reshape(-1, outputs), values[at + size : at + size + outputs]))
        at, inputs = at + size + outputs, outputs
    return parts
