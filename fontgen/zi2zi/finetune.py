"""Taking over the weights of an earlier checkpoint: the generator, its styles, and the discriminator where it is kept.

Shapes: B batch, S styles, E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fontgen.zi2zi.checkpoint import load_state, load_weights, read_tensors
from fontgen.zi2zi.data import PairBatches
from fontgen.zi2zi.header import CheckpointHeader, read_header
from fontgen.zi2zi.keeping import STATE
from fontgen.zi2zi.lineage import require_pairs_canvas, row_of, styles_after
from fontgen.zi2zi.step import Networks

_EMBEDDING = "embedding.weight"
_JUDGED_PAIRS = 16
"""Pairs on which the styles that are known compete for a new one's first embedding."""


def take_over(networks: Networks, path: Path, styles: Sequence[str], batches: PairBatches) -> dict[str, Any]:
    """Fill fresh networks from the checkpoint at `path`; `styles` are the recipe's, by style index.

    A style that the checkpoint knows by name keeps its embedding. A new one begins with the embedding,
    among the known ones and their mean, whose drawings of its training pairs have the smallest L1. The
    discriminator comes from the trainer's state beside the checkpoint when that is of the same training,
    and stays fresh otherwise. Returns what to record: style -> what it began as, and whether the
    discriminator was taken over. Raises CheckpointError.
    """
    header = read_header(path)
    require_pairs_canvas(path, header, batches.canvas)
    names = styles_after(header.styles, styles)
    rows = [row_of(header.styles, name) for name in names]
    generator, tensors = networks.generator, read_tensors(path)
    known_SE = tensors[_EMBEDDING].float()[: len(header.styles)]
    mean_E = known_SE[[index for index, name in enumerate(header.styles) if name]].mean(0)
    whole_SE = mean_E.repeat(generator.embedding.num_embeddings, 1)
    for index, row in enumerate(rows):
        if row is not None:
            whole_SE[index] = known_SE[row]
    load_weights(generator, {**tensors, _EMBEDDING: whole_SE}, path)
    began = {}
    for index, name in enumerate(styles):
        if name and rows[index] is None:
            began[name] = _begin_style(networks, index, header, known_SE, batches)
    load_weights(networks.mean, generator.state_dict(), path)
    return {"began_as": began, "discriminator": _take_discriminator(networks.discriminator, path, header, rows)}


@torch.no_grad()
def _begin_style(
    networks: Networks, index: int, header: CheckpointHeader, known_SE: Tensor, batches: PairBatches
) -> str:
    """Choose the first embedding of a new style; the name of the style it is taken from, or "mean"."""
    generator = networks.mean
    generator.load_state_dict(networks.generator.state_dict())
    own = batches.training[batches.style_index[batches.training] == index]
    row_E = networks.generator.embedding.weight[index]
    candidates = {name: known_SE[row].to(row_E) for row, name in enumerate(header.styles) if name}
    candidates["mean"] = row_E.clone()  # the last: with a single style the two are the same
    if not len(own):
        return "mean"
    chosen = own[np.linspace(0, len(own) - 1, min(_JUDGED_PAIRS, len(own))).astype(int)]
    source, target, _ = batches.pick(chosen)
    encoding = generator.encoder(source)
    losses = {}
    for name, candidate_E in candidates.items():
        drawn = generator.decoder(encoding, candidate_E.expand(len(chosen), -1), source)
        losses[name] = float(functional.l1_loss(drawn, target))
    best = min(losses, key=lambda name: losses[name])
    row_E.copy_(candidates[best])
    return best


def _take_discriminator(
    discriminator: nn.Module, path: Path, header: CheckpointHeader, rows: Sequence[int | None]
) -> bool:
    """Load the discriminator of the checkpoint's training, if its state is beside it and fits."""
    beside = path.parent / STATE
    if not beside.is_file() or beside == path:
        return False
    groups, state = load_state(beside)
    if state.get("identity", {}).get("set of pairs") != header.pairs:
        return False
    fresh = discriminator.state_dict()
    found = {
        name: _restyled(name, fresh[name], tensor, rows)
        for name, tensor in groups["discriminator"].items()
        if name in fresh
    }
    if found.keys() != fresh.keys() or any(found[name].shape != fresh[name].shape for name in fresh):
        return False
    load_weights(discriminator, found, beside)
    return True


def _restyled(name: str, fresh: Tensor, tensor: Tensor, rows: Sequence[int | None]) -> Tensor:
    """A tensor of the category head with its rows in the new order; fresh ones for new styles."""
    if not name.startswith("style.") or tensor.shape[1:] != fresh.shape[1:] or not tensor.ndim or name.endswith("_v"):
        return tensor
    whole = fresh.clone()
    for index, row in enumerate(rows):
        if row is not None:
            whole[index] = tensor[row].to(whole)
    return whole
