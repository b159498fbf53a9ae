"""Presets: values for a kind of machine, filled in where a recipe says nothing. They stand in data/presets.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Tables = dict[str, Any]
"""Tables of a recipe, as TOML gives them."""


@dataclass(frozen=True)
class Preset:
    """Values for a kind of machine."""

    name: str
    about: str
    card_gb: float | None
    """The card that its training fits, in GB of 2^30 bytes; None without a card."""
    from_gb: float | None
    """The smallest card that it is offered to."""
    tables: Tables
    """What it fills in, by table."""


@cache
def _data() -> Tables:
    text = resources.files("fontgen").joinpath("data/presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def presets() -> dict[str, Preset]:
    """All presets by name, from the smallest machine to the largest."""
    return {
        name: Preset(
            name,
            data["about"],
            data.get("card_gb"),
            data.get("from_gb"),
            {key: value for key, value in data.items() if isinstance(value, dict)},
        )
        for name, data in _data().items()
        if name != "why"
    }


def sources_of_values() -> dict[str, str]:
    """Where the value of each key that presets set comes from, by `table.key`."""
    return dict(_data()["why"])


def preset_named(name: str) -> Preset:
    """Raises ValueError with the list of presets when there is none of that name."""
    known = presets()
    if name not in known:
        raise ValueError(f"no preset {name!r}; choose {', '.join(known)}")
    return known[name]


def preset_for(card_gb: float | None) -> str:
    """The preset to offer on a machine with a card of so many GB, or with none."""
    if card_gb is None:
        return "cpu"
    fitting = [preset for preset in presets().values() if preset.from_gb is not None and preset.from_gb <= card_gb]
    return max(fitting, key=lambda preset: preset.from_gb or 0.0).name


def filled(recipe: Tables, name: str) -> Tables:
    """A recipe's tables with those of a preset beneath them: what the recipe says wins, key by key.

    With [zi2zi] the preset says nothing about the canvas, with [train] start_from nothing about the network. On
    another canvas than the preset's its attention lies on the maps of the same depth, or falls away where there are
    none.
    """
    preset = preset_named(name)
    settled = {"canvas"} if "zi2zi" in recipe else set()
    train = recipe.get("train")
    if isinstance(train, dict) and "start_from" in train:
        settled.add("network")
    tables = {key: value for key, value in preset.tables.items() if key not in settled}
    size_px = _size_px(recipe)
    attention = tables.get("network", {}).get("attention")
    if attention and size_px is not None:
        scaled = [width * size_px / preset.tables["canvas"]["size_px"] for width in attention]
        fits = all(width == int(width) for width in scaled)
        tables["network"] = tables["network"] | {"attention": [int(width) for width in scaled] if fits else []}
    return _over(recipe, tables)


def _size_px(recipe: Tables) -> int | None:
    """The canvas that the recipe itself asks for."""
    asked = [recipe.get(table, {}) for table in ("zi2zi", "canvas")]
    sizes = [table.get(key) for table, key in zip(asked, ("canvas_size", "size_px"), strict=True)]
    return next((size for size in sizes if isinstance(size, int)), None)


def _over(above: Tables, beneath: Tables) -> Tables:
    both = dict(beneath) | above
    for key, value in beneath.items():
        if isinstance(value, dict) and isinstance(above.get(key), dict):
            both[key] = _over(above[key], value)
    return both
