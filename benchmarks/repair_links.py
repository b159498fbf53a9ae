"""Strokes cut in two and strokes linked where none are, as a GAN draws them: one of known place on a genuine glyph."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.repair_damage import CHANGED, Damaged, Ink8, iou, is_dense
from fontgen.glyphs.clean import clean_ink
from fontgen.glyphs.clean_morphology import stroke_width_px, topology
from fontgen.glyphs.clean_settings import CleanSettings
from fontgen.parallel import parallel_map

_TRIES = 40
_ANGLES = np.arange(24) * np.pi / 24
_FAR_PX = 40
_LARGEST_CUT_PX, _LARGEST_LINK_PX = 10.0, 14.0
"""Of a canvas of 256 px."""


def cut_stroke(ink8: Ink8, rng: np.random.Generator) -> Damaged | None:
    """One stroke of an (n, n) uint8 glyph severed straight across; None when none is found in some tries.

    The cut is 3 px wide or more, up to the stroke's own width there and 10 px (at 256 px), within 20 degrees of
    square, and takes 80 % to all of the ink. It parts the glyph or opens a counter.
    """
    scale = ink8.shape[0] / 256
    stroke_px = stroke_width_px(ink8 >= 128)
    for _ in range(_TRIES):
        place = _ridge_pixel(ink8 >= 128, 1.5 * scale, 0.75 * stroke_px, rng)
        if place is None:
            return None
        angle, before, after = _shortest_chord(ink8 >= 128, place)
        chord = before + after
        widest = min(max(chord, 4 * scale), _LARGEST_CUT_PX * scale)
        slant = angle + rng.uniform(-0.35, 0.35)
        middle = (after - before) / 2
        centre = (place[0] + middle * np.sin(angle), place[1] + middle * np.cos(angle))
        line = _bar(ink8.shape, centre, slant, chord + 6 * scale, rng.uniform(3 * scale, widest))
        damaged = np.rint(ink8 * (1 - rng.uniform(0.8, 1) * line)).astype(np.uint8)
        if _severed(ink8, damaged):
            return _as_damage(ink8, damaged)
    return None


def link_strokes(ink8: Ink8, rng: np.random.Generator) -> Damaged | None:
    """A thin bar of ink across a white gap of an (n, n) uint8 glyph; None when no gap is found in some tries.

    The gap is 3 to 14 px wide (at 256 px), the bar 1.5 to 4 px and at most 0.4 of the stroke width, at 60 % to full
    ink. It joins two parts or divides a counter.
    """
    scale = ink8.shape[0] / 256
    thickest = max(1.5 * scale, min(4 * scale, 0.4 * stroke_width_px(ink8 >= 128)))
    for _ in range(_TRIES):
        place = _ridge_pixel(ink8 < 128, 1.5 * scale, _LARGEST_LINK_PX / 2 * scale, rng)
        if place is None:
            return None
        angle, before, after = _shortest_chord(ink8 < 128, place)
        chord = before + after
        if not 3 * scale <= chord <= _LARGEST_LINK_PX * scale:
            continue
        middle = (after - before) / 2
        centre = (place[0] + middle * np.sin(angle), place[1] + middle * np.cos(angle))
        slant = angle + rng.uniform(-0.5, 0.5)
        bar = _bar(ink8.shape, centre, slant, chord + 6 * scale, rng.uniform(1.5 * scale, thickest))
        damaged = np.maximum(ink8, np.rint(255 * rng.uniform(0.6, 1) * bar)).astype(np.uint8)
        if _severed(damaged, ink8):
            return _as_damage(ink8, damaged)
    return None


def _severed(whole8: Ink8, cut8: Ink8) -> bool:
    """Whether taking the ink away parted one component or opened one hole, and did nothing else."""
    (components, holes), (now_components, now_holes) = topology(whole8 >= 128), topology(cut8 >= 128)
    return (now_components - components, now_holes - holes) in {(1, 0), (0, -1)}


def _as_damage(ink8: Ink8, damaged: Ink8) -> Damaged:
    changed = np.abs(ink8.astype(int) - damaged) > CHANGED
    return Damaged(damaged, changed, np.zeros(ink8.shape, bool))


def _ridge_pixel(
    mask: NDArray[np.bool_], least_px: float, most_px: float, rng: np.random.Generator
) -> tuple[int, int] | None:
    """A random pixel of the medial axis whose distance to the mask's edge lies in that range."""
    depth = ndimage.distance_transform_edt(mask)
    ridge = np.argwhere((depth >= ndimage.maximum_filter(depth, 3) - 0.4) & (depth >= least_px) & (depth <= most_px))
    if not len(ridge):
        return None
    row, col = ridge[rng.integers(len(ridge))]
    return int(row), int(col)


def _shortest_chord(mask: NDArray[np.bool_], place: tuple[int, int]) -> tuple[float, float, float]:
    """Angle (x right, y down) of the shortest way through the mask at a pixel, and its lengths back and on in px."""
    steps = np.arange(0, _FAR_PX * mask.shape[0] / 256, 0.5)
    best = (0.0, np.inf, np.inf)
    for angle in _ANGLES:
        reach = []
        for side in (-1, 1):
            rows = np.clip(np.rint(place[0] + side * steps * np.sin(angle)).astype(int), 0, mask.shape[0] - 1)
            cols = np.clip(np.rint(place[1] + side * steps * np.cos(angle)).astype(int), 0, mask.shape[1] - 1)
            reach.append(0.5 * np.count_nonzero(np.logical_and.accumulate(mask[rows, cols])))
        if sum(reach) < best[1] + best[2]:
            best = (float(angle), reach[0], reach[1])
    return best


def _bar(
    shape: tuple[int, ...], centre: tuple[float, float], angle: float, length: float, width: float
) -> NDArray[np.float64]:
    """Cover (0..1) of a bar along `angle`."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    along = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
    across = (x - centre[1]) * np.sin(angle) - (y - centre[0]) * np.cos(angle)
    cover: NDArray[np.float64] = np.clip(width / 2 + 0.5 - np.abs(across), 0, 1) * np.clip(
        length / 2 + 0.5 - np.abs(along), 0, 1
    )
    return cover


class LinkPairs(Protocol):
    """The source and target images of some characters, (k, n, n) uint8."""

    name: str
    codepoints: list[int]
    sources: NDArray[np.uint8]
    targets: NDArray[np.uint8]

    def __len__(self) -> int: ...


class _LinkJob:
    """Picklable: cuts a stroke of one glyph, or links two; (pixels back, topology back, IoU before and after)."""

    def __init__(self, pairs: LinkPairs, seed: int) -> None:
        self.pairs, self.seed = pairs, seed

    def __call__(self, index: int) -> dict[str, tuple[float, float, float, float]]:
        truth, source = self.pairs.targets[index], self.pairs.sources[index]
        before = topology(truth > 127)
        found = {}
        for name, hurt in (("cut", cut_stroke), ("bridge", link_strokes)):
            damaged = hurt(truth, np.random.default_rng([self.seed, self.pairs.codepoints[index]]))
            if damaged is None:
                continue
            out = clean_ink(damaged.ink8, source, settings=CleanSettings(cuts=True)).ink8
            back = (damaged.defect & damaged.repaired(truth, out)).sum() / damaged.defect.sum()
            same = topology(out > 127) == before
            found[name] = (float(back), float(same), iou(truth, damaged.ink8), iou(truth, out))
        return found


def bench_links(pairs: LinkPairs, seed: int) -> dict[str, Any]:
    """One severed stroke a glyph, and one thin link between strokes; characters of more than 20 strokes apart."""
    found = list(parallel_map(_LinkJob(pairs, seed), range(len(pairs))))
    figures: dict[str, Any] = {}
    print(f"\n{pairs.name}: one stroke cut, or one link drawn, in each of {len(pairs)} glyphs")
    for name in ("cut", "bridge"):
        parts: dict[str, Any] = {}
        for label, dense in (("all", False), ("dense", True)):
            chosen = [
                one[name]
                for one, codepoint in zip(found, pairs.codepoints, strict=True)
                if name in one and (is_dense(codepoint) or not dense)
            ]
            if chosen:
                back, same, before, after = (float(value) for value in np.mean(chosen, axis=0))
                parts[label] = {
                    "glyphs": len(chosen), "pixels_back": back, "topology_back": same, "iou_damaged": before,
                    "iou": after,
                }  # fmt: skip
                print(
                    f"{name:8}{label:7}{len(chosen):5} glyphs: {back:.1%} of the pixels back, topology back in "
                    f"{same:.1%}, IoU {before:.4f} -> {after:.4f}",
                    flush=True,
                )
        figures[name] = parts
    return figures
