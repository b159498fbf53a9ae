"""A small network that says where ink is missing or does not belong, learned from a font's own pairs.

One mistake leaves most of a glyph right, so it shows in a neighbourhood and drowns in measures of the
whole. The network looks at the source's and the image's ink around each cell of the coarse grid and
is taught with parts erased from genuine images and parts of other glyphs put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.glyphs.gate_features import COARSE, Floats, Sketch

_REACH = 7
"""Cells seen on each side: 56 px at 256 px, so that a stroke is found where the style has moved it."""

_SIDE = 2 * _REACH + 1
_HIDDEN = 32
_EPOCHS = 10
_REFRESHER_EPOCHS = 4
"""Epochs of a judge that starts from another's weights: it catches what one taught from nothing does."""

_BATCH = 512
_RATE = 3e-3
_DECAY = 1e-3
_GENUINE_CELLS = 150
"""Cells drawn from each genuine image; a mistake gives all that it touches."""

_TOUCHED = 0.25
"""Share of ink lost or won from which a cell counts as touched."""

_TOP = 6

TAUGHT = ("erased", "added")
"""Kinds of mistake that change a part of the glyph and leave the rest."""

LOCAL_NAMES = ("gone_max", "gone_top", "gone_sum", "put_max", "put_top", "put_sum")

Single = NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """A made-up mistake: its kind, the pair it was made from, and the mistaken image."""

    kind: str
    pair: int
    image: Sketch


@dataclass(frozen=True)
class LocalJudge:
    """Weights of inputs -> hidden -> (gone, put)."""

    into: Single
    """(2 * _SIDE ** 2 + 1, _HIDDEN), the last row the bias."""
    out: Single
    """(_HIDDEN + 1, 2)."""

    def source_side(self, source: Sketch) -> Single:
        """(COARSE * COARSE, _HIDDEN): what the source adds to the hidden units, the same for all its images."""
        side: Single = _looks(source) @ self.into[: _SIDE**2] + self.into[-1]
        return side

    def log_odds(self, source_side: Single, image: Sketch) -> Single:
        """(2, COARSE, COARSE): that ink is gone here, that ink was put here."""
        hidden = np.maximum(_looks(image) @ self.into[_SIDE**2 : -1] + source_side, 0)
        odds: Single = (hidden @ self.out[:-1] + self.out[-1]).T.reshape(2, COARSE, COARSE)
        return odds

    def to_json(self) -> dict[str, Any]:
        return {"into": self.into.tolist(), "out": self.out.tolist()}

    @classmethod
    def blank(cls) -> LocalJudge:
        """A judge that sees nothing anywhere."""
        return cls(np.zeros((2 * _SIDE**2 + 1, 1), np.float32), np.zeros((2, 2), np.float32))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LocalJudge:
        return cls(np.array(data["into"], np.float32), np.array(data["out"], np.float32))


def local_measures(odds: Single) -> Floats:
    """(len(LOCAL_NAMES),) of the log odds of `LocalJudge.log_odds`."""
    values = []
    for plane in odds.reshape(2, -1).astype(np.float64):
        top = np.partition(plane, -_TOP)[-_TOP:]
        values += [top.max(), top.mean(), np.log(np.logaddexp(0, plane).sum() + 1e-3)]
    return np.array(values)


def _looks(sketch: Sketch, cells: NDArray[np.intp] | None = None) -> Single:
    """(COARSE * COARSE, _SIDE ** 2) neighbourhoods of every cell, or of some."""
    padded = np.pad(sketch.coarse.astype(np.float32), _REACH)
    views = np.lib.stride_tricks.sliding_window_view(padded, (_SIDE, _SIDE))
    if cells is not None:
        views = views[cells // COARSE, cells % COARSE]
    looks: Single = views.reshape(-1, _SIDE**2)
    return looks


def _hidden(looks: Single, into: Single) -> Single:
    hidden: Single = np.maximum(looks @ into[:-1] + into[-1], 0)
    return hidden


@dataclass(frozen=True)
class Lessons:
    """Looked at once, taught to several judges."""

    looks: Single
    """(m, 2 * _SIDE ** 2): neighbourhoods of a cell in the source and in the image."""
    truth: Single
    """(m, 2): 1 where ink is gone, where ink was put."""
    pair: NDArray[np.intp]
    """(m,): the genuine pair that a lesson comes from."""


def make_lessons(
    sources: Sequence[Sketch], targets: Sequence[Sketch], made: Sequence[Made], rng: np.random.Generator
) -> Lessons:
    """Cells of genuine pairs, and of parts erased from and put into them."""
    looks: list[Single] = []
    truth: list[Single] = []
    pairs: list[int] = []
    for pair, (source, target) in enumerate(zip(sources, targets, strict=True)):
        weight = (source.coarse + target.coarse).ravel() + 0.02
        cells = rng.choice(COARSE * COARSE, _GENUINE_CELLS, replace=False, p=weight / weight.sum())
        looks.append(np.concatenate([_looks(source, cells), _looks(target, cells)], axis=1))
        pairs.append(pair)
        truth.append(np.zeros((_GENUINE_CELLS, 2), np.float32))
    for mistake in made:
        if mistake.kind not in TAUGHT:
            continue
        change = (mistake.image.coarse - targets[mistake.pair].coarse).ravel()
        cells = np.flatnonzero(np.abs(change) > _TOUCHED)
        cells = cells if len(cells) <= _GENUINE_CELLS else rng.choice(cells, _GENUINE_CELLS, replace=False)
        if len(cells):
            looks.append(np.concatenate([_looks(sources[mistake.pair], cells), _looks(mistake.image, cells)], axis=1))
            pairs.append(mistake.pair)
            truth.append(np.column_stack([change[cells] < 0, change[cells] > 0]).astype(np.float32))
    return Lessons(np.concatenate(looks), np.concatenate(truth), np.repeat(pairs, [len(part) for part in truth]))


def fit_local(
    lessons: Lessons, chosen: NDArray[np.bool_], rng: np.random.Generator, start: LocalJudge | None = None
) -> LocalJudge:
    """Teach the network on what comes from the `chosen` pairs, (k,) bool, from nothing or from the weights of `start`.

    Logistic loss, Adam with decoupled decay and a rate that falls to zero.
    """
    mine = np.flatnonzero(chosen[lessons.pair])
    inputs = lessons.looks.shape[1]
    if start is None:
        into = (rng.normal(0, np.sqrt(2 / inputs), (inputs + 1, _HIDDEN))).astype(np.float32)
        out = (rng.normal(0, np.sqrt(1 / _HIDDEN), (_HIDDEN + 1, 2))).astype(np.float32)
        into[-1] = out[-1] = 0
    else:
        into, out = start.into.copy(), start.out.copy()
    epochs = _EPOCHS if start is None else _REFRESHER_EPOCHS
    weights = [into, out]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    steps = epochs * (len(mine) // _BATCH + 1)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(mine)
        for begin in range(0, len(mine), _BATCH):
            batch = order[begin : begin + _BATCH]
            x, y = lessons.looks[batch], lessons.truth[batch]
            hidden = _hidden(x, into)
            odds = hidden @ out[:-1] + out[-1]
            slope = (1 / (1 + np.exp(-np.clip(odds, -30, 30))) - y) / len(x)
            back = (slope @ out[:-1].T) * (hidden > 0)
            gradients = [
                np.concatenate([x.T @ back, back.sum(axis=0, keepdims=True)]),
                np.concatenate([hidden.T @ slope, slope.sum(axis=0, keepdims=True)]),
            ]
            step += 1
            rate = _RATE * min(1.0, step / 100) * (1 - step / (steps + 1))
            for w, g, m, v in zip(weights, gradients, first, second, strict=True):
                m += 0.1 * (g - m)
                v += 0.01 * (g * g - v)
                w -= rate * ((m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8) + _DECAY * w)
    return LocalJudge(into, out)
