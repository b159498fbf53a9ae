"""`fontgen plan`: what a recipe's training will cost, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from fontgen.glyphs.pairs import PAIRS, PairSet
from fontgen.stages.build import Build
from fontgen.stages.inputs import count_pairs


def estimate_lines(build: Build) -> Iterator[str]:
    """Parameters, levels, memory, and the time that the recipe's steps will take on this machine."""
    from fontgen.zi2zi.device import resolve_device
    from fontgen.zi2zi.estimate import estimate

    recipe = build.recipe
    device = resolve_device(build.device)
    folder = build.folder("pairs").path
    pairs = len(PairSet.open(folder)) if (folder / PAIRS).exists() else count_pairs(build)
    result = estimate(recipe.network, recipe.train, recipe.canvas_size_px, device)
    steps = recipe.train.total_steps(max(1, pairs))
    effective = recipe.train.batch_size * recipe.train.accumulate
    yield f"device         {device}"
    yield f"canvas         {recipe.canvas_size_px} px, {pairs} pairs, held-out ones counted in"
    yield f"generator      {result.generator_parameters / 1e6:.3f} M parameters"
    yield f"discriminator  {result.discriminator_parameters / 1e6:.3f} M parameters"
    yield "levels         " + ", ".join(f"{width} px x {channels}" for width, channels in result.levels)
    yield f"batch          {recipe.train.batch_size}, {recipe.train.accumulate} a step: {effective} pairs"
    yield f"memory         {result.weight_bytes / 1e6:,.0f} MB weights, gradients and moments"
    yield f"               {result.activation_bytes / 1e6:,.0f} MB activations of the generator at this batch"
    seconds = result.seconds_per_step * steps
    yield (
        f"time           {result.seconds_per_step:.3f} s a step x {steps} steps = {_duration(seconds)} "
        f"({effective / result.seconds_per_step:.1f} images/s, {steps * effective / max(1, pairs):.1f} epochs)"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
