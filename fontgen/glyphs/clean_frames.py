"""Samples in the candidates' own frames: what lies beside them, beyond their ends, and further along their axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.glyphs.clean_morphology import Ink8

Floats = NDArray[np.float64]

_REACH_PX = 40
"""How far along the normal the ink beside a gap is followed."""

_LINE_PX = 60
"""How far along its axis a gap is looked for beyond its ends."""


class _Spots:
    """Places relative to a candidate's centre, as `along` = a length + b scale and `across` = c width + d scale."""

    def __init__(self, shape: tuple[int, ...], a: Any, b: Any, c: Any, d: Any) -> None:
        self.shape = shape
        self.terms = np.stack([np.broadcast_to(np.asarray(term, np.float64), shape).ravel() for term in (a, b, c, d)])


class _Plan:
    """Groups of spots, one group an image, laid out so that all places are worked out at once."""

    def __init__(self, *groups: list[_Spots]) -> None:
        self.terms = np.concatenate([spots.terms for group in groups for spots in group], axis=1)
        self.groups: list[tuple[slice, list[tuple[slice, tuple[int, ...]]]]] = []
        begin = 0
        for group in groups:
            ends = np.cumsum([0, *(spots.terms.shape[1] for spots in group)]).tolist()
            parts = [(slice(i, j), spots.shape) for spots, i, j in zip(group, ends, ends[1:], strict=False)]
            self.groups.append((slice(begin, begin + ends[-1]), parts))
            begin += ends[-1]


class Frames:
    """The candidates' own frames: (k,) centres and sizes in image px, (k, 2) axes."""

    def __init__(self, row: Floats, col: Floats, axis: Floats, length: Floats, width: Floats, scale: float) -> None:
        self.row, self.col, self.axis, self.length, self.width, self.scale = row, col, axis, length, width, scale

    def pixels(self, shape: tuple[int, ...], terms: Floats) -> NDArray[np.intp]:
        """(k, m) indices into an image laid flat: the pixels nearest to m spots, of the border for those outside."""
        a, b, c, d = terms
        along = self.length[:, None] * a + b * self.scale
        across = self.width[:, None] * c + d * self.scale
        u_row, u_col = self.axis[:, :1], self.axis[:, 1:]
        rows = self.row[:, None] + along * u_row + across * u_col
        cols = self.col[:, None] + along * u_col - across * u_row
        for at, size in ((rows, shape[0]), (cols, shape[1])):
            np.rint(at, out=at)
            np.maximum(at, 0, out=at)  # np.clip costs more at these sizes
            np.minimum(at, size - 1, out=at)
        rows *= shape[1]
        rows += cols
        indices: NDArray[np.intp] = rows.astype(np.intp)
        return indices

    def sample(self, images: list[NDArray[Any]], plan: _Plan) -> list[NDArray[Any]]:
        """(k, *shape) values of the plan's groups of spots, in order, the first group's from the first image."""
        pixels = self.pixels(images[0].shape, plan.terms)
        values = []
        for image, (whole, parts) in zip(images, plan.groups, strict=True):
            taken = image.ravel().take(pixels[:, whole], mode="clip")
            values += [taken[:, part].reshape(-1, *shape) for part, shape in parts]
        return values

    def flanks(self, ink8: Ink8) -> Floats:
        """(k, 2) share of ink along both sides."""
        share: Floats = self.sample([ink8], _FLANKS)[0].mean(axis=2) / 255
        return share


_SIDES = np.array([1.0, -1.0])
_PLACES = np.array([-0.4, -0.2, 0.0, 0.2, 0.4])


def _beside(px: float) -> _Spots:
    """(2, 5) spots along both sides, so far beyond half the width."""
    return _Spots((2, 5), _PLACES, 0, _SIDES[:, None] / 2, _SIDES[:, None] * px)


def _beyond(first: int, stop: int, lateral: Any = 0.0, *, halves: Any = 0.0) -> _Spots:
    """(..., 2, stop - first) spots that go on from both ends, px by px, some halves of a width and px aside."""
    steps = _SIDES[:, None] * np.arange(first, stop)
    shape = np.broadcast_shapes(np.shape(lateral), np.shape(halves), steps.shape)
    return _Spots(shape, _SIDES[:, None] / 2, steps, np.asarray(halves) / 2, lateral)


_FLANKS = _Plan([_beside(1.5)])
"""Where the ink on either side is sound."""

_FAR = _beside(4.5)
_RUNS = _Spots(
    (2, 3, _REACH_PX),
    _PLACES[1:4, None],
    0,
    _SIDES[:, None, None] / 2,
    _SIDES[:, None, None] * (np.arange(_REACH_PX) + 1.5),
)
_ENDS, _AHEAD = _beyond(1, 4), _beyond(2, _LINE_PX)
_GRID = np.arange(-4, 5) * 1.25
_DISC = _Spots((2, 81), _SIDES[:, None] / 2, np.repeat(_GRID, 9), 0, np.tile(_GRID, 9))
_AHEAD_ABOUT = _beyond(2, _LINE_PX, np.array([-1.0, 0.0, 1.0])[:, None, None])
_CORE = _Spots((9, 3), np.linspace(-0.45, 0.45, 9)[:, None], 0, 0, np.array([-0.75, 0.0, 0.75]))
_ON = _beyond(2, 7)
_RAILS = _beyond(2, 7, 1.5 * _SIDES[:, None, None], halves=_SIDES[:, None, None])

_SHAPES = _Plan([_FAR, _RUNS, _ON, _RAILS], [_ENDS, _DISC, _AHEAD])
_SHAPES_AND_DIPS = _Plan([_FAR, _RUNS, _ON, _RAILS], [_ENDS, _DISC, _AHEAD], [_AHEAD_ABOUT, _CORE])


def surroundings(ink8: Ink8, closed: Ink8, dip: Ink8 | None, frames: Frames) -> list[Floats]:
    """What lies beside, beyond the ends, and further along the axis of every candidate."""
    plan, images = (_SHAPES, [ink8, closed]) if dip is None else (_SHAPES_AND_DIPS, [ink8, closed, dip])
    far, inked, on, rails, ends, disc, ahead, *dips = frames.sample(images, plan)
    far, ends, disc = (values.mean(axis=2) / 255 for values in (far, ends, disc))
    runs = np.sort(np.logical_and.accumulate(inked >= 128, axis=3).sum(axis=3), axis=2)[:, :, 1]
    grounds = ahead / 255
    line_ink = grounds.sum(axis=(1, 2))
    line_gap, core = np.zeros(len(line_ink)), np.zeros((len(line_ink), 1))
    if dips:
        line_gap = (dips[0].max(axis=1) / 255 * grounds).sum(axis=(1, 2)) / (line_ink + 3)
        core = dips[1].max(axis=2) / 255
    # a counter often lies along a stroke whose edge runs straight on beyond it; a hairline hardly ever does
    open_ = 1 - on.mean(axis=2) / 255
    rail = (rails.mean(axis=3) / 255 * open_[:, None]).min(axis=2)
    return [
        far.min(axis=1), runs.min(axis=1), runs.max(axis=1),
        ends.min(axis=1), ends.max(axis=1), disc.min(axis=1), disc.max(axis=1), line_ink / _LINE_PX, line_gap,
        core.mean(axis=1), core.min(axis=1), rail.min(axis=1), rail.max(axis=1),
    ]  # fmt: skip
