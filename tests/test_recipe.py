"""Recipes: what they may say, and that every mistake is one line with file, line, table and key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from box_fonts import FIXTURES, NOTO, ZEN

from fontgen.errors import RecipeError
from fontgen.recipe import Recipe, load_recipe, save_resolved
from fontgen.recipe_errors import known_keys, line_of

PIPELINES = FIXTURES.parent / "pipelines"
PLAIN = f"""\
[source]
fonts = ["{NOTO}"]

[target]
font = "{ZEN}"
"""


def recipe_of(folder: Path, text: str, name: str = "r.toml") -> Recipe:
    (folder / name).write_text(text, encoding="utf-8")
    return load_recipe(folder / name)


def refusal(folder: Path, text: str) -> str:
    """The message without its folder; `r.toml:3: ...`."""
    with pytest.raises(RecipeError) as caught:
        recipe_of(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_status == 2
    return message.removeprefix(f"{folder}/")


# what recipes may say


def test_a_recipe_needs_but_two_fonts(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, PLAIN, "my-font.toml")
    assert recipe.name == "my-font"
    assert [font.path for font in recipe.source.fonts] == [NOTO]
    assert recipe.target.font is not None
    assert recipe.target.font.path == ZEN
    assert (recipe.canvas_size_px, recipe.fit, recipe.device) == (256, "em", "auto")


def test_paths_are_seen_from_the_recipe_not_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "recipes").mkdir()
    (tmp_path / "fonts" / "a.ttf").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "fonts")
    recipe = recipe_of(
        tmp_path / "recipes",
        '[source]\nfonts = ["../fonts/a.ttf"]\n[target]\nfont = "../fonts/a.ttf"\n[output]\nfolder = "out"\n',
    )
    assert recipe.source.fonts[0].path == tmp_path / "fonts" / "a.ttf"
    assert recipe.output.folder == tmp_path / "recipes" / "out"


def test_a_font_may_be_a_path_or_a_table(tmp_path: Path) -> None:
    recipe = recipe_of(
        tmp_path,
        f'[source]\nfonts = [{{path = "{NOTO}", face_index = 2, location = {{wght = 700}}}}, "{ZEN}"]\n'
        f'[target.font]\npath = "{ZEN}"\n',
    )
    first, second = recipe.source.fonts
    assert (first.path, first.face_index, first.location) == (NOTO, 2, {"wght": 700.0})
    assert (second.path, second.face_index, second.location) == (ZEN, 0, {})


def test_styles_are_learned_beside_the_target(tmp_path: Path) -> None:
    text = PLAIN + f'[[styles]]\nfont = "{ZEN}"\nlabel = 3\nname = "Again"\n'
    recipe = recipe_of(tmp_path, text)
    assert [target.label for target in recipe.targets] == [0, 3]
    assert set(recipe.input_files()) == {"source.fonts.0", "target.font", "styles.0.font"}


def test_target_images_may_stand_for_a_font(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    recipe = recipe_of(tmp_path, f'[source]\nfonts = ["{NOTO}"]\n[target]\nimages = "scans"\n')
    assert recipe.target.images == tmp_path / "scans"
    assert recipe.input_files()["target.images"] == tmp_path / "scans"


def test_the_geometry_of_zi2zi_takes_the_place_of_the_canvas(tmp_path: Path) -> None:
    text = PLAIN + "[zi2zi]\ncanvas_size = 384\nchar_size = 300\nsrc_x_offset = 10\ndst_y_offset = -20\n"
    recipe = recipe_of(tmp_path, text)
    assert recipe.canvas_size_px == 384
    assert recipe.zi2zi is not None
    assert recipe.zi2zi.places_source
    canvas = recipe.zi2zi.target_canvas(0.88)
    np.testing.assert_allclose(canvas.em_to_px @ [0.0, 0.88, 1.0], [0, -20], atol=1e-9)
    assert canvas.size_px == 384
    assert canvas.px_per_em == pytest.approx(300)
    placement = recipe.zi2zi.source_placement(1.16, 0.88)
    assert placement.scale == 1.0
    assert placement.dx_em == pytest.approx(10 / 300)
    # the source's ascender is set 20 px below the target's, and lies 0.28 em higher above its baseline
    assert placement.dy_em == pytest.approx(0.88 - 1.16 - 20 / 300)


def test_auto_fit_of_zi2zi_stands_in_the_middle_whatever_the_offsets(tmp_path: Path) -> None:
    text = PLAIN + "[zi2zi]\ncanvas_size = 384\nchar_size = 300\ndst_y_offset = -20\nfit = 'box'\n"
    recipe = recipe_of(tmp_path, text)
    assert recipe.zi2zi is not None
    assert (recipe.fit, recipe.zi2zi.places_source) == ("box", False)
    canvas = recipe.zi2zi.target_canvas(0.88)
    np.testing.assert_allclose(canvas.em_to_px @ [0.5, canvas.descender_em + 0.5, 1.0], [192, 192])


@pytest.mark.parametrize("path", sorted(PIPELINES.glob("*.toml")), ids=lambda path: path.name)
def test_recipes_of_the_house_are_valid(path: Path) -> None:
    try:
        recipe = load_recipe(path)
    except RecipeError as error:  # the production fonts are put in place by `make fonts`
        assert "no such file" in str(error)  # noqa: PT017
        assert re.search(r"`make (fonts|base-model)` puts the .* in place", str(error))  # noqa: PT017
    else:
        assert recipe.name == path.stem


def test_the_demo_needs_nothing_but_the_fixtures() -> None:
    recipe = load_recipe(PIPELINES / "demo.toml")
    assert {file.parent for file in recipe.input_files().values()} == {FIXTURES, FIXTURES / "models"}
    assert recipe.output.folder == FIXTURES.parent / "build" / "demo"


def test_the_resolved_recipe_says_every_default(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, PLAIN)
    save_resolved(recipe, tmp_path / "recipe.json")
    data = json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))
    assert data["canvas"]["margin_em"] == 0.0625
    assert data["train"]["seed"] == 1
    assert data["register"]["significance"] == recipe.register_.significance
    assert Recipe.model_validate(data) == recipe


# mistakes


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("[canvas]\nsize_pxx = 256\n", r"r.toml:8: unknown key 'size_pxx' in [canvas]; did you mean 'size_px'?"),
        ("[trian]\nsteps = 3\n", "r.toml:7: unknown key 'trian'; did you mean 'train'?"),
        ("[train.losses]\nedgy = 3\n", "r.toml:8: unknown key 'edgy' in [train.losses]; did you mean 'edge'?"),
        ("[train]\nlosses.edgy = 3\n", "r.toml:8: unknown key 'edgy' in [train.losses]; did you mean 'edge'?"),
        ("[font.names]\nfamly = 'A'\n", "r.toml:8: unknown key 'famly' in [font.names]; did you mean 'family'?"),
        ("[register]\nzzzzz = 1\n", "r.toml:8: unknown key 'zzzzz' in [register]"),
        ("[canvas]\nsize_px = '256px'\n", "r.toml:8: [canvas] size_px: give a number, not '256px'"),
        ("[canvas]\nsize_px = 4\n", "r.toml:8: [canvas] size_px: input should be greater than or equal to 8, not 4"),
        ("[canvas]\nfit = 'bos'\n", "r.toml:8: [canvas] fit: input should be 'em' or 'box', not 'bos'"),
        ("[canvas]\nmargin_em = 9\n", "r.toml:8: [canvas] margin_em: input should be less than or equal to 4, not 9"),
        ("[network]\nngf = 64.5\n", "r.toml:8: [network] ngf: input should be a valid integer"),
        ("[pairs]\nheld_out = -1\n", "r.toml:8: [pairs] held_out: input should be greater than or equal to 0, not -1"),
        ("[pairs]\nheld_out = 2.5\n", "r.toml:8: [pairs] held_out: give a share below 1 or a whole number"),
        ("canvas = 3\n", "r.toml:7: "),
        ("[zi2zi]\nchar_size = 100\n", "r.toml:7: [zi2zi] canvas_size: missing; add it to the recipe"),
        ("[truth]\nfont = 3\n", "r.toml:8: [truth] font: give the path of a font, or a table with its path"),
        ("[output]\non_suspect = 'hide'\n", "[output] on_suspect: input should be 'keep', 'drop' or 'source'"),
        ("[truth]\nfont = 'nothing.ttf'\n", "r.toml:8: [truth] font: no such file: "),
        ("[truth]\nfont = 'fonts/a.ttf'\n", "; `make fonts` puts the production fonts in place"),
        ("[infer]\ncheckpoint = 'g.safetensors'\n", "r.toml:8: [infer] checkpoint: no such file: "),
        ("[train]\nsteps = '20'\n", "r.toml:8: [train] steps: give a number, not '20'"),
        ("[train]\nema = true\n", "r.toml:8: [train] ema: give a number, not True"),
        ("[font]\nweb = 'yes'\n", "r.toml:8: [font] web: give true or false, not 'yes'"),
        ("[font]\ntimestamp = 1899-12-31\n", "r.toml:8: [font] timestamp: dates of fonts begin with 1905"),
        ("[[styles]]\nfont = 'nothing.ttf'\nlabel = 1\n", "r.toml:8: [styles] 0.font: no such file: "),
    ],
)
def test_a_mistake_is_named_with_its_line_table_and_key(tmp_path: Path, added: str, message: str) -> None:
    found = refusal(tmp_path, PLAIN + "\n" + added)
    assert message in found


@pytest.mark.parametrize("name", ["..", ".", "a/b", "字" * 67])
def test_a_name_that_no_folder_of_files_can_have_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "r.toml").write_text(f'name = "{name}"\n{PLAIN}', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"r\.toml"):
        load_recipe(tmp_path / "r.toml")


def test_a_byte_order_mark_is_no_part_of_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(PLAIN, encoding="utf-8-sig")
    assert load_recipe(path).name == "r"


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (
            "[canvas]\nsize_px = 256\n[zi2zi]\ncanvas_size = 256\nchar_size = 256\n",
            "r.toml: [canvas] and [zi2zi] both set the geometry; keep one of them",
        ),
        (
            "[zi2zi]\ncanvas_size = 256\nchar_size = 256\n[calibrate]\ndx_em = 0.1\n",
            "r.toml: [calibrate] and the offsets of [zi2zi] both place the source; keep one of them",
        ),
        (f"[[styles]]\nfont = '{ZEN}'\n", "labels [0, 0] repeat; give each style its own label"),
        (
            f"[[styles]]\nfont = '{ZEN}'\nlabel = 40\n",
            "label 40 is outside the embedding; raise [network] embedding_num above it (it is 40)",
        ),
        ("[canvas]\nsize_px = 250\n[network]\nnum_downs = 5\n", "the canvas must be a multiple of 32 px"),
        ("[network]\nattention = [25]\n", "attention at 25 px: a canvas of 256 px has maps of [128, 64"),
    ],
)
def test_what_cannot_go_together_is_refused(tmp_path: Path, added: str, message: str) -> None:
    assert message in refusal(tmp_path, PLAIN + "\n" + added)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (f'font = "{ZEN}"\nimages = "scans"', "r.toml:3: [target]: give either font or images, and not both"),
        ("label = 0", "r.toml:3: [target]: give either font or images, and not both"),
        ('images = "scans"', "r.toml:4: [target] images: no such file: "),
    ],
)
def test_a_target_is_a_font_or_images(tmp_path: Path, target: str, message: str) -> None:
    assert message in refusal(tmp_path, f'[source]\nfonts = ["{NOTO}"]\n[target]\n{target}\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "r.toml: [source]: missing; add it to the recipe (and 1 more)"),
        (f'[source]\nfonts = ["{NOTO}"]\n', "r.toml: [target]: missing; add it to the recipe"),
        (f'[source]\nfonts = []\n[target]\nfont = "{ZEN}"\n', "r.toml:2: [source] fonts: list should have at least 1"),
        (f'[source]\nfonts = [3]\n[target]\nfont = "{ZEN}"\n', "r.toml:2: [source] fonts.0: give the path of a font"),
        (f'[source]\nfonts = ["no.ttf"]\n[target]\nfont = "{ZEN}"\n', "r.toml:2: [source] fonts.0: no such file: "),
        ("[source\n", "r.toml: not valid TOML: "),
        ("a = 1\na = 2\n", "r.toml: not valid TOML: "),
    ],
)
def test_a_recipe_without_what_it_needs_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


def test_a_typo_comes_before_what_it_makes_missing(tmp_path: Path) -> None:
    text = PLAIN.replace("fonts =", "font =")
    assert "r.toml:2: unknown key 'font' in [source]; did you mean 'fonts'? (and 1 more)" in refusal(tmp_path, text)


def test_the_right_one_of_several_styles_is_named(tmp_path: Path) -> None:
    styles = f'[[styles]]\nfont = "{ZEN}"\nlabel = 1\n[[styles]]\nfont = "{ZEN}"\nlabl = 2\n'
    assert "r.toml:11: unknown key 'labl' in [styles.1]; did you mean 'label'?" in refusal(tmp_path, PLAIN + styles)


def test_a_recipe_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no such recipe; `fontgen init` writes one"):
        load_recipe(tmp_path / "nothing.toml")
    (tmp_path / "r.toml").write_bytes("名 = 1".encode("utf-16"))
    with pytest.raises(RecipeError, match=r"r\.toml: not UTF-8 \(byte 0\); save it as UTF-8"):
        load_recipe(tmp_path / "r.toml")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path)


@pytest.mark.parametrize("space", ["", " "])
def test_lines_are_found_whatever_the_spacing_and_comments(space: str) -> None:
    text = f"# a = 1\n[a]\n#b = 0\n{space}b{space}={space}1\n[ a.c ]  # here\n'd' = 2\n[[e]]\nf = 1\n[[e]]\nf = 2\n"
    assert line_of(text, ("a", "b")) == ":4"
    assert line_of(text, ("a", "c", "d")) == ":6"
    assert line_of(text, ("a", "c", "x")) == ":5"
    assert line_of(text, ("e", "1", "f")) == ":10"
    assert line_of(text, ("x", "y")) == ""


def test_known_keys_are_those_of_the_table() -> None:
    assert "register" in known_keys(Recipe, ())
    assert "size_px" in known_keys(Recipe, ("canvas",))
    assert "path" in known_keys(Recipe, ("source", "fonts", "0"))
    assert "face_index" in known_keys(Recipe, ("truth", "font"))
    assert re.match(r"^[a-z0-9_]+$", "".join(known_keys(Recipe, ("train", "losses"))))
