"""Checkpoints in words, for people: ours and those of zi2zi-pytorch. Imports torch for the latter only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fontgen.zi2zi.header import describe_checkpoint, is_torch_file
from fontgen.zi2zi.network_settings import NetworkSettings

_SHOWN_STYLES = 8


def describe(path: Path) -> dict[str, Any]:
    """What a checkpoint is, ours or foreign, JSON-able. Raises CheckpointError."""
    if is_torch_file(path):
        from fontgen.zi2zi.legacy import describe_foreign

        return describe_foreign(path)
    return describe_checkpoint(path)


def in_words(described: Mapping[str, Any]) -> list[str]:
    """The lines that `fontgen inspect` prints for what `describe` found."""
    lines = _foreign(described) if described["format"] == "zi2zi-pytorch" else _ours(described)
    return [f"{name + ':':<16}{text}" for name, text in lines]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _size(described: Mapping[str, Any]) -> tuple[str, str]:
    return "parameters", f"{described['parameters'] / 1e6:.3f} M ({described['bytes'] / 1e6:.1f} MB)"


def _ours(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    network = NetworkSettings.model_validate(described["network"])
    canvas = described["canvas"]
    shift = canvas["shift_x_em"], canvas["shift_y_em"]
    styles = [f"{number} {name}" for number, name in enumerate(described["styles"]) if name]
    more = len(styles) > _SHOWN_STYLES
    lines = [
        ("checkpoint", f"fontgen, generator, step {described['step']}"),
        _size(described),
        (
            "canvas",
            f"{canvas['size_px']} px, margin {canvas['margin_em']:g} em, descender {canvas['descender_em']:g} em",
        ),
        ("levels", ", ".join(map(str, network.channels_for(canvas["size_px"]))) + " channels"),
        ("residual skips", _yes(network.skip == "residual")),
        ("attention", _widths(network)),
        ("norm", network.norm + (", spectral norm" if network.spectral_norm_generator else "")),
        ("upsampling", network.upsampling),
        ("embedding", f"{network.embedding_num} styles of {network.embedding_dim}"),
        ("styles", "; ".join(styles[:_SHOWN_STYLES]) + (f"; {len(styles)} in all" if more else "")),
    ]
    if any(shift):
        lines.insert(3, ("content shift", f"{shift[0]:+.4f} em right, {shift[1]:+.4f} em up"))
    if described["figures"]:
        figures = (f"{name} {value:.4g}" for name, value in described["figures"].items() if isinstance(value, float))
        lines.append(("held out", ", ".join(figures)))
    lines += [(f"{key} font", font["file"]) for key, font in described["metadata"].get("fonts", {}).items()]
    if imported := described["metadata"].get("imported"):
        lines.append(("imported", f"{imported['file']} of {imported['from']}"))
    lines.append(("made with", ", ".join(f"{name} {number}" for name, number in described["versions"].items())))
    return lines


def _widths(network: NetworkSettings) -> str:
    ways = [
        f"{', '.join(map(str, widths))} px{way}"
        for widths, way in ((network.attention, " down"), (network.attention_up, " up"))
        if widths
    ]
    if not ways:
        return "none"
    return " and ".join(ways) + (f", {network.attention_layers} layers" if network.attention_layers > 1 else "")


def _foreign(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    step = described["step_by_file_name"]
    by_name = "" if step is None else f", step {step} by its name"
    lines = [
        ("checkpoint", f"zi2zi-pytorch, {described['network']}{by_name}"),
        _size(described),
        ("images", f"{described['image_channels']} channel" + "s" * (described["image_channels"] > 1)),
    ]
    norm = [("norm", described["norm"]), ("spectral norm", _yes(described["spectral_norm"]))]
    if described["network"] == "discriminator":
        size = described["size_px"]
        lines += [
            ("canvas", "not told" if size is None else f"{size} px"),
            ("ndf", f"{described['ndf']} (channels {', '.join(map(str, described['channels']))})"),
            ("kernel", f"{described['kernel']}x{described['kernel']}"),
            *norm,
            ("styles", f"{described['embedding_num']}"),
        ]
    else:
        sizes = described["possible_sizes_px"]
        lines += [
            ("canvas", " or ".join(map(str, sizes)) + " px" if sizes else "not told"),
            ("ngf", f"{described['ngf']}"),
            ("levels", f"{described['num_downs']} ({', '.join(map(str, described['channels']))} channels)"),
            ("residual skips", _yes(described["residual_skips"])),
            ("upsampling", described["upsampling"]),
            ("attention", "; ".join(_one_attention(each) for each in described["attention"]) or "none"),
            *norm,
            ("embedding", f"{described['embedding_num']} styles of {described['embedding_dim']}"),
        ]
    return [*lines, *(("cannot tell", what) for what in described["unknown"])]


def _one_attention(attention: Mapping[str, Any]) -> str:
    widths = ", ".join(f"{px} px at {size}" for size, px in attention["widths_px"].items())
    way = {"down": "down", "up": "up", "unknown": "down, perhaps up"}[attention["place"]]
    return f"level {attention['level'] + 1} {way} ({attention['channels']} channels; {widths})"
