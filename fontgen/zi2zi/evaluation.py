"""How well the running mean draws the held-out pairs. Shapes: B batch, H rows, W columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fontgen.zi2zi.data import PairBatches, to_ink, to_ink8
from fontgen.zi2zi.figures import StyleSpread, change_counts, change_figures, fidelity
from fontgen.zi2zi.generator import Generator

SAMPLE_GLYPHS = 16
"""Held-out glyphs shown at each evaluation, always the same ones."""

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Evaluation:
    """Figures over all held-out pairs, and (n, size, size) uint8 ink of the glyphs that are shown."""

    figures: dict[str, float]
    by_style: dict[int, dict[str, float]]
    """Style index -> fidelity of its own held-out pairs."""
    source: Images
    generated: Images
    truth: Images

    def of_styles(self, names: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
        """The figures of each style by index and name, as the log has them, where there are several."""
        if len(self.by_style) < 2:
            return {}
        return {"styles": {f"{index} {names[index]}": figures for index, figures in self.by_style.items()}}


@torch.inference_mode()
def evaluate(generator: Generator, batches: PairBatches, codepoints: NDArray[np.int32], batch_size: int) -> Evaluation:
    """Draw every held-out pair of `batches`; `codepoints` are those of all pairs. At least one pair is held out."""
    held_out = batches.held_out
    shown = set(held_out[np.linspace(0, len(held_out) - 1, min(SAMPLE_GLYPHS, len(held_out))).astype(int)].tolist())
    sums: dict[str, float] = {}
    per_pair: dict[str, list[float]] = {}
    spread = StyleSpread(codepoints[held_out].tolist())
    sheet: list[tuple[Images, ...]] = []
    for start in range(0, len(held_out), batch_size):
        indices = held_out[start : start + batch_size]
        source, target, style_index = batches.pick(indices)
        fake = generator(source, style_index)
        inks = to_ink(source), to_ink(fake), to_ink(target)
        values = fidelity(inks[1], inks[2])
        _add(sums, values)
        for name, value_B in values.items():
            per_pair.setdefault(name, []).extend(value_B.tolist())
        _add(sums, change_counts(*inks))
        spread.add(codepoints[indices].tolist(), inks[1], inks[2])
        rows = [row for row, index in enumerate(indices.tolist()) if index in shown]
        sheet.append(tuple(to_ink8(images[rows]).cpu().numpy() for images in (source, fake, target)))
    source8, fake8, target8 = (np.concatenate(column) for column in zip(*sheet, strict=True))
    changes = change_figures({name: sums.pop(name) for name in list(sums) if name.startswith("px_")})
    figures = {name: value / len(held_out) for name, value in sums.items()} | changes | spread.figures()
    return Evaluation(figures, _by_style(per_pair, batches.style_index[held_out]), source8, fake8, target8)


def _by_style(per_pair: dict[str, list[float]], style_index: NDArray[np.int64]) -> dict[int, dict[str, float]]:
    """Means over the pairs of each style."""
    return {
        int(style): {name: float(np.mean(np.array(values)[style_index == style])) for name, values in per_pair.items()}
        for style in np.unique(style_index)
    }


def _add(sums: dict[str, float], values: Mapping[str, Tensor]) -> None:
    for name, value_B in values.items():
        sums[name] = sums.get(name, 0.0) + float(value_B.sum())
