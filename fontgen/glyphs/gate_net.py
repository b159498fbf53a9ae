"""A small convolutional network that says where a source's ink has no ink beside it in the image, and the reverse.

It was taught on many pairs of typefaces (`benchmarks/gate_fit.py`), with parts erased, wiped away and put in, and so
knows how far strokes of two styles may lie apart; plain numpy evaluates it. What one font makes of its answers, the
gate learns from that font's own pairs.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Single = NDArray[np.float32]

INPUTS = 2


class Layer(NamedTuple):
    """One convolution."""

    side: int
    """Of the kernel."""
    stride: int
    inputs: int
    outputs: int


LAYERS = {
    "first": Layer(5, 2, INPUTS, 16),
    "fine": Layer(3, 1, 16, 36),
    "down": Layer(3, 2, 36, 60),
    "middle": Layer(3, 1, 60, 60),
    "down_again": Layer(3, 2, 60, 96),
    "deep": Layer(3, 1, 96, 96),
    "deeper": Layer(3, 1, 96, 96),
    "up": Layer(1, 1, 96, 60),
    "middle_again": Layer(3, 1, 60, 60),
    "up_again": Layer(1, 1, 60, 36),
    "fine_again": Layer(3, 1, 36, 36),
    "cells": Layer(1, 1, 36, 2),
    "whole": Layer(1, 1, 2 * 96, 1),
}
"""A small U-Net: down to an eighth of the grid, where a cell sees 61 rows and columns of it, and back to half."""


class Means(Protocol):
    """What `answers` is computed with: numpy here, torch where the network is taught."""

    def layer(self, name: str, x: Any) -> Any:
        """A convolution, beyond the border no ink."""

    def rectified(self, x: Any) -> Any: ...

    def doubled(self, x: Any) -> Any:
        """Every cell of the two last axes twice in both directions."""

    def pooled(self, x: Any) -> Any:
        """Means, then largest values, of the two last axes, which are left with one cell."""


def answers(means: Means, looks: Any) -> tuple[Any, Any]:
    """(..., 2, n, n) source and image -> (..., 2, n / 2, n / 2) log odds, and (..., 1, 1, 1) of another character."""

    def step(name: str, x: Any) -> Any:
        return means.rectified(means.layer(name, x))

    fine = step("fine", step("first", looks))
    middle = step("middle", step("down", fine))
    deep = step("deep", step("down_again", middle))
    deep = means.rectified(deep + means.layer("deeper", deep))
    back = means.rectified(middle + means.doubled(means.layer("up", deep)))
    back = step("middle_again", back)
    back = means.rectified(fine + means.doubled(means.layer("up_again", back)))
    return means.layer("cells", step("fine_again", back)), means.layer("whole", means.pooled(deep))


class _Numpy:
    """Arrays are (channels, rows, cols), single precision."""

    def layer(self, name: str, x: Single) -> Single:
        side, stride, _, outputs = LAYERS[name]
        weight, bias = _weights()[name]
        if side == 3 and stride == 1:
            values = _convolved(x, weight)
        else:
            values = weight[0] @ (_looks(x, side, stride) if side > 1 else x.reshape(len(x), -1))
        values += bias
        return values.reshape(outputs, x.shape[1] // stride, -1)

    def rectified(self, x: Single) -> Single:
        return np.maximum(x, 0, out=x)

    def doubled(self, x: Single) -> Single:
        return x.repeat(2, axis=1).repeat(2, axis=2)

    def pooled(self, x: Single) -> Single:
        return np.concatenate([x.mean((1, 2)), x.max((1, 2))])[:, None, None]


class Evidence(NamedTuple):
    """What the network says of an image beside its source."""

    where: Single
    """(2, n / 2, n / 2) log odds that ink of the source is gone there, that ink was put there."""
    other: float
    """Log odds that it is another character."""


def evidence(source: NDArray[np.floating], image: NDArray[np.floating]) -> Evidence:
    """Both are (n, n) mean ink, 0..1, on the same grid; n a multiple of 8."""
    where, other = answers(_Numpy(), np.stack([source, image]).astype(np.float32))
    return Evidence(where, float(other[0, 0, 0]))


def _convolved(x: Single, weight: Single) -> Single:
    """(channels, n, n) and (3, outputs, 3 * channels) by row of the kernel -> (outputs, n * n).

    Three products, of which each reads the same columns from another row on: a third of the copying.
    """
    channels, n, _ = x.shape
    columns = np.zeros((3, channels, n + 2, n), np.float32)
    columns[0, :, 1:-1, 1:], columns[1, :, 1:-1], columns[2, :, 1:-1, :-1] = x[:, :, :-1], x, x[:, :, 1:]
    flat = columns.reshape(3 * channels, -1)
    values: Single = weight[0] @ flat[:, : n * n]
    for row in (1, 2):
        values += weight[row] @ flat[:, row * n : (row + n) * n]
    return values


def _looks(x: Single, side: int, stride: int) -> Single:
    """(channels, rows, cols) -> (channels * side ** 2, rows * cols / stride ** 2), beyond the border no ink."""
    channels, rows, cols = x.shape
    reach = side // 2
    padded = np.zeros((channels, rows + 2 * reach, cols + 2 * reach), np.float32)
    padded[:, reach : reach + rows, reach : reach + cols] = x
    plane, row, col = padded.strides
    looks = as_strided(
        padded,
        (channels, side, side, rows // stride, cols // stride),
        (plane, row, col, stride * row, stride * col),
    )
    return looks.reshape(channels * side * side, -1)


NET_NAMES = ("gone_max", "gone_top", "gone_sum", "put_max", "put_top", "put_sum", "other")

_TOP = 6


def net_measures(found: Evidence) -> NDArray[np.float64]:
    """(len(NET_NAMES),)."""
    values = []
    for plane in found.where.reshape(2, -1).astype(np.float64):
        top = np.partition(plane, -_TOP)[-_TOP:]
        values += [top.max(), top.mean(), np.log(np.logaddexp(0, plane).sum() + 1e-3)]
    return np.array([*values, found.other])


@lru_cache(maxsize=1)
def _weights() -> dict[str, tuple[Single, Single]]:
    with resources.files("fontgen").joinpath("data/gate.npy").open("rb") as file:
        return unpacked(np.load(file))


def unpacked(values: NDArray[np.floating]) -> dict[str, tuple[Single, Single]]:
    """Weights and (outputs, 1) of each layer from all of them, one after the other.

    Weights are (1, outputs, inputs * side ** 2), those that `_convolved` takes (3, outputs, 3 * inputs).
    """
    single: Single = values.astype(np.float32)
    found, at = {}, 0
    for name, (side, stride, inputs, outputs) in LAYERS.items():
        bias = at + side * side * inputs * outputs
        weight: Single = single[at:bias].reshape(outputs, inputs, side, side)
        if side == 3 and stride == 1:
            weight = weight.transpose(2, 0, 3, 1).reshape(3, outputs, 3 * inputs)
        else:
            weight = weight.reshape(1, outputs, -1)
        found[name] = np.ascontiguousarray(weight), single[bias : bias + outputs, None]
        at = bias + outputs
    return found
