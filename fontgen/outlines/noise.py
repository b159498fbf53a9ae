"""How rough the edge is, and a calmer edge where it is rough.

A rendered glyph has an edge as smooth as its outline. What a network draws trembles: the points leave any
smooth curve by some hundredths of a pixel, and the strokes wobble several times as much. Everything that asks
"is this straight?" or "is this a corner?" has to ask less sharply there, over longer stretches.
"""

from __future__ import annotations

import numpy as np

from fontgen.outlines.edge import Loops, resampled
from fontgen.outlines.windows import Windows, savitzky_golay

STEP_PX = 0.5
"""Distance of the points on a calm edge."""

_CALM_PX = 0.006  # the roughest perfect image: a round kana at 128 px
_STEP_PER_NOISE = 10.0
_LONGEST_STEP_PX = 0.8
_HALF_WIDE, _HALF_NARROW = 6, 4


def settle(loops: Loops) -> Windows:
    """Measure the roughness; smooth a rough edge and give it points further apart.

    Roughness is the median distance of the points from parabolas through 13 of them.
    """
    windows = Windows(loops)
    (smoother,) = windows.weighted(savitzky_golay(_HALF_WIDE))
    noise_px = max(0.0, float(np.median(np.abs(loops.points - smoother))) - _CALM_PX)
    if noise_px == 0.0:
        return windows
    (smooth,) = windows.weighted(savitzky_golay(_HALF_NARROW))
    step_px = min(_LONGEST_STEP_PX, STEP_PX + _STEP_PER_NOISE * noise_px)
    parts = np.split(smooth, loops.starts[1:-1])
    return Windows(resampled(parts, step_px=step_px, noise_px=noise_px, blur_px=loops.blur_px))
