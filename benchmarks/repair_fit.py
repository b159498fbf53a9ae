"""Fit the two networks of `fontgen.glyphs.clean_weights`: `python -m benchmarks.repair_fit --target FONT...`.

Gaps of genuine glyphs are the counters, gaps of glyphs with injected hairlines (straight and bent) and
pinholes the defects; every third glyph is its own reference, the others have the calibrated source's.
Give typefaces of every kind: what is shipped was fitted on Noto Sans CJK Regular and Black, Noto Serif CJK
Bold and Light, Zen Maru Gothic Bold, Klee One Regular and SemiBold, AR PL KaitiM GB and Aoyagi Kouzan T, 450
glyphs of each, 303 of the last. Needs torch; the result is written into the module's text.
"""

from __future__ import annotations

import argparse
import base64
import re
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.repair import FIXTURES, Pairs
from benchmarks.repair_damage import CHANGED, damage
from fontgen.glyphs import clean_weights
from fontgen.glyphs.clean_gaps import DESIGN_SIZE_PX, MEASURES, find_gaps, source_evidence
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


def fit(measures: Floats, defect: NDArray[np.bool_], size: Floats, seed: int) -> Floats:
    """Means, inverse deviations, weights and biases as one vector, in the order that the module reads."""
    torch.manual_seed(seed)
    measures = np.clip(measures, -10, 60)
    mean, deviation = measures.mean(axis=0), measures.std(axis=0) + 1e-6
    x = torch.tensor((measures - mean) / deviation, dtype=torch.float32).clamp(-4, 4)
    y = torch.tensor(defect, dtype=torch.float32)
    # a wrongly filled pixel of a counter costs more than one that stays damaged
    weight = torch.tensor(np.where(defect, np.sqrt(np.clip(size, 1, 40)), size), dtype=torch.float32)
    sizes = (measures.shape[1], *_HIDDEN, 1)
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.Tanh()]
    network = torch.nn.Sequential(*layers[:-1])
    batch = 1024
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
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = []
    for target in options.target:
        parts.append(samples(Pairs(options.source, target, options.count, 256, options.seed), options.seed))
        print(f"{target.name}: {len(parts[-1][0])} gaps, {parts[-1][1].sum()} of them damage", flush=True)
    measures, defect, size = (np.concatenate(part) for part in zip(*parts, strict=True))
    write("_LOCAL", fit(measures[:, : len(MEASURES)], defect, size, options.seed))
    write("_GUIDED", fit(measures, defect, size, options.seed))


if __name__ == "__main__":
    main()
