"""Single glyphs: shown whole, drawn again by other means, corrected by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tiny_build import EVERYTHING, NEW, SHARED, Project, built_with_checkpoint, make_project, ran

from fontgen.charset import parse_charset
from fontgen.cli import main
from fontgen.errors import CharsetError, ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.store import ImageFolder
from fontgen.marks import codepoints_given, read_marks
from fontgen.outlines.glif import glyphs_of_ufo, read_glif

pytestmark = pytest.mark.slow
NAMES = [f"U+{codepoint:04X}" for codepoint in NEW]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("built") / "project"
    (root / "overrides").mkdir(parents=True)
    return built_with_checkpoint(root, '[output]\noverrides = "overrides"\n')


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    return built.copy(tmp_path / "project")


def fontgen(command: str, project: Project, *arguments: str | Path) -> Result:
    given = (command, project.recipe, *arguments, "--output", project.out)
    return CliRunner().invoke(main, [str(argument) for argument in given])


def images(project: Project) -> dict[int, bytes]:
    folder = ImageFolder.open(project.out / "infer")
    return {codepoint: path.read_bytes() for codepoint, path in folder.files.items()}


def record(project: Project) -> dict[str, dict[str, object]]:
    glyphs: dict[str, dict[str, object]] = json.loads((project.root / "tiny.redo.json").read_text())["glyphs"]
    return glyphs


# redo


def test_redone_glyphs_alone_are_drawn_again_and_reach_the_font(project: Project) -> None:
    before, font = images(project), project.ttf.read_bytes()
    result = fontgen("redo", project, "--chars", f"{chr(NEW[1])}{chr(NEW[3])}")
    assert result.exit_code == 0, result.output
    assert "infer: 2 done" in result.stderr
    assert "clean: 2 done" in result.stderr
    after = images(project)
    assert {c for c in after if after[c] != before[c]} == {NEW[1], NEW[3]}
    assert project.ttf.read_bytes() != font
    assert record(project) == {NAMES[1]: {"attempt": 1, "passes": 5}, NAMES[3]: {"attempt": 1, "passes": 5}}
    shown = [line.split() for line in result.stdout.splitlines()]
    assert [line[0] for line in shown] == [NAMES[1], NAMES[3]]
    assert all(line[3] == "->" for line in shown)


def test_every_attempt_goes_another_way_and_a_reset_comes_back(project: Project) -> None:
    first, font = images(project)[NEW[0]], project.ttf.read_bytes()
    seen = {first}
    for _ in range(3):
        assert fontgen("redo", project, "--chars", NAMES[0]).exit_code == 0
        seen.add(images(project)[NEW[0]])
    assert len(seen) == 4
    assert record(project)[NAMES[0]] == {"attempt": 3, "passes": 9, "shift_em": [0.015625, 0.015625]}
    assert fontgen("redo", project, "--chars", NAMES[0], "--reset").exit_code == 0
    assert images(project)[NEW[0]] == first
    assert project.ttf.read_bytes() == font
    assert not (project.root / "tiny.redo.json").exists()


def test_what_was_redone_is_part_of_the_project(project: Project, tmp_path: Path) -> None:
    assert fontgen("redo", project, "--chars", NAMES[2], "--passes", "3").exit_code == 0
    other = project.copy(tmp_path / "elsewhere")
    result = other.run("--from", "charset")
    assert result.exit_code == 0, result.output
    assert "infer" in ran(result)
    assert other.ttf.read_bytes() == project.ttf.read_bytes()


def test_another_checkpoint_draws_some(project: Project) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from fontgen.zi2zi.header import HEADER_KEY, read_metadata

    path = project.root / "tiny.safetensors"
    weights = {name: tensor * 1.5 if name.endswith("weight") else tensor for name, tensor in load_file(path).items()}
    assert any(isinstance(tensor, torch.Tensor) for tensor in weights.values())
    save_file(weights, project.root / "other.safetensors", metadata={HEADER_KEY: json.dumps(read_metadata(path))})
    before = images(project)
    result = fontgen("redo", project, "--chars", NAMES[4], "--checkpoint", project.root / "other.safetensors")
    assert result.exit_code == 0, result.output
    assert record(project)[NAMES[4]]["checkpoint"] == "other.safetensors"
    assert {c for c, image in images(project).items() if image != before[c]} == {NEW[4]}
    (project.root / "other.safetensors").unlink()
    result = project.run()
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {project.root}/tiny.redo.json: no such checkpoint")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no glyphs named; give --chars"),
        (("--chars", chr(SHARED[0])), f"the recipe does not generate U+{SHARED[0]:04X}"),
        (("--list", "nothing.txt"), "nothing.txt: no such charset file"),
    ],
)
def test_what_cannot_be_redone_is_refused_in_one_line(built: Project, arguments: tuple[str, ...], message: str) -> None:
    result = fontgen("redo", built, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}")
    assert len(result.stderr.splitlines()) == 1


def test_a_damaged_file_of_redone_glyphs_is_named(project: Project) -> None:
    (project.root / "tiny.redo.json").write_text('{"format": "fontgen-redo", "glyphs": {"U+4E00": {"passes": 99}}}')
    result = project.run()
    assert result.exit_code == 2
    assert "tiny.redo.json: not a file of redone glyphs" in result.stderr


# lists of the proof page


def test_a_list_of_the_proof_feeds_redo_and_fix(project: Project) -> None:
    marks = project.root / "marks.txt"
    lines = [f"{NAMES[0]} redo {chr(NEW[0])}", f"{NAMES[1]} fix {chr(NEW[1])}", f"{NAMES[2]} accept {chr(NEW[2])}"]
    marks.write_text("\n".join(["# Tiny Regular", *lines]) + "\n", encoding="utf-8")
    assert fontgen("redo", project, "--list", marks).exit_code == 0
    assert set(record(project)) == {NAMES[0]}
    result = fontgen("fix", project, "--list", marks)
    assert result.exit_code == 0, result.output
    assert [path.name for path in (project.root / "overrides").iterdir()] == [f"{NAMES[1]}.svg"]
    assert "fix: 1 done" in result.stderr
    again = fontgen("fix", project, "--list", marks)
    assert "is there already" in again.stderr


def test_a_file_without_marks_is_a_charset_file(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("龘\nU+9750\n", encoding="utf-8")
    assert read_marks(tmp_path / "some.txt", "redo") == [0x9F98, 0x9750]
    assert codepoints_given("龍 U+9F98", tmp_path / "some.txt", "fix") == [0x9F8D, 0x9F98, 0x9750]


def test_unknown_marks_and_lists_without_the_mark_are_refused(tmp_path: Path) -> None:
    marks = tmp_path / "marks.txt"
    marks.write_text("U+9F98 again 龘\n", encoding="utf-8")
    with pytest.raises(CharsetError, match=r"line 1: no mark 'again'; the marks are accept, redo, fix"):
        read_marks(marks, "redo")
    marks.write_text("U+9F98 accept 龘\n", encoding="utf-8")
    with pytest.raises(CharsetError, match="none of its 1 glyphs is marked 'redo'"):
        read_marks(marks, "redo")


def test_fix_needs_a_folder_in_the_recipe(project: Project) -> None:
    project.recipe.write_text(project.recipe.read_text().replace('overrides = "overrides"\n', ""))
    result = fontgen("fix", project, "--chars", NAMES[0])
    assert result.exit_code == 2
    assert 'add [output] overrides = "overrides"' in result.stderr


# one glyph's life


def test_a_glyph_s_life_is_one_image_and_what_is_known(project: Project) -> None:
    assert fontgen("redo", project, "--chars", NAMES[0]).exit_code == 0
    result = fontgen("glyph", project, NAMES[0], "--json", project.root / "life.json")
    assert result.exit_code == 0, result.output
    with Image.open(project.out / "glyphs" / f"{NAMES[0]}.png") as image:
        pixels = np.asarray(image.convert("L"))
        # source, drawn, repaired, outline, in the font, truth
        assert image.width == 2 * 24 + 6 * 320 + 5 * 12
    for number in range(6):
        tile = pixels[100:300, 24 + number * 332 + 10 :][:, :300]
        assert (tile < 128).mean() > 0.002, number
    life = json.loads((project.root / "life.json").read_text())
    assert life["codepoint"] == NAMES[0]
    assert life["redone"] == {"attempt": 1, "passes": 5}
    assert life["points"] > 4
    assert 0 <= life["score"] <= 1
    assert result.stdout.startswith(f"{NAMES[0]} {chr(NEW[0])}\n")
    assert "  redone     passes 5, attempt 1" in result.stdout


def test_before_a_build_the_stages_are_empty(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    result = fontgen("glyph", project, chr(NEW[0]), "--image", project.root / "life.png")
    assert result.exit_code == 0, result.output
    assert (project.root / "life.png").exists()
    assert not (project.out / "infer").exists()


@pytest.mark.parametrize(
    ("character", "why"),
    [
        (f"U+{SHARED[0]:04X}", "the target font has it"),
        ("U+0041", "the recipe does not ask for it"),
        ("U+3000", "it is white space"),
        ("ab", "name one character"),
    ],
)
def test_a_character_without_a_life_is_explained(built: Project, character: str, why: str) -> None:
    result = fontgen("glyph", built, character)
    assert result.exit_code == 2
    assert why in result.stderr
    assert parse_charset(EVERYTHING)


# hand work from a UFO

GLIF = """<?xml version="1.0" encoding="UTF-8"?>
<glyph name="{name}" format="2">
  <advance width="1000"/>
  <unicode hex="{code:04X}"/>
  <outline>{outline}</outline>
</glyph>
"""
SQUARE = (
    "<contour>"
    + "".join(f'<point x="{x}" y="{y}" type="line"/>' for x, y in ((100, 0), (500, 0), (500, 400), (100, 400)))
    + "</contour>"
)


def write_ufo(ufo: Path, units_per_em: int) -> None:
    import plistlib

    (ufo / "glyphs").mkdir(parents=True)
    plists = {
        "metainfo.plist": {"creator": "test", "formatVersion": 3},
        "fontinfo.plist": {"unitsPerEm": units_per_em},
        "layercontents.plist": [["public.default", "glyphs"]],
        "glyphs/contents.plist": {"square": "square.glif", "two": "two.glif"},
    }
    for name, content in plists.items():
        (ufo / name).write_bytes(plistlib.dumps(content))
    (ufo / "glyphs/square.glif").write_text(GLIF.format(name="square", code=NEW[0], outline=SQUARE))
    parts = '<component base="square"/><component base="square" xOffset="500"/>'
    (ufo / "glyphs/two.glif").write_text(GLIF.format(name="two", code=NEW[1], outline=parts))


def test_glyphs_of_a_ufo_and_glif_files_take_the_place_of_the_traced(project: Project) -> None:
    write_ufo(project.root / "overrides" / "hand.ufo", 2000)
    (project.root / "overrides" / f"{NAMES[2]}.glif").write_text(GLIF.format(name="x", code=NEW[2], outline=SQUARE))
    result = project.run()
    assert result.exit_code == 0, result.output
    assert "infer" not in ran(result)
    face = open_face(FontRef.of(project.ttf))
    for codepoint, expected in (
        (NEW[0], (0.05, 0, 0.25, 0.2)),
        (NEW[1], (0.05, 0, 0.5, 0.2)),
        (NEW[2], (0.1, 0, 0.5, 0.4)),
    ):
        np.testing.assert_allclose(face.bounds_em(codepoint), expected, atol=0.002)
    life = fontgen("glyph", project, NAMES[1])
    assert "two.glif" in life.stdout
    # a corrected glyph of the UFO is noticed
    glif = project.root / "overrides" / "hand.ufo" / "glyphs" / "square.glif"
    glif.write_text(glif.read_text().replace('x="500"', 'x="700"'))
    assert "trace" in ran(project.run())


def test_a_character_drawn_twice_by_hand_is_refused(project: Project) -> None:
    for suffix, text in (("glif", GLIF.format(name="x", code=NEW[2], outline=SQUARE)), ("svg", "<svg/>")):
        (project.root / "overrides" / f"{NAMES[2]}.{suffix}").write_text(text)
    result = project.run()
    assert result.exit_code == 2
    assert f"{NAMES[2]} is also" in result.stderr


def test_damaged_ufo_glyphs_are_named(tmp_path: Path) -> None:
    glif = tmp_path / "U+4E00.glif"
    with pytest.raises(ImageError, match=r"U\+4E00\.glif: no such UFO glyph"):
        read_glif(glif)
    glif.write_text("<glyph")
    with pytest.raises(ImageError, match="not readable as a UFO glyph"):
        read_glif(glif)
    glif.write_text(GLIF.format(name="x", code=0x4E00, outline='<component base="elsewhere"/>'))
    with pytest.raises(ImageError, match="not readable as a UFO glyph"):
        read_glif(glif)
    (tmp_path / "empty.ufo").mkdir()
    with pytest.raises(ImageError, match=r"empty\.ufo: no glyph with a codepoint"):
        glyphs_of_ufo(tmp_path / "empty.ufo")
