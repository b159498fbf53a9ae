"""Presets: what they fill in, that the recipe wins, and that each fits its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from box_fonts import FIXTURES, NOTO, ZEN
from click.testing import CliRunner

from fontgen.cli import main
from fontgen.errors import RecipeError
from fontgen.presets import filled, preset_for, preset_named, presets, sources_of_values
from fontgen.recipe import Recipe, load_recipe
from fontgen.zi2zi.memory import foretell
from fontgen.zi2zi.planning import GB, room_for_tensors

FONTS: dict[str, Any] = {"source": {"fonts": ["source.ttf"]}, "target": {"font": "target.ttf"}}
CARDS = [name for name, preset in presets().items() if preset.card_gb]


def keys_of(tables: dict[str, Any], before: str = "") -> set[str]:
    found = set()
    for key, value in tables.items():
        found |= keys_of(value, f"{before}{key}.") if isinstance(value, dict) else {before + key}
    return found


def value_at(data: Any, key: str) -> Any:
    for part in key.split("."):
        data = data[part]
    return data


def test_there_is_one_for_each_kind_of_machine() -> None:
    assert list(presets()) == ["cpu", "laptop-4gb", "t4", "quality-24gb", "h200"]
    assert CARDS == ["laptop-4gb", "t4", "quality-24gb", "h200"]


@pytest.mark.parametrize("name", presets())
def test_a_preset_fills_in_every_one_of_its_values(name: str) -> None:
    preset = preset_named(name)
    resolved = Recipe.model_validate(FONTS | {"preset": name}).model_dump(mode="json", by_alias=True)
    plain = Recipe.model_validate(FONTS).model_dump(mode="json", by_alias=True)
    keys = keys_of(preset.tables)
    assert "train.epochs" in keys
    assert "train.steps" not in keys, "a recipe's epochs would not win over it"
    for key in keys:
        assert value_at(resolved, key) == value_at(preset.tables, key)
    changed = {key for key in keys_of(plain) if value_at(plain, key) != value_at(resolved, key)}
    assert changed - {"preset"} <= keys


@pytest.mark.parametrize("name", CARDS)
def test_a_preset_fits_its_card(name: str) -> None:
    """By the plan, with what the card keeps for itself, and a tenth to spare for what the plan does not see."""
    recipe = Recipe.model_validate(FONTS | {"preset": name})
    card_gb = preset_named(name).card_gb
    assert card_gb is not None
    room, _ = room_for_tensors(torch.device("cpu"), int(card_gb * GB))
    peak = foretell(recipe.network, recipe.train, recipe.canvas_size_px, torch.device("cpu")).peak
    assert room is not None
    print(f"{name}: {peak / GB:.2f} of {room / GB:.2f} GB")
    assert peak < 0.9 * room


def test_the_recipe_wins_key_by_key() -> None:
    recipe = Recipe.model_validate(
        FONTS
        | {
            "preset": "cpu",
            "network": {"ngf": 24},
            "train": {"batch_size": 3, "losses": {"dice": 7.0}, "balance": {"start": 0.5}},
        }
    )
    assert (recipe.network.ngf, recipe.network.ndf, recipe.network.skip) == (24, 8, "concat")
    assert (recipe.train.batch_size, recipe.train.epochs) == (3, 12)
    assert (recipe.train.losses.dice, recipe.train.losses.category) == (7.0, 0.0)
    assert (recipe.train.balance.start, recipe.train.balance.d_every) == (0.5, 4)
    assert recipe.canvas.size_px == 128


def test_attention_moves_with_the_canvas_of_the_recipe() -> None:
    def attention(**tables: Any) -> tuple[int, ...]:
        return Recipe.model_validate(FONTS | {"preset": "t4"} | tables).network.attention

    assert attention() == (16, 32)
    assert attention(canvas={"size_px": 384}) == (24, 48)
    assert attention(canvas={"size_px": 512}) == (32, 64)
    assert attention(canvas={"size_px": 40}, network={"num_downs": 3}) == ()
    assert attention(canvas={"size_px": 384}, network={"attention": [12]}) == (12,)
    assert attention(canvas={"margin_em": 0.1}) == (16, 32)
    with_offsets = FONTS | {"preset": "t4", "zi2zi": {"canvas_size": 384, "char_size": 340}}
    recipe = Recipe.model_validate(with_offsets)
    assert (recipe.canvas_size_px, recipe.network.attention) == (384, (24, 48))


def test_what_is_no_preset_is_named_with_line_and_list(tmp_path: Path) -> None:
    text = f'name = "r"\npreset = "T4"\n[source]\nfonts = ["{NOTO}"]\n[target]\nfont = "{ZEN}"\n'
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "r.toml")
    message = str(caught.value).removeprefix(f"{tmp_path}/")
    assert message == "r.toml:2: [preset]: no preset 'T4'; choose cpu, laptop-4gb, t4, quality-24gb, h200"
    assert load_recipe(tmp_path / "r.toml", preset="t4").network.attention == (16, 32)
    (tmp_path / "r.toml").write_text(text.replace('"T4"', "4"))
    with pytest.raises(RecipeError, match=r"r\.toml:2: .*string, not 4"):
        load_recipe(tmp_path / "r.toml")
    with pytest.raises(ValueError, match="no preset 'none'"):
        filled({}, "none")


def test_the_cpu_preset_is_what_the_demo_does_from_scratch() -> None:
    """So that the figures that the README gives for it are those of the preset."""
    path = FIXTURES.parent / "pipelines" / "demo-from-scratch.toml"
    demo = load_recipe(path)
    preset = Recipe.model_validate(FONTS | {"preset": "cpu"})
    assert demo.network == preset.network
    assert demo.train == preset.train.model_copy(update={"epochs": demo.train.epochs, "steps": demo.train.steps})
    assert (demo.canvas, demo.infer) == (preset.canvas, preset.infer)
    assert demo.train.steps is not None
    assert demo.train.steps * demo.train.batch_size / 755 == pytest.approx(preset.train.epochs, abs=1)


def test_every_value_says_where_it_comes_from() -> None:
    used = {key for preset in presets().values() for key in keys_of(preset.tables)}
    assert sources_of_values().keys() == used


@pytest.mark.parametrize(
    ("card_gb", "name"),
    [(None, "cpu"), (3.8, "laptop-4gb"), (8, "laptop-4gb"), (14.7, "t4"), (23.6, "quality-24gb"), (139.8, "h200")],
)
def test_the_preset_for_a_machine(card_gb: float | None, name: str) -> None:
    assert preset_for(card_gb) == name


@pytest.mark.parametrize(("card_gb", "name"), [(None, "cpu"), (15.0, "t4")])
def test_init_writes_the_preset_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card_gb: float | None, name: str
) -> None:
    monkeypatch.setattr("fontgen.zi2zi.device.card_memory_gb", lambda: card_gb)
    recipe = tmp_path / "my.toml"
    arguments = ["init", "--source", str(NOTO), "--target", str(ZEN), "-o", str(recipe)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert load_recipe(recipe).preset == name
    text = recipe.read_text(encoding="utf-8")
    assert all(f"#   {known}" in text for known in presets())
