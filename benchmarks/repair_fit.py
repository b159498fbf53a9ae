"""Fit the networks of `fontgen.glyphs.clean_weights`: `python -m benchmarks.repair_fit --target FONT...`.

Gaps of genuine glyphs are the counters, gaps of glyphs with injected hairlines (straight and bent) and
pinholes the defects; every third glyph is its own reference, the others have the calibrated source's.
Give typefaces of every kind: what is shipped was fitted on Noto Sans CJK Regular and Black, Noto Serif CJK
Bold and Light, Zen Maru Gothic Bold, Klee One Regular and SemiBold, AR PL KaitiM GB and Aoyagi Kouzan T, 450
glyphs of each, 303 of the last. Those of cuts and links (`--links`) were fitted on 150 glyphs of each: one stroke cut
or one link drawn are the defects, all else that looks like one the rest; half of the glyphs are blurred a little, and
every fourth is its own reference. Needs torch; the result is written into the module's text.
"""

from __future__ import annotations

import argparse
import base64
import re
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.repair import FIXTURES, Pairs
from benchmarks.repair_damage import CHANGED, damage
from benchmarks.repair_links import cut_stroke, link_strokes
from fontgen.glyphs import clean_weights
from fontgen.glyphs.clean_gaps import DESIGN_SIZE_PX, MEASURES, find_gaps, source_evidence
from fontgen.glyphs.clean_links import LinkKind, find_cuts, find_links
from fontgen.glyphs.clean_morphology import stroke_width_px
from fontgen.glyphs.clean_settings import CleanSettings

Floats = NDArray[np.float64]
_HIDDEN = clean_weights.HIDDEN
_EPOCHS = 40
_JITTER = 0.2
"""Standard deviations of noise on the measures, so that a glyph unlike all of these is judged smoothly."""


def samples(pairs: Pairs, seed: int) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """(k, measures), (k,) whether mostly damage, (k,) pixels of all gaps of a font's glyphs, genuine and damaged."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Floats, NDArray[np.bool_], Floats]] = []
    for i, (ink8, source) in enumerate(zip(pairs.targets, pairs.sources, strict=True)):
        bent = {"faint": 0.4, "bend_per_px": 1 / 120} if i % 4 == 3 else {}
        images = [ink8, damage(ink8, rng, **bent).ink8]
        for image in images:
            gaps = find_gaps(image, CleanSettings().gap_px, image.shape[0] / DESIGN_SIZE_PX)
            if not len(gaps):
                continue
            evidence, _ = source_evidence(gaps, np.arange(len(gaps)), source if i % 3 else ink8)
            hurt = ink8.astype(int) - image > CHANGED
            size = np.bincount(gaps.members, minlength=len(gaps)).astype(float)
            share = np.bincount(gaps.members, hurt[gaps.rows, gaps.cols], len(gaps)) / size
            rows.append((np.column_stack([gaps.measures, evidence]), share > 0.5, size))
    measures, defect, size = (np.concatenate(part) for part in zip(*rows, strict=True))
    return measures, defect, size


def link_samples(pairs: Pairs, kind: LinkKind, seed: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(k, measures), (k,) whether damage, of what may be a cut or a bridge in a font's glyphs, genuine and damaged."""
    rng = np.random.default_rng(seed)
    find, hurt, other = (
        (find_cuts, cut_stroke, link_strokes) if kind == "cut" else (find_links, link_strokes, cut_stroke)
    )
    rows: list[tuple[Floats, NDArray[np.bool_]]] = []
    for i, (sound8, source8) in enumerate(zip(pairs.targets, pairs.sources, strict=True)):
        soft = ndimage.gaussian_filter(sound8.astype(np.float32), rng.uniform(0.4, 1.2)) if i % 2 else sound8
        ink8 = np.rint(soft).astype(np.uint8)
        reference8 = source8 if i % 4 else ink8
        stroke_px = stroke_width_px(ink8 >= 128)
        for injure in (None, hurt, hurt, other):
            damaged = None if injure is None else injure(ink8, rng)
            image = ink8 if damaged is None else damaged.ink8
            gaps = find(image, stroke_px, image.shape[0] / DESIGN_SIZE_PX)
            if not len(gaps):
                continue
            evidence, _ = source_evidence(gaps, np.arange(len(gaps)), reference8 if kind == "cut" else 255 - reference8)
            share = np.zeros(len(gaps))
            if damaged is not None and injure is hurt:
                share = np.bincount(gaps.members, damaged.defect[gaps.rows, gaps.cols], len(gaps))
                share /= np.bincount(gaps.members, minlength=len(gaps))
            # the sound gaps of a glyph are there four times: a third of them is enough but once
            keep = (share > 0.5) | (share == 0) & (rng.random(len(gaps)) < (1.0 if injure is None else 0.3))
            rows.append((np.column_stack([gaps.measures, evidence])[keep], share[keep] > 0.5))
    measures, defect = (np.concatenate(part) for part in zip(*rows, strict=True))
    return measures, defect


def fit(measures: Floats, defect: NDArray[np.bool_], weights: Floats, seed: int) -> Floats:
    """Means, inverse deviations, weights and biases as one vector, in the order that the module reads."""
    torch.manual_seed(seed)
    measures = np.clip(measures, -10, 60)
    mean, deviation = measures.mean(axis=0), measures.std(axis=0) + 1e-6
    deviation[deviation < 1e-4] = np.inf  # the same for all: it says nothing, and its inverse is no half float
    x = torch.tensor((measures - mean) / deviation, dtype=torch.float32).clamp(-4, 4)
    y = torch.tensor(defect, dtype=torch.float32)
    weight = torch.tensor(weights, dtype=torch.float32)
    sizes = (measures.shape[1], *_HIDDEN, 1)
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.Tanh()]
    network = torch.nn.Sequential(*layers[:-1])
    batch = min(1024, len(x))
    steps = len(x) // batch
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=_EPOCHS * steps)
    for _ in range(_EPOCHS):
        order = torch.randperm(len(x))
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                network(x[chosen] + _JITTER * torch.randn(batch, x.shape[1]))[:, 0], y[chosen], weight=weight[chosen]
            )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    parts = [mean, 1 / deviation, *(p.detach().numpy().ravel() for p in network.parameters())]
    return np.concatenate(parts)


def write(name: str, values: Floats) -> None:
    """Replace one text constant of the module."""
    module = Path(clean_weights.__file__)
    block = "\n".join(textwrap.wrap(base64.b64encode(values.astype("<f2").tobytes()).decode(), 112))
    text = re.sub(rf'^{name} = """.*?"""', f'{name} = """\n{block}\n"""', module.read_text(), flags=re.M | re.S)
    module.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=FIXTURES / "noto-sans-jp-bold.ttf")
    parser.add_argument("--target", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=600, help="glyphs a font")
    parser.add_argument("--links", action="store_true", help="fit those of cuts and links instead of those of gaps")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts: list[tuple[NDArray[Any], ...]] = []
    if options.links:
        fonts = [Pairs(options.source, target, options.count, 256, options.seed) for target in options.target]
        kinds: tuple[LinkKind, ...] = ("cut", "bridge")
        for kind, name in zip(kinds, ("_CUT", "_LINK"), strict=True):
            parts = [link_samples(pairs, kind, number) for number, pairs in enumerate(fonts)]
            measures, defect = (np.concatenate(part) for part in zip(*parts, strict=True))
            print(f"{kind}: {len(measures)} candidates, {defect.sum()} of them damage", flush=True)
            write(name, fit(measures[:, : len(MEASURES)], defect, np.ones(len(defect)), options.seed))
            write(f"{name}_GUIDED", fit(measures, defect, np.where(defect, 1.0, 2.0), options.seed))
        return
    for target in options.target:
        parts.append(samples(Pairs(options.source, target, options.count, 256, options.seed), options.seed))
        print(f"{target.name}: {len(parts[-1][0])} gaps, {parts[-1][1].sum()} of them damage", flush=True)
    measures, defect, size = (np.concatenate(part) for part in zip(*parts, strict=True))
    # a wrongly filled pixel of a counter costs more than one that stays damaged
    weights = np.where(defect, np.sqrt(np.clip(size, 1, 40)), size)
    write("_GAP", fit(measures[:, : len(MEASURES)], defect, weights, options.seed))
    write("_GAP_GUIDED", fit(measures, defect, weights, options.seed))


if __name__ == "__main__":
    main()
