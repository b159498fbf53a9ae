"""A training that starts from a checkpoint: the recipe takes the checkpoint's network and must fit its canvas."""

from __future__ import annotations

from fontgen.recipe import Recipe
from fontgen.stages.build import own_styles
from fontgen.zi2zi.header import read_header


def with_start(recipe: Recipe) -> Recipe:
    """The recipe with the network of the checkpoint that its training starts from, if it names one.

    Raises RecipeError or CheckpointError when recipe and checkpoint do not go together.
    """
    from fontgen.zi2zi.lineage import network_after, require_canvas

    path = recipe.train.start_from
    if path is None or recipe.infer.checkpoint is not None:
        return recipe
    header = read_header(path)
    if recipe.zi2zi is None:  # its margin follows from the target font, and is checked with the pairs
        require_canvas(path, header, recipe.canvas.size_px, recipe.canvas.margin_em, recipe.fit)
    return recipe.model_copy(update={"network": network_after(path, header, recipe.network, own_styles(recipe))})
