"""The base model that is shipped: small, open, honest about its fonts, and of use to a new font."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fontgen.charset import parse_charset
from fontgen.glyphs.pairs import is_held_out
from fontgen.pipeline import make_build
from fontgen.recipe import Recipe, load_recipe
from fontgen.talk import Talk
from fontgen.zi2zi.checkpoint import load_generator
from fontgen.zi2zi.header import CheckpointHeader, read_header
from scripts.base_model_fonts import BASE_MODEL_FONTS

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "fixtures" / "models" / "base-128.safetensors"
LICENCE = (ROOT / "fixtures" / "models" / "OFL.txt").read_text(encoding="utf-8")
OFL_ADDRESSES = {"http://scripts.sil.org/OFL", "https://scripts.sil.org/OFL", "https://openfontlicense.org"}
KEPT_OUT = ("zen maru", "klee", "lxgw", "wenkai", "reggae", "yusei", "dela")
"""The demo's target, and the fonts that measure how the model carries over."""
NOTO = "noto-sans-jp-bold.ttf"


@pytest.fixture(scope="module")
def header() -> CheckpointHeader:
    return read_header(MODEL)


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Its recipe, read where its fonts have not been fetched."""
    monkeypatch.setattr(Recipe, "input_files", lambda self: {})
    return load_recipe(ROOT / "pipelines" / "base-model.toml")


def test_it_is_small_and_in_half_precision(header: CheckpointHeader) -> None:
    assert MODEL.stat().st_size <= 15_000_000
    assert header.precision == "fp16"
    assert header.canvas.size_px == 128


def test_its_fonts_are_those_of_its_recipe_and_all_free(header: CheckpointHeader, recipe: Recipe) -> None:
    files = [target.font.path.stem for target in recipe.targets if target.font]
    assert files == list(BASE_MODEL_FONTS)
    recorded = header.metadata["fonts"]
    assert sorted(font["file"] for font in recorded.values()) == sorted([*(f"{f}.ttf" for f in files), NOTO])
    for font in recorded.values():
        assert font["licence"] in OFL_ADDRESSES, font["file"]
        assert font["copyright"] in LICENCE, font["file"]


def test_what_measures_it_was_kept_out(header: CheckpointHeader, recipe: Recipe) -> None:
    names = [*header.styles, *BASE_MODEL_FONTS]
    assert len(header.styles) == 16
    assert not [name for name in names for kept in KEPT_OUT if kept in name.casefold().replace("-", " ")]
    seen = parse_charset(recipe.pairs.charset or "", folder=ROOT / "pipelines")
    truth = parse_charset(f"@{ROOT / 'fixtures' / 'truth-kanji.txt'}")
    assert len(seen) > 5000
    assert not set(seen) & set(truth)
    demo = load_recipe(ROOT / "pipelines" / "demo.toml")
    assert demo.pairs.held_out <= recipe.pairs.held_out
    held_out = [c for c in seen if is_held_out(c, demo.pairs.held_out)]
    assert held_out
    assert all(is_held_out(c, recipe.pairs.held_out) for c in held_out)


def test_it_draws_its_styles_apart(header: CheckpointHeader) -> None:
    generator, _ = load_generator(MODEL, "cpu")
    source = torch.full((2, 1, 128, 128), 1.0)
    source[:, :, 30:45, 20:108] = -1.0
    source[:, :, 80:95, 20:108] = -1.0
    with torch.inference_mode():
        black, thin = generator(source, torch.tensor([2, 11]))  # M PLUS Rounded 1c Black, Yomogi
    assert (black < 0).sum() > 1.5 * (thin < 0).sum()


def test_the_demo_starts_from_it_and_the_other_demo_from_nothing() -> None:
    def network_of(name: str) -> tuple[Path | None, int]:
        path = ROOT / "pipelines" / name
        build = make_build(load_recipe(path), path, output=None, device="cpu", want=None, talk=Talk(quiet=True))
        return build.recipe.train.start_from, build.recipe.network.embedding_num

    assert network_of("demo.toml") == (MODEL, 17)
    assert network_of("demo-from-scratch.toml") == (None, 1)
