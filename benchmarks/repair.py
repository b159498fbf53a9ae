"""How well glyphs are repaired, registered and judged: `python -m benchmarks.repair [--target FONT ...]`.

Everything is measured on real fonts with mistakes of known place, seeded: hairlines 1-3 px wide at any
angle, grey or white, partial or across the whole glyph, pinholes, specks. A pixel counts as damaged when it
changed by more than a quarter of full ink, as repaired when it is back within a quarter. Where a hairline runs
along or off a stroke's edge, with ink on one side only, it leaves a dent and no gap; such pixels are counted
apart ("dents"), since nothing is left that says where the edge was. The IoU counts everything.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.repair_damage import damage, iou, is_dense
from benchmarks.repair_links import bench_links
from fontgen.canvas import Canvas
from fontgen.files import read_json, write_json
from fontgen.fonts.face import Face, FontRef, open_face
from fontgen.glyphs.calibrate import calibrate, calibration_sample
from fontgen.glyphs.clean import clean_folder, clean_ink
from fontgen.glyphs.clean_morphology import topology
from fontgen.glyphs.clean_settings import CleanSettings
from fontgen.glyphs.gate import calibrate_gate, gate_folder, score
from fontgen.glyphs.gate_settings import GateSettings
from fontgen.glyphs.register import estimate_shift, shift_ink
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest
from fontgen.parallel import parallel_map

Ink8 = NDArray[np.uint8]

FIXTURES = Path(__file__).parent.parent / "fixtures"
RESULTS = Path(__file__).parent / "results" / "repair.json"
DEBIAN = Path("/usr/share/fonts")
GENUINE = {
    "sans": "NotoSansCJK-Regular.ttc", "serif": "NotoSerifCJK-Regular.ttc",
    "brush": "gkai00mp.ttf", "handwriting": "AoyagiKouzanT.ttf", "pen": "KleeOne-Regular.ttf",
}  # fmt: skip
"""Files of Debian's fonts-noto-cjk, fonts-arphic-gkai00mp, fonts-aoyagi-kouzan-t and fonts-klee."""


def blur_threshold(ink8: Ink8, _: Ink8) -> Ink8:
    blurred = ndimage.gaussian_filter(ink8.astype(np.float32), 1.5)
    return np.where(blurred > 127, 255, 0).astype(np.uint8)


def median3(ink8: Ink8, _: Ink8) -> Ink8:
    out: Ink8 = ndimage.median_filter(ink8, 3)
    return out


def closing1(ink8: Ink8, _: Ink8) -> Ink8:
    out: Ink8 = ndimage.grey_closing(ink8, size=(3, 3))
    return out


_GATE_PAIRS = 500
"""At most this many pairs calibrate the gate, and as many others test it."""

Figures = dict[str, Any]

HAN, KANA, HANGUL = (0x3400, 0x9FFF), (0x3041, 0x30FF), (0xAC00, 0xD7A3)
"""First and last codepoint."""


class Pairs:
    """Calibrated source and target images of the characters that two fonts share."""

    def __init__(
        self, source: Path, target: Path, count: int, size_px: int, seed: int, block: tuple[int, int] = HAN
    ) -> None:
        self.canvas = Canvas(size_px=size_px)
        source_ref = FontRef.of(source)
        faces = open_face(source_ref), open_face(FontRef.of(target))
        shared = shared_characters(*faces, block)
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


def shared_characters(source: Face, target: Face, block: tuple[int, int]) -> list[int]:
    """Codepoints of a block for which both fonts have ink."""
    shared = sorted(c for c in set(source.cmap) & set(target.cmap) if block[0] <= c <= block[1])
    return [c for c in shared if source.bounds_em(c) and target.bounds_em(c)]


_SETTINGS = CleanSettings()
METHODS: dict[str, Callable[[Ink8, Ink8], Ink8]] = {
    "unrepaired": lambda ink8, _: ink8,
    "fontgen": lambda ink8, source: clean_ink(ink8, source, settings=_SETTINGS).ink8,
    "fontgen, no reference": lambda ink8, _: clean_ink(ink8, settings=_SETTINGS).ink8,
    "blur + threshold": blur_threshold,
    "3x3 median": median3,
    "grey closing r=1": closing1,
}


class _RepairJob:
    """Picklable: damages one glyph in its own way each round, repairs it by every method, and counts."""

    def __init__(self, pairs: Pairs, seed: int) -> None:
        self.pairs, self.seed = pairs, seed

    def __call__(self, item: tuple[int, int]) -> dict[str, tuple[float, ...]]:
        index, number = item
        truth, source = self.pairs.targets[index], self.pairs.sources[index]
        damaged = damage(truth, np.random.default_rng([self.seed, number, self.pairs.codepoints[index]]))
        found = {}
        for name, method in METHODS.items():
            out = method(damaged.ink8, source)
            back = damaged.repaired(truth, out)
            found[name] = (
                int(damaged.defect.sum()), int((damaged.defect & back).sum()),
                int(damaged.dent.sum()), int((damaged.dent & back).sum()), iou(truth, out),
            )  # fmt: skip
        return found


def bench_clean(pairs: Pairs, seed: int, glyphs: int) -> Figures:
    """Injected damage, at least `glyphs` damaged glyphs, every method."""
    items = [(i, number) for number in range(-(-glyphs // len(pairs))) for i in range(len(pairs))]
    found = list(parallel_map(_RepairJob(pairs, seed), items))
    dense = [one for one, (i, _) in zip(found, items, strict=True) if is_dense(pairs.codepoints[i])]
    figures: Figures = {"glyphs": len(items), "dense_glyphs": len(dense)}
    print(f"\n{pairs.name}: {len(items)} damaged glyphs ({len(pairs)} characters) at {pairs.canvas.size_px} px")
    print(f"{'':24}{'repaired':>9}{'dents':>8}{'IoU':>8}{'IoU p5':>8} | {'dense: repaired':>16}{'IoU':>8}")
    for name in METHODS:
        figures[name] = shown = _repaired([one[name] for one in found])
        print(
            f"{name:24}{shown['repaired']:9.2%}{shown['dents_repaired']:8.1%}{shown['iou']:8.4f}{shown['iou_p5']:8.4f}",
            end=" | ",
        )
        if dense:
            shown["dense"] = part = _repaired([one[name] for one in dense])
            print(f"{part['repaired']:16.2%}{part['iou']:8.4f}", end="")
        print(flush=True)
    return figures


def _repaired(counts: list[tuple[float, ...]]) -> Figures:
    defect, mended, dent, undented, _ = np.sum(counts, axis=0)
    overlap = [one[4] for one in counts]
    return {
        "repaired": mended / defect, "dents_repaired": undented / max(dent, 1),
        "iou": float(np.mean(overlap)), "iou_p5": float(np.quantile(overlap, 0.05)),
        "defect_px": int(defect), "dent_px": int(dent),
    }  # fmt: skip


class _HarmJob:
    """Picklable: cleans one undamaged glyph; (IoU, components and holes unchanged) by method."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __call__(self, index: int) -> dict[str, tuple[float, bool]]:
        truth, source = self.pairs.targets[index], self.pairs.sources[index]
        before = topology(truth > 127)
        kept = {name: method(truth, source) for name, method in METHODS.items()}
        return {name: (iou(truth, out), topology(out > 127) == before) for name, out in kept.items()}


def bench_harm(pairs: Pairs) -> Figures:
    """What cleaning does to sound glyphs; characters of more than 20 strokes apart."""
    found = list(parallel_map(_HarmJob(pairs), range(len(pairs))))
    dense = np.array([is_dense(codepoint) for codepoint in pairs.codepoints])
    figures: Figures = {}
    print(f"\n{pairs.name}: harm to {len(pairs)} sound glyphs, {dense.sum()} of them dense")
    print(f"{'':24}{'IoU':>9}{'unchanged':>11} | {'dense: IoU':>10}{'unchanged':>11}")
    for name in METHODS:
        overlap, same = (np.array(values) for values in zip(*(one[name] for one in found), strict=True))
        parts = {}
        for label, mask in (("all", np.ones(len(pairs), bool)), ("dense", dense)):
            if mask.any():
                parts[label] = {
                    "glyphs": int(mask.sum()), "iou": float(overlap[mask].mean()), "unchanged": float(same[mask].mean())
                }  # fmt: skip
        figures[name] = parts
        rest = f"{parts['dense']['iou']:10.5f}{parts['dense']['unchanged']:11.2%}" if "dense" in parts else ""
        print(f"{name:24}{parts['all']['iou']:9.5f}{parts['all']['unchanged']:11.2%} | {rest}", flush=True)
    return figures


def bench_register(pairs: Pairs, seed: int, sets: int = 8, size: int = 50) -> Figures:
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
    return {
        "recovered_median_px": float(np.median(recovered)), "recovered_worst_px": float(np.max(recovered)),
        "offset_median_px": float(np.median(absolute)), "offset_worst_px": float(np.max(absolute)),
    }  # fmt: skip


def bench_gate(pairs: Pairs, seed: int) -> Figures:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pairs))
    train, test = order[: len(order) // 2][:_GATE_PAIRS], order[len(order) // 2 :][:_GATE_PAIRS]
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
    figures = {name: a / max(b, 1) for name, (a, b) in counts.items()}
    print(f"gate, calibrated on {len(train)} others: " + ", ".join(f"{k} {v:.1%}" for k, v in figures.items()))
    return {**figures, "pairs": len(train), "glyphs": len(test)}


def bench_speed(pairs: Pairs, seed: int) -> Figures:
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        damaged = [damage(ink8, rng).ink8 for ink8 in pairs.targets]
        for folder, images in (("source", pairs.sources), ("target", pairs.targets), ("image", damaged)):
            for codepoint, ink8 in zip(pairs.codepoints, images, strict=True):
                write_ink(root / folder / image_name(codepoint), ink8)
            write_manifest(root / folder, pairs.canvas, {c: {} for c in pairs.codepoints})
        opened = {name: ImageFolder.open(root / name) for name in ("source", "target", "image")}
        begun = time.perf_counter()
        clean_folder(opened["target"], root / "sound", opened["source"], settings=CleanSettings())
        started = time.perf_counter()
        clean_folder(opened["image"], root / "out", opened["source"], settings=CleanSettings())
        cleaned = time.perf_counter()
        model = calibrate_gate(pairs.sources[:100], pairs.targets[:100])
        calibrated = time.perf_counter()
        gate_folder(opened["image"], opened["source"], settings=GateSettings(), model=model)
        done = time.perf_counter()
    figures = {
        "clean_sound_per_s": len(pairs) / (started - begun), "clean_damaged_per_s": len(pairs) / (cleaned - started),
        "gate_per_s": len(pairs) / (done - calibrated), "gate_calibration_s": calibrated - cleaned,
    }  # fmt: skip
    print(
        f"speed, folders, all cores: clean {figures['clean_sound_per_s']:.0f} sound and "
        f"{figures['clean_damaged_per_s']:.0f} damaged glyphs/s, gate {figures['gate_per_s']:.0f} glyphs/s; "
        f"gate calibration on 100 pairs {figures['gate_calibration_s']:.1f} s"
    )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=FIXTURES / "noto-sans-jp-bold.ttf")
    parser.add_argument("--target", type=Path, nargs="+", default=[FIXTURES / "zen-maru-gothic-bold.ttf"])
    parser.add_argument("--genuine", type=Path, nargs="*", help="fonts to do no harm to; default: Debian's, if there")
    parser.add_argument("--count", type=int, default=700, help="characters a font")
    parser.add_argument("--glyphs", type=int, default=2000, help="damaged glyphs a font: characters are taken again")
    parser.add_argument("--size", type=int, default=256, help="canvas, px")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=("clean", "links", "harm", "register", "gate", "speed"))
    parser.add_argument("--json", type=Path, default=RESULTS, help="JSON file to write")
    options = parser.parse_args()
    figures: Figures = {"size_px": options.size, "seed": options.seed, "source": options.source.name}

    def wanted(name: str) -> bool:
        return options.only is None or name in options.only

    parts: dict[str, Callable[[Pairs], Figures]] = {
        "clean": lambda pairs: bench_clean(pairs, options.seed, options.glyphs),
        "links": lambda pairs: bench_links(pairs, options.seed),
        "register": lambda pairs: bench_register(pairs, options.seed),
        "gate": lambda pairs: bench_gate(pairs, options.seed),
        "speed": lambda pairs: bench_speed(pairs, options.seed),
    }
    for target in options.target:
        if any(wanted(name) for name in parts):
            pairs = Pairs(options.source, target, options.count, options.size, options.seed)
            figures[pairs.name] = {name: part(pairs) for name, part in parts.items() if wanted(name)}
    if wanted("harm"):
        for target in genuine_fonts(options.genuine):
            pairs = Pairs(options.source, target, options.count, options.size, options.seed)
            figures.setdefault(pairs.name, {})["harm"] = bench_harm(pairs)
    write_json(options.json, merged(options.json, figures))


def merged(path: Path, figures: Figures) -> Figures:
    """What an earlier run of the same size and seed measured, with these figures in place of its own."""
    earlier: Figures = read_json(path) if path.exists() else {}
    if any(earlier.get(name) != figures[name] for name in ("size_px", "seed", "source")):
        return figures
    for name, value in figures.items():
        earlier[name] = {**earlier.get(name, {}), **value} if isinstance(value, dict) else value
    return earlier


def genuine_fonts(chosen: list[Path] | None) -> list[Path]:
    """The fonts given, else one of each kind of Debian's packages, as far as they are installed."""
    if chosen is not None:
        return chosen
    found = []
    for kind, name in GENUINE.items():
        paths = sorted(DEBIAN.rglob(name)) if DEBIAN.exists() else []
        if not paths:
            print(f"harm: no {kind} font ({name}) in {DEBIAN}; install its package, or give fonts with --genuine")
        found += paths[:1]
    return found


if __name__ == "__main__":
    main()
