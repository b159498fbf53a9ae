"""Turning a generator of zi2zi-pytorch into one of ours that draws the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from fontgen.canvas import Canvas
from fontgen.errors import CheckpointError, RecipeError
from fontgen.zi2zi.checkpoint import load_weights, save_generator
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.header import CheckpointHeader, current_versions
from fontgen.zi2zi.legacy import (
    ForeignDiscriminator,
    ForeignGenerator,
    block_name,
    down_index,
    norm_index,
    read_foreign,
    step_of,
)
from fontgen.zi2zi.network_settings import NetworkSettings

AttentionWays = Literal["auto", "down", "both"]
"""Where attention applies when the channels leave it open: on the way down only, or both ways; auto as published."""


def read_foreign_generator(path: Path) -> ForeignGenerator:
    """Raises CheckpointError for a discriminator and for what is no network of zi2zi-pytorch."""
    found = read_foreign(path)
    if isinstance(found, ForeignDiscriminator):
        raise CheckpointError(
            f"{path}: a discriminator, which draws nothing; import the *_net_G.pth beside it (training makes a new one)"
        )
    return found


def import_foreign(
    path: Path,
    output: Path,
    found: ForeignGenerator,
    *,
    canvas: Canvas,
    styles: Sequence[str],
    norm: Literal["instance", "none"] = "instance",
    attention: AttentionWays = "auto",
    metadata: Mapping[str, Any],
) -> CheckpointHeader:
    """Write `found`, read from `path`, as a checkpoint of ours and return its header.

    `canvas` is that of the images the network was trained on. `styles` names the styles from 0 on; the others get a
    number for a name. `norm` is asked only where the weights do not tell. Raises CheckpointError when the network
    is none that ours can be, or the canvas does not fit it.
    """
    if found.norm not in {"batch", "none or instance"}:
        raise CheckpointError(
            f"{path}: its norm layers ({found.norm}) are none that zi2zi-pytorch was published with; fontgen imports "
            "BatchNorm and InstanceNorm without weights"
        )
    if len(styles) > found.embedding_num:
        raise CheckpointError(f"{path}: {len(styles)} style names, but it has room for {found.embedding_num} styles")
    both_ways = found.attends_both_ways if attention == "auto" else attention == "both"
    try:
        settings = _settings(found, canvas.size_px, norm, both_ways)
        if settings.channels_for(canvas.size_px) != found.channels:
            raise CheckpointError(f"{path}: levels of {found.channels} channels, which do not double up to a limit")
        generator = Generator(settings, canvas.size_px)
    except RecipeError as error:
        sizes = ", ".join(map(str, found.sizes_px)) or f"multiples of {2 ** len(found.channels)}"
        raise CheckpointError(f"{path}: {error} (--size: {sizes})") from error
    try:
        weights = _weights(found, settings, both_ways)
    except KeyError as error:
        raise CheckpointError(
            f"{path}: lacks {error.args[0]}; give an unchanged *_net_G.pth of zi2zi-pytorch"
        ) from error
    load_weights(generator, weights, path)
    header = CheckpointHeader(
        network=settings,
        canvas=canvas,
        styles=[*styles, *(f"style {number}" for number in range(len(styles), found.embedding_num))],
        step=step_of(path) or 0,
        pairs="",
        metadata={**metadata, "imported": {"from": "zi2zi-pytorch", "file": path.name}},
        versions=current_versions(torch.__version__),
    )
    save_generator(output, generator, header)
    return header


def _settings(found: ForeignGenerator, size_px: int, norm: str, both_ways: bool) -> NetworkSettings:
    down = [size_px >> each.level + 1 for each in found.attention if each.place != "up"]
    up = [
        size_px >> each.level
        for each in found.attention
        if each.place == "up" or (both_ways and each.place == "unknown")
    ]
    data = {
        "ngf": found.channels[0],
        "max_channels": max(found.channels),
        "num_downs": len(found.channels),
        "embedding_num": found.embedding_num,
        "embedding_dim": found.embedding_dim,
        "norm": "batch" if found.norm == "batch" else norm,
        "skip": found.skip,
        "upsampling": found.upsampling,
        "attention": sorted(down),
        "attention_up": sorted(up),
        "image_channels": found.image_channels,
    }
    try:
        return NetworkSettings.model_validate(data)
    except ValueError as error:
        raise RecipeError(f"a network that fontgen does not have ({str(error).splitlines()[-2].strip()})") from error


def _weights(found: ForeignGenerator, settings: NetworkSettings, both_ways: bool) -> dict[str, Tensor]:
    """The weights by our names. Where ours has a bias and theirs has none, it is 0."""
    theirs = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.weights.items()}
    ours = {"embedding.weight": theirs["embedder.weight"]}
    last = len(found.channels) - 1
    for level in range(last + 1):
        block = block_name(level)
        down_norm = f"{block}down.2" if 0 < level < last else None
        up_norm = f"{block}up.{norm_index(found.upsampling)}" if level else None
        ours |= _convolution(theirs, f"{block}down.{down_index(level)}", f"downs.{level}", down_norm, settings)
        ours |= _convolution(theirs, f"{block}up.1", f"ups.{level}", up_norm, settings)
    for each in found.attention:
        block = block_name(each.level)
        if each.place != "up":
            ours |= _attention(theirs, f"{block}att", f"downs.{each.level}.attention", scaled=True)
        if each.place == "up" or (both_ways and each.place == "unknown"):
            # The layer that only ever worked on the way up (12/2025) did not divide its scores by sqrt(K).
            scaled = each.place == "unknown"
            ours |= _attention(theirs, f"{block}att", f"ups.{each.level}.attention", scaled=scaled)
    return ours


def _convolution(
    theirs: Mapping[str, Tensor], conv: str, ours: str, norm: str | None, settings: NetworkSettings
) -> dict[str, Tensor]:
    """A convolution and the norm after it."""
    weight, bias = theirs[f"{conv}.weight"], theirs.get(f"{conv}.bias")
    found = {f"{ours}.conv.weight": weight}
    if norm is None or settings.norm != "batch":
        outputs = weight.shape[1] if ours.startswith("ups") and settings.upsampling == "transposed" else weight.shape[0]
        found[f"{ours}.conv.bias"] = torch.zeros(outputs) if bias is None else bias
        return found
    mean = theirs[f"{norm}.running_mean"]
    found |= {f"{ours}.norm.{name}": theirs[f"{norm}.{name}"] for name in ("weight", "bias", "running_var")}
    # A bias before a BatchNorm only moves the mean that it takes away.
    found[f"{ours}.norm.running_mean"] = mean if bias is None else mean - bias
    found[f"{ours}.norm.num_batches_tracked"] = theirs.get(f"{norm}.num_batches_tracked", torch.tensor(0))
    return found


def _attention(theirs: Mapping[str, Tensor], layer: str, ours: str, *, scaled: bool) -> dict[str, Tensor]:
    """A layer of self-attention. Ours divides the scores by sqrt(K): for one that did not, the query is larger."""
    found = {f"{ours}.gamma": theirs[f"{layer}.gamma"]}
    for part in ("query", "key", "value"):
        factor = math.sqrt(theirs[f"{layer}.query_conv.weight"].shape[0]) if part == "query" and not scaled else 1.0
        for name in ("weight", "bias"):
            found[f"{ours}.{part}.{name}"] = factor * theirs[f"{layer}.{part}_conv.{name}"]
    return found
