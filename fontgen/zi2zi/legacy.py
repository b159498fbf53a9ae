"""What a checkpoint of zi2zi-pytorch is, read off its weights.

The shapes, names and order of layers are those that the public repositories EuphoriaYan/zi2zi-pytorch (2020) and
max32002/zi2zi-pytorch (to 2026) gave their networks: a U-Net of nested blocks, `model.submodule.submodule...`, each
with `down`, `up` and perhaps `att`, and an `embedder`; a discriminator of five convolutions with two heads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from fontgen.errors import CheckpointError
from fontgen.zi2zi.legacy_file import read_foreign_weights, without_spectral_norm

SIZES_PX = (128, 256, 384, 512)

_USUAL_SIZE_PX = {5: 128, 7: 384, 8: 256}
"""Canvas by number of levels, as the public training script has it (8 at 256 px, 7 at 384 px)."""

_BLOCK = re.compile(r"model\.((?:submodule\.)*)(down|up|att)\.(.+)")
_STEP = re.compile(r"(\d+)_net_[GD]")

NormKind = Literal["batch", "none or instance", "affine", "instance with running statistics"]


@dataclass(frozen=True, kw_only=True)
class ForeignAttention:
    """Self-attention of one level."""

    level: int
    """Outermost level 0."""
    place: Literal["down", "up", "unknown"]
    """The map it belongs to, as its channels tell; unknown where the maps of both ways have the same."""


@dataclass(frozen=True, kw_only=True)
class ForeignGenerator:
    """A generator of zi2zi-pytorch."""

    channels: list[int]
    """By level, outermost first."""
    image_channels: int
    upsampling: Literal["pixelshuffle", "transposed"]
    skip: Literal["residual", "concat"]
    norm: NormKind
    attention: list[ForeignAttention]
    spectral_norm: bool
    embedding_num: int
    embedding_dim: int
    parameters: int
    weights: dict[str, Tensor]
    """By the names of the file, spectral norm divided out."""

    @property
    def sizes_px(self) -> list[int]:
        """The usual canvas sizes that these levels can halve."""
        return [size for size in SIZES_PX if size % 2 ** len(self.channels) == 0]

    @property
    def usual_size_px(self) -> int | None:
        """The canvas that the public script trains such a network at."""
        usual = _USUAL_SIZE_PX.get(len(self.channels))
        return usual or next(iter(self.sizes_px), None)

    @property
    def attends_both_ways(self) -> bool:
        """Whether attention sits where the public code of 12/2025 to 3/2026 had it, and applied it both ways.

        It sat in the two deepest levels then, and that code applied the layer of the second deepest to the map
        on the way down and, with the same weights, to the map on the way up. Since then it applies downwards only.
        """
        deepest = len(self.channels) - 1
        return [(each.level, each.place) for each in self.attention] == [
            (deepest - 1, "unknown"),
            (deepest, "down"),
        ]


@dataclass(frozen=True, kw_only=True)
class ForeignDiscriminator:
    """A discriminator of zi2zi-pytorch."""

    channels: list[int]
    """Output channels of its convolutions, in order."""
    kernel: int
    image_channels: int
    norm: NormKind
    spectral_norm: bool
    embedding_num: int
    size_px: int | None
    """The canvas, which its two heads tell; None when they have no usual shape."""
    parameters: int


def read_foreign(path: Path) -> ForeignGenerator | ForeignDiscriminator:
    """What the file holds. Raises CheckpointError for all that is no network of zi2zi-pytorch."""
    tensors = read_foreign_weights(path)
    parameters = sum(tensor.numel() for name, tensor in tensors.items() if not _is_buffer(name))
    weights, normalised = without_spectral_norm(tensors, path)
    try:
        if "embedder.weight" in weights:
            return _generator(weights, parameters, spectral_norm=normalised > 0, path=path)
        if "binary.weight" in weights and "catagory.weight" in weights:
            return _discriminator(weights, parameters, spectral_norm=normalised > 0)
    except (KeyError, IndexError, ValueError) as error:
        raise _stranger(path, [str(error)]) from error
    raise _stranger(path, weights)


def _stranger(path: Path, names: Iterable[str]) -> CheckpointError:
    few = ", ".join(sorted(names)[:3])
    return CheckpointError(
        f"{path}: not a network of zi2zi-pytorch that fontgen knows (it has {few or 'no weights'}); "
        "give a *_net_G.pth or *_net_D.pth"
    )


def _is_buffer(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return last in {"running_mean", "running_var", "num_batches_tracked", "weight_u", "weight_v", "_u", "_v"}


def _norm_kind(names: Iterable[str]) -> NormKind:
    """Of the names below the norm layers."""
    last = {name.rsplit(".", 1)[-1] for name in names}
    if "running_mean" in last:
        return "batch" if "weight" in last else "instance with running statistics"
    return "affine" if "weight" in last else "none or instance"


def block_name(level: int) -> str:
    return "model." + "submodule." * level


def norm_index(upsampling: str) -> int:
    """Where the norm stands in `up`: after ReLU, convolution and, with PixelShuffle, the shuffle."""
    return 3 if upsampling == "pixelshuffle" else 2


def down_index(level: int) -> int:
    """Where the convolution stands in `down`: first at the outermost level, else after LeakyReLU."""
    return 1 if level else 0


def _generator(weights: dict[str, Tensor], parameters: int, *, spectral_norm: bool, path: Path) -> ForeignGenerator:
    downs = 1 + max(found[1].count("submodule.") for name in weights if (found := _BLOCK.fullmatch(name)))
    last = downs - 1
    down = [weights[f"{block_name(level)}down.{down_index(level)}.weight"] for level in range(downs)]
    up = [weights[f"{block_name(level)}up.1.weight"] for level in range(downs)]
    embedder = weights["embedder.weight"]
    channels = [conv.shape[0] for conv in down]
    image_channels = down[0].shape[1]
    outer = [image_channels, *channels[:-1]]
    shuffles = up[0].shape[2] == 3
    inputs = [conv.shape[1 if shuffles else 0] for conv in up]
    concat = downs > 1 and inputs[0] == 2 * channels[0]
    expected = [
        *((2 if concat else 1) * width for width in channels[:-1]),
        channels[last] + embedder.shape[1],
    ]
    outputs = [4 * width if shuffles else width for width in outer]
    fits = (
        inputs == expected
        and [conv.shape[0 if shuffles else 1] for conv in up] == outputs
        and [conv.shape[1] for conv in down] == outer
        and all(conv.shape[2:] == (4, 4) for conv in down)
        and all(conv.shape[2:] == ((3, 3) if shuffles else (4, 4)) for conv in up)
    )
    if not fits:
        raise CheckpointError(
            f"{path}: a zi2zi generator whose layers do not fit together as those of zi2zi-pytorch do "
            f"(down {channels}, up {inputs}); give a *_net_G.pth of that project"
        )
    upsampling: Literal["pixelshuffle", "transposed"] = "pixelshuffle" if shuffles else "transposed"
    known, norms = _known_names(downs, upsampling)
    if unknown := weights.keys() - known:
        raise CheckpointError(
            f"{path}: a zi2zi generator with layers that fontgen does not know ({', '.join(sorted(unknown)[:3])}); "
            "give a *_net_G.pth of an unchanged zi2zi-pytorch"
        )
    attention = []
    for level in range(downs):
        value = weights.get(f"{block_name(level)}att.value_conv.weight")
        if value is None:
            continue
        inner, above = value.shape[0] == channels[level], value.shape[0] == outer[level]
        if not inner and not above:
            raise _stranger(path, [f"attention of {value.shape[0]} channels at level {level}"])
        # At the innermost level it has always been the bottleneck that attends.
        down_only = inner and (level == last or not above)
        place: Literal["down", "up", "unknown"] = "down" if down_only else "unknown" if inner else "up"
        attention.append(ForeignAttention(level=level, place=place))
    return ForeignGenerator(
        channels=channels,
        image_channels=image_channels,
        upsampling=upsampling,
        skip="concat" if concat else "residual",
        norm=_norm_kind(weights.keys() & norms),
        attention=attention,
        spectral_norm=spectral_norm,
        embedding_num=embedder.shape[0],
        embedding_dim=embedder.shape[1],
        parameters=parameters,
        weights=weights,
    )


def _known_names(downs: int, upsampling: str) -> tuple[set[str], set[str]]:
    """All names that such a generator can have, and those of its norms."""
    known, norms = {"embedder.weight"}, set()
    for level in range(downs):
        block = block_name(level)
        for conv in (f"{block}down.{down_index(level)}", f"{block}up.1"):
            known |= {f"{conv}.weight", f"{conv}.bias"}
        known.add(f"{block}att.gamma")
        for part in ("query", "key", "value"):
            known |= {f"{block}att.{part}_conv.weight", f"{block}att.{part}_conv.bias"}
        layers = [f"{block}down.2"] if 0 < level < downs - 1 else []
        layers += [f"{block}up.{norm_index(upsampling)}"] if level else []
        for layer in layers:
            norms |= {f"{layer}.{last}" for last in ("weight", "bias", "running_mean", "running_var")}
            norms.add(f"{layer}.num_batches_tracked")
    return known | norms, norms


def _discriminator(weights: dict[str, Tensor], parameters: int, *, spectral_norm: bool) -> ForeignDiscriminator:
    convs = {
        int(name.split(".")[1]): tensor
        for name, tensor in weights.items()
        if name.startswith("model.") and name.endswith(".weight") and tensor.dim() == 4
    }
    order = [convs[index] for index in sorted(convs)]
    norms = [name for name in weights if name.startswith("model.") and int(name.split(".")[1]) not in convs]
    kernel = order[0].shape[2]
    cells, outputs = weights["binary.weight"].shape[1], order[-1].shape[0]
    side = isqrt(cells // outputs)
    size_px = None
    if len(order) == 5 and side * side * outputs == cells:
        # Three convolutions halve the map. Those of 2020 with a kernel of 4 lose a row in each of the last two.
        size_px = 8 * side if kernel == 5 else 8 * (side + 2)
    return ForeignDiscriminator(
        channels=[conv.shape[0] for conv in order],
        kernel=kernel,
        image_channels=order[0].shape[1] // 2,
        norm=_norm_kind(norms),
        spectral_norm=spectral_norm,
        embedding_num=weights["catagory.weight"].shape[0],
        size_px=size_px,
        parameters=parameters,
    )


def step_of(path: Path) -> int | None:
    """The training step, which zi2zi-pytorch writes into the file's name alone."""
    found = _STEP.match(path.name)
    return int(found[1]) if found else None


def describe_foreign(path: Path) -> dict[str, Any]:
    """What the weights say, and in `unknown` what they cannot say. Raises CheckpointError."""
    found = read_foreign(path)
    common = {
        "format": "zi2zi-pytorch",
        "network": "generator" if isinstance(found, ForeignGenerator) else "discriminator",
        "parameters": found.parameters,
        "bytes": path.stat().st_size,
        "image_channels": found.image_channels,
        "norm": found.norm,
        "spectral_norm": found.spectral_norm,
        "embedding_num": found.embedding_num,
        "step_by_file_name": step_of(path),
    }
    if isinstance(found, ForeignDiscriminator):
        return {
            **common,
            "ndf": found.channels[0],
            "channels": found.channels,
            "kernel": found.kernel,
            "size_px": found.size_px,
            "unknown": [*_unknown_of_norm(found.norm), "which generator it belongs to", *_NEVER_KNOWN],
        }
    return {
        **common,
        "ngf": found.channels[0],
        "num_downs": len(found.channels),
        "channels": found.channels,
        "residual_skips": found.skip == "residual",
        "upsampling": found.upsampling,
        "attention": [_described(each, found) for each in found.attention],
        "embedding_dim": found.embedding_dim,
        "possible_sizes_px": found.sizes_px,
        "usual_size_px": found.usual_size_px,
        "unknown": _unknown_of(found),
    }


_NEVER_KNOWN = ("dropout", "the fonts", "canvas geometry: char_size, offsets, auto fit", "which style has which number")


def _described(attention: ForeignAttention, found: ForeignGenerator) -> dict[str, Any]:
    down, up = 2 ** (attention.level + 1), 2**attention.level
    return {
        "level": attention.level,
        "channels": found.channels[attention.level],
        "place": attention.place,
        "widths_px": {str(size): size // (up if attention.place == "up" else down) for size in found.sizes_px},
    }


def _unknown_of_norm(norm: NormKind) -> list[str]:
    return ["whether there is InstanceNorm or no norm: neither has weights"] if norm == "none or instance" else []


def _unknown_of(found: ForeignGenerator) -> list[str]:
    unknown = []
    if len(found.sizes_px) != 1:
        unknown.append(
            f"the canvas size: any multiple of {2 ** len(found.channels)} px fits; the discriminator beside it tells"
        )
    unknown += _unknown_of_norm(found.norm)
    if any(each.place == "unknown" for each in found.attention):
        usual = "both" if found.attends_both_ways else "down"
        unknown.append(
            "whether attention applies on the way down only or on the way up as well, since both maps have the same "
            f"channels: import-checkpoint assumes --attention {usual}"
        )
    return [*unknown, "the training step", *_NEVER_KNOWN]
