"""What users get wrong, through the command line: one line, the right status, nothing lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_fonts import NOTO, ZEN, box_font, part_of
from click.testing import CliRunner, Result
from fontTools.ttLib import TTFont
from PIL import Image
from tiny_build import EVERYTHING, NEW, SHARED, Project, half_written, make_project

from fontgen.canvas import Canvas
from fontgen.cli import main
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_folder, render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink


@pytest.fixture(autouse=True)
def _plain_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing the loss curves takes most of a tiny build."""
    monkeypatch.setattr("fontgen.proof.curves.plot_curves", lambda metrics, path: path.write_bytes(b"curves"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Fonts and a recipe, nothing built."""
    return make_project(tmp_path / "project")


def fontgen(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_line(result: Result, status: int = 2) -> str:
    """The last line on stderr of a command that failed with `status`; no other line is an error."""
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert [line for line in lines[:-1] if line.startswith("error: ")] == []
    return lines[-1]


# fonts


def missing(path: Path) -> None:
    path.unlink()


def corrupt(path: Path) -> None:
    path.write_bytes(b"this is no font")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def without_unicode_cmap(path: Path) -> None:
    font = TTFont(path)
    font["cmap"].tables = font["cmap"].tables[:1]
    font["cmap"].tables[0].platformID, font["cmap"].tables[0].platEncID = 3, 2  # Shift-JIS
    font.save(path)


@pytest.mark.parametrize("name", ["source.ttf", "target.ttf", "truth.ttf"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing, "no such file: "),
        (corrupt, "not a readable font"),
        (truncated, "not a readable font"),
        (without_unicode_cmap, "no Unicode cmap (it has: platform 3 encoding 2"),
    ],
)
def test_a_font_that_cannot_be_used_is_named(
    project: Project, name: str, damage: Callable[[Path], None], message: str
) -> None:
    damage(project.root / name)
    if name == "truth.ttf" and damage is not missing:
        # opened only when the font is measured: what needs no truth comes first, and stays
        result = fontgen("evaluate", ZEN, "--truth", project.root / name)
    else:
        result = project.run()
    line = error_line(result)
    assert line.startswith("error: ")
    assert name in line
    assert message in line


def test_fonts_that_share_nothing_are_refused(project: Project) -> None:
    part_of(NOTO, NEW, project.root / "source.ttf")
    line = error_line(project.run())
    assert "shares no character with the source fonts; use fonts that have characters in common" in line


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ('family = "Tiny Kept"', "family name 'Tiny Kept' contains 'Kept', which a font used here declares"),
        ('family = "花"', "set postscript_name in [font.names]"),
        (f'family = "{"H" * 64}"\npostscript_name = "H"', "has 69 characters; Windows keeps 63"),
    ],
)
def test_names_that_no_font_can_have_are_refused_before_the_training(
    project: Project, names: str, message: str
) -> None:
    font = TTFont(project.root / "extra.ttf")
    font["name"].setName("(c) Someone, with Reserved Font Name Kept.", 0, 3, 1, 0x409)
    font.save(project.root / "extra.ttf")
    project.recipe.write_text(project.recipe.read_text().replace('family = "Tiny"', names))
    assert message in error_line(project.run())
    assert not (project.out / "charset").exists()


# charsets


def test_a_charset_file_that_is_not_utf_8_is_named(project: Project) -> None:
    (project.root / "wanted.txt").write_bytes("東國".encode("big5"))
    project.write(want="@wanted.txt")
    line = error_line(project.run())
    assert "wanted.txt" in line
    assert "UTF-8" in line


@pytest.mark.parametrize(("want", "message"), [("@wanted.txt", "wanted.txt"), ("big6", "did you mean big5?")])
def test_an_empty_or_unknown_charset_is_named(project: Project, want: str, message: str) -> None:
    (project.root / "wanted.txt").write_text("\n")
    line = error_line(fontgen("build", project.recipe, "--charset", f"ascii - ascii + {want}", "--output", project.out))
    assert line.startswith("error: ")
    project.recipe.write_text(project.recipe.read_text().replace(f"{EVERYTHING} + U+3000", want))
    assert message in error_line(project.run())


def test_nothing_to_draw_is_said(project: Project) -> None:
    line = error_line(project.run("--charset", "".join(map(chr, SHARED))))
    assert "the target has all 24 characters already; ask for more with --charset or [charset] want" in line
    line = error_line(project.run("--charset", "\U0002a6d6"))
    assert "none of the 1 characters that the target lacks is in the source fonts (U+2A6D6)" in line


# recipes


def test_a_typo_in_a_recipe_stops_before_anything_is_made(project: Project) -> None:
    project.recipe.write_text(project.recipe.read_text().replace("steps = 3", "stepps = 3"))
    assert "unknown key 'stepps' in [train]; did you mean 'steps'?" in error_line(project.run())
    assert not project.out.exists()


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    line = error_line(fontgen("build", tmp_path / "nothing.toml"))
    assert line.endswith("nothing.toml: no such recipe; `fontgen init` writes one")


# images

CANVAS = Canvas(size_px=64)
GOOD = SHARED[:4]
BAD = SHARED[4:7]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four good images, one of the wrong size, one damaged, one missing, all promised by the manifest."""
    folder = tmp_path / "images"
    render_folder(dict.fromkeys([*GOOD, *BAD], FontRef.of(ZEN)), CANVAS, folder)
    write_ink(folder / image_name(BAD[0]), np.zeros((48, 48), np.uint8))
    path = folder / image_name(BAD[1])
    path.write_bytes(path.read_bytes()[:100])
    (folder / image_name(BAD[2])).unlink()
    return folder


def assert_only_the_bad_are_named(result: Result) -> None:
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.stderr
    assert "4 done, 3 failed" in result.stderr
    for codepoint, problem in zip(BAD, ("48x48 px where 64x64", "not a readable image", "no such image"), strict=True):
        assert any(f"U+{codepoint:04X}" in line and problem in line for line in result.stderr.splitlines())


def test_clean_names_bad_images_and_goes_on(images: Path, tmp_path: Path) -> None:
    assert_only_the_bad_are_named(fontgen("clean", images, "-o", tmp_path / "out"))
    assert ImageFolder.open(tmp_path / "out").codepoints == sorted(GOOD)


def test_trace_names_bad_images_and_goes_on(images: Path, tmp_path: Path) -> None:
    assert_only_the_bad_are_named(fontgen("trace", images, "-o", tmp_path / "out"))
    assert {p.stem for p in (tmp_path / "out").glob("*.svg")} == {f"U+{c:04X}" for c in GOOD}


def test_assemble_names_bad_images_and_goes_on(images: Path, tmp_path: Path) -> None:
    base = part_of(NOTO, NEW, tmp_path / "base.ttf")
    out = tmp_path / "out.ttf"
    result = fontgen("assemble", images, "--base-font", base, "-o", out, "--family", "Probe")
    assert_only_the_bad_are_named(result)
    assert open_face(FontRef.of(out)).cmap.keys() >= {*GOOD, *NEW}
    assert not TTFont(out).getBestCmap().keys() & set(BAD)


def test_a_foreign_folder_with_an_odd_file_goes_on(tmp_path: Path) -> None:
    face = open_face(FontRef.of(ZEN))
    for codepoint in GOOD:
        write_ink(
            tmp_path / "scans" / f"{chr(codepoint)}.png", render_ink(face, codepoint, Canvas(size_px=64, margin_em=0))
        )
    Image.new("RGB", (64, 40), "white").save(tmp_path / "scans" / f"{BAD[0]:04x}.png")
    result = fontgen("clean", tmp_path / "scans", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"U+{BAD[0]:04X}: " in result.stderr
    assert "64x40 px where 64x64 is needed" in result.stderr
    assert ImageFolder.open(tmp_path / "out").codepoints == sorted(GOOD)


@pytest.mark.parametrize("command", ["clean", "trace"])
def test_a_folder_that_is_none_is_named(tmp_path: Path, command: str) -> None:
    line = error_line(fontgen(command, tmp_path / "nowhere", "-o", tmp_path / "out"))
    assert line == f"error: {tmp_path / 'nowhere'}: no such folder of glyph images"
    (tmp_path / "empty").mkdir()
    assert "no glyph images; name them U+4E00.png" in error_line(
        fontgen(command, tmp_path / "empty", "-o", tmp_path / "out")
    )


# checkpoints


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_project(tmp_path_factory.mktemp("trained") / "project")
    result = fontgen("train", with_output(project))
    assert result.exit_code == 0, result.output
    return project.out / "train" / "best.safetensors"


def with_output(project: Project) -> Path:
    """The recipe, with the build folder in it: commands other than `build` have no --output."""
    project.recipe.write_text(project.recipe.read_text() + '\n[output]\nfolder = "out"\n')
    return project.recipe


@pytest.mark.parametrize("keep", [0, 4, 200, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named(checkpoint: Path, tmp_path: Path, keep: float) -> None:
    data = checkpoint.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(data[: keep if keep > 1 or not keep else int(len(data) * keep)])  # type: ignore[misc]
    for arguments in (
        ["inspect", cut],
        ["infer", "--checkpoint", cut, "--source", NOTO, "--charset", chr(NEW[0]), "-o", tmp_path / "out"],
    ):
        line = error_line(fontgen(*arguments))  # type: ignore[arg-type]
        assert "cut.safetensors: " in line
        assert "train" in line
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_build_from_a_truncated_checkpoint_says_so(checkpoint: Path, project: Project) -> None:
    (project.root / "g.safetensors").write_bytes(checkpoint.read_bytes()[:-1000])
    project.recipe.write_text(project.recipe.read_text() + '\n[infer]\ncheckpoint = "g.safetensors"\n')
    assert "g.safetensors: damaged, cut short" in error_line(project.run())


def test_a_damaged_state_of_an_interrupted_training_says_what_to_remove(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fontgen.stages import training

    def interrupt(_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "_progress_words", interrupt)
        assert project.run().exit_code == 130
    state = project.out / "train" / "trainer.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    line = error_line(project.run())
    assert "trainer.safetensors: damaged, cut short" in line
    assert "train again" in line
    assert project.run("--from", "train").exit_code == 0


def test_infer_with_a_checkpoint_draws_what_the_font_has(checkpoint: Path, tmp_path: Path) -> None:
    arguments = ["infer", "--checkpoint", checkpoint, "--source", NOTO, "-o", tmp_path / "out", "--charset"]
    result = fontgen(*arguments, f"{chr(NEW[0])}\U0002a6d6")
    assert result.exit_code == 0, result.output
    assert "U+2A6D6: missing" in result.stderr
    assert ImageFolder.open(tmp_path / "out").codepoints == [NEW[0]]
    line = error_line(fontgen(*arguments, "\U0002a6d6"))
    assert "has none of the characters asked for" in line
    line = error_line(fontgen(*arguments, chr(NEW[0]), "--style", "1"))
    assert "no style '1'; there are 0 (Zen Maru Gothic Bold)" in line


# the disk


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_at_any_moment_is_one_line_and_the_next_run_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up at the n-th file that a build puts in place."""
    replace, done, room = os.replace, 0, 1000

    def counting(*arguments: Any, **named: Any) -> None:
        nonlocal done
        done += 1
        if done > room:
            no_space()
        replace(*arguments, **named)

    monkeypatch.setattr(os, "replace", counting)
    assert project.run().exit_code == 0
    expected = project.ttf.read_bytes()
    total = done
    for share in (0.1, 0.5, 0.8):
        done, room = 0, int(share * total)
        result = project.run("--from", "charset")
        line = error_line(result, 1)
        assert "no space left on the disk; free some space and run the same command again" in line
        assert half_written(project.root) == []
    room = 1000
    assert project.run().exit_code == 0
    assert project.ttf.read_bytes() == expected


def test_a_full_disk_while_pairs_are_drawn_is_one_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", no_space, raising=False)
    result = project.run()
    assert "no space left on the disk" in error_line(result, 1)
    assert not (project.out / "pairs" / "pairs.json").exists()


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(0, 0, 500, 500)]})
    line = error_line(fontgen("render", font, "--charset", "一", "-o", tmp_path / "file" / "out"), 1)
    assert "cannot be written" in line


# Ctrl-C


@pytest.mark.parametrize("command", ["render", "clean", "trace", "assemble"])
def test_ctrl_c_is_one_line_and_leaves_no_half_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder = tmp_path / "images"
    render_folder(dict.fromkeys(GOOD, FontRef.of(ZEN)), CANVAS, folder)
    base = part_of(NOTO, NEW, tmp_path / "base.ttf")
    arguments: dict[str, list[str | Path]] = {
        "render": [ZEN, "--charset", "".join(map(chr, GOOD)), "-o", tmp_path / "out"],
        "clean": [folder, "-o", tmp_path / "out"],
        "trace": [folder, "-o", tmp_path / "out"],
        "assemble": [folder, "--base-font", base, "-o", tmp_path / "out" / "f.ttf", "--family", "Probe"],
    }
    replace, done = os.replace, 0

    def interrupted(*paths: Any, **named: Any) -> None:
        nonlocal done
        done += 1
        if done == 2 or command == "assemble":
            raise KeyboardInterrupt
        replace(*paths, **named)

    monkeypatch.setattr(os, "replace", interrupted)
    line = error_line(fontgen(command, *arguments[command]), 130)
    assert line == "stopped; what was finished is kept: run the same command again to go on"
    assert half_written(tmp_path) == []
    for path in (tmp_path / "out").glob("*.png"):
        with Image.open(path) as image:
            image.load()


def test_a_real_ctrl_c_stops_a_real_build(project: Project) -> None:
    project.recipe.write_text(project.recipe.read_text().replace("steps = 3", "steps = 100000"))
    command = [sys.executable, "-m", "fontgen", "build", str(project.recipe), "--output", str(project.out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        metrics = project.out / "train" / "metrics.jsonl"
        while not metrics.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("stopped; what was finished is kept")
    assert out == ""
    assert (project.out / "train" / "trainer.safetensors").exists()
    assert half_written(project.out) == []
