"""A small convolutional network that says where a source's ink has no ink beside it in the image, and the reverse.

It was taught on many pairs of typefaces (`benchmarks/gate_fit.py`), with parts erased, wiped away and put in, and so
knows how far strokes of two styles may lie apart; plain numpy evaluates it. What one font makes of its answers, the
gate learns from that font's own pairs.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Single = NDArray[np.float32]

LAYERS = ((5, 2, 1, 12), (3, 1, 1, 20), (3, 1, 2, 20), (3, 1, 3, 20), (1, 1, 1, 2))
"""(side of the kernel, stride, dilation, channels) of each layer; rectified but for the last."""

INPUTS = 2


def evidence(source: NDArray[np.floating], image: NDArray[np.floating]) -> Single:
    """(2, n / 2, n / 2) log odds that ink of the (n, n) source is gone there, that ink was put there.

    Both are mean ink, 0..1, on the same grid.
    """
    x: Single = np.stack([source, image]).astype(np.float32)
    *hidden, last = _weights()
    for (side, stride, dilation, _), (weight, bias) in zip(LAYERS[:-1], hidden, strict=True):
        rows, cols = x.shape[1] // stride, x.shape[2] // stride
        x = np.maximum(weight @ _looks(x, side, stride, dilation) + bias, 0).reshape(-1, rows, cols)
    weight, bias = last
    odds: Single = (weight @ x.reshape(len(x), -1) + bias).reshape(-1, *x.shape[1:])
    return odds


def _looks(x: Single, side: int, stride: int, dilation: int) -> Single:
    """(channels, rows, cols) -> (channels * side ** 2, rows * cols / stride ** 2), beyond the border no ink."""
    channels, rows, cols = x.shape
    reach = dilation * (side // 2)
    padded = np.zeros((channels, rows + 2 * reach, cols + 2 * reach), np.float32)
    padded[:, reach : reach + rows, reach : reach + cols] = x
    plane, row, col = padded.strides
    looks = as_strided(
        padded,
        (channels, side, side, rows // stride, cols // stride),
        (plane, dilation * row, dilation * col, stride * row, stride * col),
    )
    return looks.reshape(channels * side * side, -1)


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
        # stored by place, then channel of input, then channel of output
        weight = values[at : at + size].reshape(side * side, inputs, outputs).transpose(2, 1, 0).reshape(outputs, -1)
        parts.append((np.ascontiguousarray(weight), values[at + size : at + size + outputs, None]))
        at, inputs = at + size + outputs, outputs
    return parts
