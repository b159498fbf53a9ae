"""`fontgen plan`: what a recipe's training will cost on this machine or on a card of a given size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fontgen.glyphs.pairs import PAIRS, PairSet, held_out_split
from fontgen.stages.build import Build
from fontgen.stages.inputs import training_codepoints


@dataclass(frozen=True)
class RecipePlan:
    """The plan of a recipe's training, and the pairs that it is for."""

    size_px: int
    pairs: int
    held_out: int
    preset: str | None
    plan: Any
    """A `fontgen.zi2zi.planning.Plan`."""

    def lines(self) -> Iterator[str]:
        """What `fontgen plan` prints."""
        if self.preset:
            yield f"preset         {self.preset}"
        yield f"device         {self.plan.device}"
        yield f"canvas         {self.size_px} px"
        yield f"pairs          {self.pairs - self.held_out:,} to train on, {self.held_out:,} held out"
        yield from self.plan.lines()

    def to_json(self) -> dict[str, Any]:
        return {
            "preset": self.preset,
            "pairs": self.pairs,
            "held_out": self.held_out,
            **self.plan.to_json(),
        }


def plan_recipe(build: Build, vram_bytes: int | None = None) -> RecipePlan:
    """Plan the training of a recipe; `vram_bytes` is the memory of the card to plan for, if not for this device."""
    from fontgen.zi2zi.device import resolve_device
    from fontgen.zi2zi.planning import make_plan

    recipe = build.recipe
    pairs, held_out = _count(build)
    plan = make_plan(
        recipe.network,
        recipe.train,
        recipe.canvas_size_px,
        resolve_device(build.device),
        training_pairs=max(1, pairs - held_out),
        vram_bytes=vram_bytes,
    )
    return RecipePlan(recipe.canvas_size_px, pairs, held_out, recipe.preset, plan)


def _count(build: Build) -> tuple[int, int]:
    """Pairs, and how many of them are held out: of the pairs drawn, or of those that the fonts promise."""
    folder = build.folder("pairs").path
    if (folder / PAIRS).exists():
        pairs = PairSet.open(folder)
        return len(pairs), int(np.count_nonzero(pairs.held_out))
    codepoints = training_codepoints(build)
    split = held_out_split(codepoints, build.recipe.pairs.held_out)
    return len(codepoints), sum(split[codepoint] for codepoint in codepoints)
