"""How well glyphs are repaired, registered and judged: `python -m benchmarks.repair [--target FONT ...]`.

Everything is measured on real fonts with mistakes of known place, seeded: hairlines 1-3 px wide at any
angle, grey or white, partial or across the whole glyph, wherever there is ink (so also along and off the
edge of strokes), pinholes, specks. A pixel counts as damaged when it changed by more than a quarter, as
repaired when it is back within a quarter.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fontgen.canvas import Canvas
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.calibrate import calibrate, calibration_sample
from fontgen.glyphs.clean import clean_folder, clean_ink
from fontgen.glyphs.clean_morphology import topology
from fontgen.glyphs.clean_settings import CleanSettings
from fontgen.glyphs.gate import calibrate_gate, gate_folder, score
from fontgen.glyphs.gate_settings import GateSettings
from fontgen.glyphs.register import estimate_shift, shift_ink
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest

Ink8 = NDArray[np.uint8]

FIXTURES = Path(__file__).parent.parent / "fixtures"
CHANGED = 64
"""A quarter of full ink."""


def damage(ink8: Ink8, rng: np.random.Generator, *, faint: float = 0.6, bend_per_px: float = 0.0) -> Ink8:
    """One or two hairlines, up to four pinholes and up to five specks on an (n, n) uint8 glyph.

    Hairlines take `faint` to all of the ink away, and may be arcs of a curvature up to `bend_per_px`.
    """
    n = ink8.shape[0]
    scale = n / 256
    out = ink8 / np.float32(255)
    y, x = np.mgrid[:n, :n].astype(np.float32)
    inked = np.argwhere(ink8 > 127)
    ground = np.argwhere(ndimage.maximum_filter(ink8, 11) == 0)

    def disc(places: NDArray[np.intp], largest_px: float) -> NDArray[np.float32]:
        row, col = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 2)
        radius = rng.uniform(0.7, largest_px) * scale
        cover: NDArray[np.float32] = np.clip(radius + 0.5 - np.hypot(x - col, y - row), 0, 1)
        return cover

    for _ in range(rng.integers(1, 3)):
        row, col = inked[rng.integers(len(inked))]
        angle, width, depth = rng.uniform(0, np.pi), rng.uniform(1, 3) * scale, rng.uniform(faint, 1)
        half_length = rng.uniform(6, 30) * scale if rng.random() < 0.6 else n
        along = (x - col) * np.cos(angle) + (y - row) * np.sin(angle)
        across = (x - col) * np.sin(angle) - (y - row) * np.cos(angle)
        if bend_per_px:
            across += rng.uniform(-bend_per_px, bend_per_px) / 2 * along**2
        line = np.clip(width / 2 + 0.5 - np.abs(across), 0, 1) * np.clip(half_length + 0.5 - np.abs(along), 0, 1)
        out *= 1 - depth * line
    for _ in range(rng.integers(0, 5)):
        out *= 1 - disc(inked, 1.5) * rng.uniform(0.6, 1)
    for _ in range(rng.integers(0, 6) if len(ground) else 0):
        out = np.maximum(out, disc(ground, 1.8) * rng.uniform(0.4, 1))
    damaged: Ink8 = np.rint(out * 255).astype(np.uint8)
    return damaged


def iou(a: Ink8, b: Ink8) -> float:
    """Intersection over union of the pixels at least half covered."""
    inked_a, inked_b = a > 127, b > 127
    return float((inked_a & inked_b).sum() / max((inked_a | inked_b).sum(), 1))


def blur_threshold(ink8: Ink8, _: Ink8) -> Ink8:
    blurred = ndimage.gaussian_filter(ink8.astype(np.float32), 1.5)
    return np.where(blurred > 127, 255, 0).astype(np.uint8)


def median3(ink8: Ink8, _: Ink8) -> Ink8:
    out: Ink8 = ndimage.median_filter(ink8, 3)
    return out


def closing1(ink8: Ink8, _: Ink8) -> Ink8:
    out: Ink8 = ndimage.grey_closing(ink8, size=(3, 3))
    return out


class Pairs:
    """Calibrated source and target images of the characters that two fonts share."""

    def __init__(self, source: Path, target: Path, count: int, size_px: int, seed: int) -> None:
        self.canvas = Canvas(size_px=size_px)
        source_ref, target_ref = FontRef.of(source), FontRef.of(target)
        faces = open_face(source_ref), open_face(target_ref)
        shared = sorted(c for c in set(faces[0].cmap) & set(faces[1].cmap) if 0x3400 <= c <= 0x9FFF)
        shared = [c for c in shared if all(face.bounds_em(c) for face in faces)]
        chosen = sorted(random.Random(seed).sample(shared, min(count, len(shared))))
        placement = calibrate(
            dict.fromkeys(shared, source_ref),
            calibration_sample(shared),
            lambda c, canvas: render_ink(faces[1], c, canvas),
            descender_em=self.canvas.descender_em,
        ).placement
        self.codepoints = chosen
        self.sources = np.stack([render_ink(faces[0], c, self.canvas, placement) for c in chosen])
        self.targets = np.stack([render_ink(faces[1], c, self.canvas) for c in chosen])
        self.name = target.stem

    def __len__(self) -> int:
        return len(self.codepoints)


def bench_clean(pairs: Pairs, seed: int) -> None:
    settings = CleanSettings()
    methods: dict[str, Callable[[Ink8, Ink8], Ink8]] = {
        "unrepaired": lambda ink8, _: ink8,
        "fontgen": lambda ink8, source: clean_ink(ink8, source, settings=settings).ink8,
        "fontgen, no reference": lambda ink8, _: clean_ink(ink8, settings=settings).ink8,
        "blur + threshold": blur_threshold,
        "3x3 median": median3,
        "grey closing r=1": closing1,
    }
    print(f"\n{pairs.name}: {len(pairs)} glyphs at {pairs.canvas.size_px} px")
    print(f"{'':24}{'repaired':>9}{'IoU':>8}{'IoU p5':>8} | harm: {'IoU':>7}{'topology changed':>18}")
    for name, method in methods.items():
        rng = np.random.default_rng(seed)
        damaged_px = repaired_px = topology_changed = 0
        after, harm = [], []
        for ink8, source in zip(pairs.targets, pairs.sources, strict=True):
            damaged = damage(ink8, rng)
            out = method(damaged, source)
            hurt = np.abs(ink8.astype(int) - damaged) > CHANGED
            damaged_px += int(hurt.sum())
            repaired_px += int((hurt & (np.abs(ink8.astype(int) - out) <= CHANGED)).sum())
            after.append(iou(ink8, out))
            kept = method(ink8, source)
            harm.append(iou(ink8, kept))
            topology_changed += topology(ink8 > 127) != topology(kept > 127)
        print(
            f"{name:24}{repaired_px / damaged_px:9.2%}{np.mean(after):8.4f}{np.quantile(after, 0.05):8.4f} |"
            f"       {np.mean(harm):.5f}{topology_changed / len(pairs):17.2%}",
            flush=True,
        )


def bench_register(pairs: Pairs, seed: int, sets: int = 8, size: int = 50) -> None:
    rng = np.random.default_rng(seed)
    recovered: list[float] = []
    absolute: list[float] = []
    covered = 0
    step = max(1, len(pairs) // 300)

    def measured(
        index: NDArray[np.intp], dx: float = 0.0, dy: float = 0.0, noise: float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        def triples() -> Iterator[tuple[int, Ink8, Ink8]]:
            for i in index:
                moved = shift_ink(pairs.targets[i], dx, dy)
                noisy = np.clip(moved + rng.normal(0, noise, moved.shape), 0, 255) if noise else moved
                yield int(i), noisy.astype(np.uint8), pairs.sources[i]

        found = estimate_shift(triples(), pairs.canvas)
        return np.array([found.dx_px, found.dy_px]), np.array([found.half_width_x_px, found.half_width_y_px])

    offset, _ = measured(np.arange(0, len(pairs), step))
    for _ in range(sets):
        index = rng.choice(len(pairs), min(size, len(pairs)), replace=False)
        shift = rng.uniform(-8, 8, 2)
        unshifted, _ = measured(index)
        found, half_width = measured(index, float(shift[0]), float(shift[1]), noise=8.0)
        recovered.extend(np.abs(found - unshifted - shift))
        absolute.extend(np.abs(found - offset - shift))
        covered += int((np.abs(found - offset - shift) <= half_width).sum())
    print(
        f"register, sets of {size}, noise 8/255: injected shift recovered to {np.median(recovered):.3f} px median, "
        f"{np.max(recovered):.3f} worst; against the whole font's offset (style sampling included) "
        f"{np.median(absolute):.3f} median, {np.max(absolute):.3f} worst, "
        f"inside the 95 % interval {covered / 2 / sets:.0%}"
    )


def bench_gate(pairs: Pairs, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pairs))
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    model = calibrate_gate(pairs.sources[train], pairs.targets[train], seed=seed)
    flat = ndimage.uniform_filter(pairs.targets.astype(np.float32), (0, 8, 8))[:, 4::8, 4::8].reshape(len(pairs), -1)
    flat -= flat.mean(axis=0)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    alike = flat @ flat.T
    np.fill_diagonal(alike, -2)
    counts = {name: [0, 0] for name in ("genuine passed", "component erased", "wrong character", "nearest look-alike")}

    def count(name: str, caught: bool) -> None:
        counts[name][0] += caught
        counts[name][1] += 1

    for i in test:
        source = pairs.sources[i]
        count("genuine passed", not score(model, source, pairs.targets[i]).suspect)
        other = int(rng.choice(np.delete(np.arange(len(pairs)), i)))
        count("wrong character", score(model, source, pairs.targets[other]).suspect)
        count("nearest look-alike", score(model, source, pairs.targets[int(alike[i].argmax())]).suspect)
        labels, parts = ndimage.label(pairs.targets[i] > 127, np.ones((3, 3)))
        area = np.bincount(labels.ravel(), minlength=parts + 1)[1:]
        large = np.flatnonzero(area > 0.02 * area.sum()) + 1
        if len(large) > 1:
            gone = ndimage.binary_dilation(labels == rng.choice(large), iterations=2)
            count(
                "component erased", score(model, source, np.where(gone, 0, pairs.targets[i]).astype(np.uint8)).suspect
            )
    print(
        "gate, calibrated on the other half: " + ", ".join(f"{k} {a / max(b, 1):.1%}" for k, (a, b) in counts.items())
    )


def bench_speed(pairs: Pairs, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder, images in (
            ("source", pairs.sources), ("target", pairs.targets), ("image", [damage(x, rng) for x in pairs.targets])
        ):  # fmt: skip
            for codepoint, ink8 in zip(pairs.codepoints, images, strict=True):
                write_ink(root / folder / image_name(codepoint), ink8)
            write_manifest(root / folder, pairs.canvas, {c: {} for c in pairs.codepoints})
        opened = {name: ImageFolder.open(root / name) for name in ("source", "target", "image")}
        started = time.perf_counter()
        clean_folder(opened["image"], root / "out", opened["source"], settings=CleanSettings())
        cleaned = time.perf_counter()
        model = calibrate_gate(pairs.sources[:100], pairs.targets[:100])
        calibrated = time.perf_counter()
        gate_folder(opened["image"], opened["source"], settings=GateSettings(), model=model)
        done = time.perf_counter()
    print(
        f"speed, folders, all cores: clean {len(pairs) / (cleaned - started):.0f} glyphs/s, "
        f"gate {len(pairs) / (done - calibrated):.0f} glyphs/s; "
        f"gate calibration on 100 pairs {calibrated - cleaned:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=FIXTURES / "noto-sans-jp-bold.ttf")
    parser.add_argument("--target", type=Path, nargs="+", default=[FIXTURES / "zen-maru-gothic-bold.ttf"])
    parser.add_argument("--count", type=int, default=200, help="glyphs a font")
    parser.add_argument("--size", type=int, default=256, help="canvas, px")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=("clean", "register", "gate", "speed"))
    options = parser.parse_args()
    parts = {"clean": bench_clean, "register": bench_register, "gate": bench_gate, "speed": bench_speed}
    for target in options.target:
        pairs = Pairs(options.source, target, options.count, options.size, options.seed)
        for name, part in parts.items():
            if options.only is None or name in options.only:
                part(pairs, options.seed)


if __name__ == "__main__":
    main()
