"""How rough the edge is, and a calmer edge where it is rough.

A rendered glyph has an edge as smooth as its outline. What a network draws trembles: the points leave any
smooth curve by some hundredths of a pixel, and the strokes wobble several times as much. Everything that asks
"is this straight?" or "is this a corner?" has to ask less sharply there, over longer stretches.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fontgen.outlines.edge import Floats, Loops, resampled
from fontgen.outlines.windows import Windows, savitzky_golay

STEP_PX = 0.5
"""Distance of the points on a calm edge."""

_CALM_PX = 0.006  # the roughest perfect image: a round kana at 128 px
_STEP_PER_NOISE = 10.0
_LONGEST_STEP_PX = 0.8
_HALF_WIDE, _HALF_NARROW = 6, 4


def settle(loops: Loops) -> Windows:
    """Measure the roughness of each glyph; smooth a rough edge and give it points further apart.

    Roughness is the median distance of the points from parabolas through 13 of them.
    """
    windows = Windows(loops)
    away = np.abs(loops.points - windows.weighted(savitzky_golay(_HALF_WIDE)))
    first_loop = np.flatnonzero(np.diff(loops.glyph, prepend=-1))
    noise = [max(0.0, _median(part) - _CALM_PX) for part in np.split(away, loops.starts[first_loop[1:]])]
    noise_px = np.repeat(noise, np.diff(first_loop, append=loops.glyph.size))
    if not noise_px.any():
        return windows
    smooth = windows.weighted(savitzky_golay(_HALF_NARROW))
    step_px = np.minimum(_LONGEST_STEP_PX, STEP_PX + _STEP_PER_NOISE * noise_px)
    points, counts = [], []
    for first, end in pairwise(np.append(first_loop, loops.glyph.size).tolist()):
        starts = loops.starts[first : end + 1]
        part = slice(starts[0], starts[-1])
        if noise_px[first] == 0.0:  # calm glyphs of the batch keep their points
            points.append(loops.points[part])
            counts.append(np.diff(starts))
        else:
            again, restarts = resampled(smooth[part], starts - starts[0], step_px[first:end])
            points.append(again)
            counts.append(np.diff(restarts))
    new_starts = np.cumsum(np.concatenate([[0], *counts]))
    return Windows(Loops(np.concatenate(points), new_starts, loops.glyph, step_px, noise_px, loops.blur_px))


def _median(values: Floats) -> float:
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])
