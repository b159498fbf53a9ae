"""Strokes cut in two, and links between strokes: what the source glyph has otherwise is found, judged and undone.

A link is a cut of the ground: where ink and ground change places, it is a gap in what was white. Candidates of both
kinds are what a closing along a short line fills, in four directions apart, so that a cut does not run together with
the counters beside it nor a link with the strokes that it joins.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fontgen.glyphs.clean_fill import FLANK_PX, REACH_PX, carry_across
from fontgen.glyphs.clean_frames import Frames
from fontgen.glyphs.clean_gaps import MIN_DEPTH, Gaps, measure, source_evidence
from fontgen.glyphs.clean_morphology import Ink8, Mask, label, stretches, stroke_width_px, topology
from fontgen.glyphs.clean_weights import Network, log_odds

LinkKind = Literal["cut", "bridge"]

_STEPS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, sqrt(2)), (1, -1, sqrt(2)))
"""(rows, cols, px) of one step along each line."""

_FULL = 1.5
"""Times the longest by the widest rectangle: an area that no slanted cut or link reaches."""

_FLANK = 0.5
"""Least share of ink along either side: a stroke goes on beyond a cut, the ground on beside a link."""

CUT_PX, LINK_PX = 10.0, 4.5
"""Widest cut and thickest link (px at 256 px)."""

_LONGEST_LINK_PX = 24.0
"""Px at 256 px; a thin line longer than that is a stroke."""

_LONGEST_CUT = 2.0
"""Times the stroke width; a gap longer than that lies between two strokes."""

_WORTH_A_LOOK = {"cut": -3.0, "bridge": -1.0}
"""Local log odds below which a candidate is none whatever the source says (1 in 250 of those that pass lies below)."""

_CRUMB_PX, _FAINT = 16.0, 8
"""Area (px at 256 px) up to which a bridge's rest is a crumb, and the ink that counts."""

_ASKED = {"cut": 5.2, "bridge": 3.0}
"""Log odds asked at boldness 0.5; at 0 they are 2 more, at 1 they are 2 less."""

_SAME_PLACE = 0.6
"""Share of a candidate that one in another direction holds when both are the same defect."""

_SAME_SIZE = 4.0
"""Times as many pixels as the best candidate has; more than that is a counter beside it."""

_ELONGATED = 2.0
"""Ratio of variances from which a gap has an axis of its own."""

Topology = tuple[int, int]


def mend_links(
    ink8: Ink8, reference8: Ink8, kinds: list[LinkKind], boldness: float, scale: float
) -> tuple[Ink8, list[tuple[LinkKind, Mask, float]]]:
    """Join cut strokes and take bridges away in (rows, cols) uint8 ink, where that is what the source says.

    Cuts are looked for where components less holes are more than the source's, bridges where they are fewer, and a
    repair is kept only when the counts come nearer to the source's. Returns the ink and, per repair, its kind, the
    pixels changed and the confidence.
    """
    # a cut adds a component or takes a hole away, a bridge the reverse
    excess = stretches(ink8 >= 128).euler - stretches(reference8 >= 128).euler
    kind: LinkKind = "cut" if excess > 0 else "bridge"
    if not excess or kind not in kinds:
        return ink8, []
    stroke_px = stroke_width_px(ink8 >= 128)
    if kind == "cut":
        gaps, ground, source = find_cuts(ink8, stroke_px, scale), ink8, reference8
    else:
        gaps, ground, source = find_links(ink8, stroke_px, scale), 255 - ink8, 255 - reference8
    likely = _likely(gaps, source, kind, _ASKED[kind] + 2 - 4 * boldness)
    if not likely:
        return ink8, []
    wanted, now = topology(reference8 >= 128), topology(ink8 >= 128)
    repairs: list[tuple[LinkKind, Mask, float]] = []
    for there, odds in likely:
        filled = _fill(ground, gaps, there)
        reached = topology((filled if kind == "cut" else 255 - filled) >= 128)
        if _distance(reached, wanted) < _distance(now, wanted):
            repairs.append((kind, filled != ground, float(1 / (1 + np.exp(-odds)))))
            ground, now = filled, reached
    return ground if kind == "cut" else _without_crumbs(ink8, 255 - ground, scale), repairs


def _fill(ink8: Ink8, gaps: Gaps, there: NDArray[np.intp]) -> Ink8:
    """The ink with the strokes' edges carried across what all of some candidates, at one place, lack."""
    mine = np.isin(gaps.members, there)
    lacking = np.zeros(ink8.shape)
    np.maximum.at(lacking, (gaps.rows[mine], gaps.cols[mine]), gaps.dips[mine])
    points = np.argwhere(lacking).astype(np.float64)
    weight = lacking[lacking > 0]
    row, col = weight @ points / weight.sum()
    spread = np.cov(points.T, aweights=weight) if len(points) > 1 else 0  # one pixel has the extent of a pixel
    across, along = np.linalg.eigh(spread + np.eye(2) / 12)
    u_row, u_col = along[:, 1]
    if across[1] < _ELONGATED * across[0]:  # as long as wide: its own axis says nothing
        u_row, u_col = gaps.axis[there[0]]
    places = (points[:, 0] - row) * u_row + (points[:, 1] - col) * u_col
    length = float(np.sqrt(12 * (weight @ places**2) / weight.sum() + 1))
    half = weight.sum() / length / 2 + FLANK_PX * gaps.scale
    out, _ = carry_across(ink8, (row, col, u_row, u_col), length, half, REACH_PX * gaps.scale)
    filled: Ink8 = np.maximum(out, np.rint(ink8 + 255 * lacking)).astype(np.uint8)
    return filled


def _without_crumbs(before8: Ink8, after8: Ink8, scale: float) -> Ink8:
    """The ink with what is left loose of bridges that were taken away taken away too."""
    changed = np.flatnonzero((before8 != after8).any(axis=1)), np.flatnonzero((before8 != after8).any(axis=0))
    if not len(changed[0]):
        return after8
    reach = max(2, round(2 * scale))
    rows, cols = (slice(max(int(side[0]) - reach, 0), int(side[-1]) + reach + 1) for side in changed)
    part = after8[rows, cols].copy()
    flat, members, count = label(part >= _FAINT)
    small = np.bincount(members, minlength=count) <= _CRUMB_PX * scale**2
    row, col = np.divmod(flat, part.shape[1])
    inside = (row > 0) & (row < part.shape[0] - 1) & (col > 0) & (col < part.shape[1] - 1)
    small[members[~inside]] = False  # it may go on outside
    part.ravel()[flat[small[members]]] = 0
    out = after8.copy()
    out[rows, cols] = part
    return out


def _likely(gaps: Gaps, source8: Ink8, kind: LinkKind, asked: float) -> list[tuple[NDArray[np.intp], float]]:
    """Candidates whose log odds pass, those at one place together, the one that fills most first; with the odds."""
    networks: tuple[Network, Network] = ("cut", "cut guided") if kind == "cut" else ("link", "link guided")
    looked = np.flatnonzero(log_odds(gaps.measures, networks[0]) > _WORTH_A_LOOK[kind])
    if not len(looked):
        return []
    evidence, known = source_evidence(gaps, looked, source8)
    odds = log_odds(np.column_stack([gaps.measures[looked], evidence]), networks[1])
    odds[known] = -np.inf
    place = gaps.rows * source8.shape[1] + gaps.cols
    mass, size = np.bincount(gaps.members, gaps.dips, len(gaps)), np.bincount(gaps.members, minlength=len(gaps))
    found = []
    for i in np.argsort(-odds, kind="stable"):
        if odds[i] <= asked:
            break
        # a line slantwise to the stroke fills the middle only: what other lines fill of this place goes with it
        mine = place[gaps.members == looked[i]]
        shared = np.bincount(gaps.members, np.isin(place, mine), len(gaps))
        same = np.flatnonzero((shared >= _SAME_PLACE * len(mine)) & (size <= _SAME_SIZE * len(mine)))
        found.append((same[np.argsort(-mass[same], kind="stable")], float(odds[i])))
    return found


def _distance(a: Topology, b: Topology) -> int:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def find_cuts(ink8: Ink8, stroke_px: float, scale: float) -> Gaps:
    """White gaps up to 10 px wide (at 256 px) and about a stroke long, in (rows, cols) uint8 ink."""
    return _find(ink8, CUT_PX * scale, _LONGEST_CUT * stroke_px + 4 * scale, stroke_px, scale)


def find_links(ink8: Ink8, stroke_px: float, scale: float) -> Gaps:
    """Ink up to 4.5 px thick (at 256 px) between white: gaps in the ground (255 - ink) of (rows, cols) uint8 ink."""
    return _find(255 - ink8, LINK_PX * scale, _LONGEST_LINK_PX * scale, stroke_px, scale)


def _find(ink8: Ink8, width_px: float, longest_px: float, stroke_px: float, scale: float) -> Gaps:
    height, wide = ink8.shape
    dip = np.zeros((len(_STEPS), height + 1, wide), np.uint8)  # one below the other, a row of ground between
    for layer, (down, right, px) in zip(dip, _STEPS, strict=True):
        layer[:height] = _closed_along(ink8, down, right, ceil(width_px / px)) - ink8
    flat, members, count = label((dip > MIN_DEPTH).reshape(-1, wide))
    size = np.bincount(members, minlength=count)
    fits = (size >= 3 * scale**2) & (size <= _FULL * longest_px * width_px)
    flat, members, count = flat[fits[members]], (np.cumsum(fits) - 1)[members[fits[members]]], int(fits.sum())
    weight = dip.ravel()[flat] / 255.0
    rows, cols = np.divmod(flat, wide)
    plane, rows = np.divmod(rows, height + 1)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(members, values, count).astype(np.float64)

    mass = np.maximum(total(weight), 1e-6)
    row, col = total(weight * rows) / mass, total(weight * cols) / mass
    normal = np.array([[r / px, c / px] for r, c, px in _STEPS])
    direction = np.zeros(count, np.intp)
    direction[members] = plane
    axis = np.column_stack([normal[direction, 1], -normal[direction, 0]])
    d_row, d_col = rows - row[members], cols - col[members]
    along = d_row * axis[members, 0] + d_col * axis[members, 1]
    across = d_row * normal[plane, 0] + d_col * normal[plane, 1]
    length = np.sqrt(12 * total(weight * along**2) / mass + 1)
    thickness = np.sqrt(12 * total(weight * across**2) / mass + 1)
    width = mass / length
    depth = np.zeros(count)
    np.maximum.at(depth, members, weight)
    third = np.clip(np.floor(along / length[members] * 3 + 1.5), 0, 2).astype(np.intp)
    thirds = np.bincount(members * 3 + third, weight, 3 * count).reshape(count, 3)
    uneven = (thirds.max(axis=1) - thirds.min(axis=1)) / mass * 3

    frames = Frames(row, col, axis, length, width, scale)
    worth = (mass >= 3 * scale**2) & (length <= longest_px) & (depth > 0.35)
    flanks = frames.flanks(ink8)
    worth &= flanks.min(axis=1) >= _FLANK
    kept = np.flatnonzero(worth)
    frames = Frames(row[kept], col[kept], axis[kept], length[kept], width[kept], scale)
    position = np.full(count, -1, np.intp)
    position[kept] = np.arange(len(kept))
    members = position[members]
    mine = members >= 0
    own = [value[kept] for value in (mass, depth, thickness, uneven, flanks)]
    return Gaps(
        ink8, scale, frames.row, frames.col, frames.axis, frames.length, frames.width,
        measure(ink8, ink8, None, frames, stroke_px, own), rows[mine], cols[mine], members[mine], weight[mine],
        stroke_px, alone=True,
    )  # fmt: skip


def _closed_along(ink8: Ink8, d_row: int, d_col: int, count: int) -> Ink8:
    """Grey closing of (rows, cols) ink by a line of `count` + 1 px in steps of (d_row, d_col)."""
    ground = int(ink8[0, 0])
    wide = np.pad(ink8, count, constant_values=ground)
    shift = d_row * wide.shape[1] + d_col  # along the flattened image; what wraps round falls into the margin
    line = wide.ravel()
    for combine, lead in ((np.maximum, False), (np.minimum, True)):
        have = 1
        while have <= count:
            more = min(have, count + 1 - have)
            out = line.copy()
            if lead:
                combine(out[: -more * shift], line[more * shift :], out=out[: -more * shift])
            else:
                combine(out[more * shift :], line[: -more * shift], out=out[more * shift :])
            line, have = out, have + more
    closed: Ink8 = line.reshape(wide.shape)[count:-count, count:-count]
    return closed
