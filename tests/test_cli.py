"""The command line: help, examples, exit statuses, one-line errors."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from box_fonts import NOTO, TOFU, ZEN, box_font, kanji_of, moved, part_of
from click.testing import CliRunner, Result
from tiny_build import tiny_checkpoint

from fontgen import __version__
from fontgen.canvas import Placement
from fontgen.cli import main
from fontgen.errors import GlyphError, WorkspaceError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder
from fontgen.recipe import load_recipe
from fontgen.zi2zi.header import read_header

COMMANDS = sorted(main.commands)
HEAVY = {"torch", "torchvision", "numpy", "pydantic", "PIL", "fontTools", "scipy", "skimage", "matplotlib", "rich"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder: what they write by default must not land in a checkout."""
    monkeypatch.chdir(tmp_path)


def fontgen(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments: str | Path, status: int = 2) -> str:
    """The one line that a failing command leaves on stderr."""
    result = fontgen(*arguments)
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


# help


def test_the_commands_are_those_of_the_design() -> None:
    assert set(COMMANDS) >= {
        *("init", "build", "charset", "render", "pairs", "calibrate", "train", "infer", "clean", "register", "gate"),
        *("trace", "assemble", "check", "diff", "proof", "evaluate", "inspect", "plan", "doctor"),
    }


def examples(name: str) -> list[list[str]]:
    """The example lines of a command's help, split as a shell splits them."""
    text = main.commands[name].help or ""
    return [shlex.split(line, comments=True) for line in text.splitlines() if line.strip().startswith("fontgen ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_that_parse(name: str) -> None:
    result = fontgen(name, "--help")
    assert result.exit_code == 0
    assert f"fontgen {name} " in result.output
    assert examples(name)
    for _, command, *arguments in examples(name):
        assert command == name
        with main.commands[name].make_context(name, arguments):
            pass


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is(name: str) -> None:
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


def test_help_names_every_command_with_its_purpose() -> None:
    output = fontgen("--help").output
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\w", output, re.MULTILINE)
    assert fontgen("-h").output == output


def test_the_version_is_the_package_s() -> None:
    assert fontgen("--version").output == f"fontgen, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom fontgen.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(re.findall(r"'(\w+)'", run.stdout.splitlines()[-1]))
    assert "click" in loaded
    assert loaded & HEAVY == set()


def test_the_module_runs_as_the_command() -> None:
    run = subprocess.run([sys.executable, "-m", "fontgen", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"fontgen, version {__version__}\n"


# statuses and errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["render"],
        ["render", "a.ttf", "--charset", "A", "-o", "out", "--canvas-size", "4"],
        ["render", str(ZEN), "--charset", "A", "-o", "out", "--location", "wght"],
        ["trace", "somewhere", "-o", "out", "--genre", "baroque"],
        ["build", "--device", "tpu"],
        ["infer", "--checkpoint", "g.safetensors"],
        ["infer", "r.toml", "--charset", "A"],
    ],
)
def test_wrong_usage_is_status_2_with_the_usage(arguments: list[str]) -> None:
    result = fontgen(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr


def test_bad_input_is_one_line_and_status_2() -> None:
    assert refused("charset", "ascii - nothing.ttf") == "error: nothing.ttf: no such font file"


def test_a_failure_of_the_work_is_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WorkspaceError("out: no space left on the disk; free some space")

    monkeypatch.setattr("fontgen.glyphs.render.render_folder", fail)
    line = refused("render", ZEN, "--charset", "東", "-o", "out", status=1)
    assert line == "error: out: no space left on the disk; free some space"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (GlyphError("U+4E00: too dense"), 1, "error: U+4E00: too dense"),
        (KeyboardInterrupt(), 130, "stopped; what was finished is kept: run the same command again to go on"),
        (MemoryError(), 1, "error: out of memory; use a smaller batch_size or canvas"),
        (
            ZeroDivisionError("division\nby zero"),
            1,
            "error: ZeroDivisionError: division by zero; this is a fault of fontgen: --debug shows where",
        ),
    ],
)
def test_every_error_is_one_line_and_debug_shows_where(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("fontgen.charset.parse_charset", fail)
    assert refused("charset", "ascii", status=status) == line
    result = fontgen("--debug", "charset", "ascii")
    assert result.exit_code != 0
    assert "error: " not in result.stderr
    if isinstance(error, Exception):
        assert result.exception is error
        assert result.exc_info is not None
        assert result.exc_info[2] is not None


def test_debug_prints_the_traceback() -> None:
    code = "from fontgen.cli import main; main(['--debug', 'charset', 'nosuchset'])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "Traceback (most recent call last)" in run.stderr
    assert "CharsetError" in run.stderr


# charset


def test_charset_counts_and_lists(tmp_path: Path) -> None:
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(0, 0, 9, 9)], 0x20000: [(0, 0, 9, 8)], 0x4E01: [], 0x4E02: [TOFU]})
    assert fontgen("charset", "一丁丂𠀀", "--in", font, "--list").stdout == "一𠀀\n"
    assert fontgen("charset", "一丁丂𠀀", "--missing-from", font, "--list").stdout == "丁丂\n"
    assert fontgen("charset", "big5-1").stdout.splitlines()[0] == "5401 characters"
    fontgen("charset", "一", "--json", "c.json")
    assert json.loads((tmp_path / "c.json").read_text()) == {"count": 1, "codepoints": ["U+4E00"]}


# render


def test_render_draws_what_a_checkpoint_is_shown(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "best.safetensors")
    assert fontgen("render", ZEN, "--charset", "東", "-o", "out", "--checkpoint", checkpoint).exit_code == 0
    header, folder = read_header(checkpoint), ImageFolder.open(tmp_path / "out")
    placement = Placement.from_json(header.metadata["placements"]["0"])
    assert folder.canvas == header.canvas
    shown = render_ink(open_face(FontRef.of(ZEN)), ord("東"), header.canvas, placement)
    assert np.array_equal(folder.read(ord("東")), shown)
    wrong = fontgen("render", ZEN, "--charset", "東", "-o", "out", "--checkpoint", checkpoint, "--canvas-size", "64")
    assert wrong.exit_code == 2
    assert "leave --canvas-size out" in wrong.stderr


def test_render_writes_what_the_fonts_have_and_names_the_rest(tmp_path: Path) -> None:
    first = box_font(tmp_path / "1.ttf", {0x4E00: [(0, 0, 500, 500)], 0x4E01: []})
    second = box_font(tmp_path / "2.ttf", {0x4E01: [(0, 0, 700, 700)]})
    result = fontgen("render", first, second, "--charset", "一丁𠀀", "-o", "out", "--canvas-size", "64")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.splitlines() == ["render: 2 done, 1 skipped", "  U+20000: missing in the fonts"]
    folder = ImageFolder.open(tmp_path / "out")
    assert folder.codepoints == [0x4E00, 0x4E01]
    assert folder.canvas.size_px == 64
    assert fontgen("render", first, "--charset", "一", "-o", "out2").exit_code == 0
    line = refused("render", first, "--charset", "丁𠀀", "-o", "out3")
    assert line == "error: charset '丁𠀀': none of its characters is in the fonts (U+4E01 blank; U+20000 missing)"
    assert not (tmp_path / "out3").exists()


# init and build


def test_init_writes_a_recipe_that_loads(tmp_path: Path) -> None:
    kanji = kanji_of(ZEN)[:60]
    source = part_of(NOTO, [*kanji, *kanji_of(NOTO)[:80]], tmp_path / "source.ttf")
    (tmp_path / "fonts").mkdir()
    target = moved(NOTO, kanji, tmp_path / "fonts" / "target.ttf", scale=0.95, dx_em=0.02, dy_em=0.01)
    result = fontgen("init", "--source", source, "--target", target, "-o", "recipes/mine.toml")
    assert result.exit_code == 0, result.output
    recipe = load_recipe(tmp_path / "recipes" / "mine.toml")
    assert recipe.source.fonts[0].path == source
    assert recipe.target.font is not None
    assert recipe.target.font.path == target
    text = (tmp_path / "recipes" / "mine.toml").read_text(encoding="utf-8")
    assert "60 characters are in both fonts" in text
    assert re.search(r"scale 0\.9[45]\d\d", text)
    assert "Fewer than 400 pairs" in text
    assert fontgen("build", "recipes/mine.toml", "--dry-run", "--output", "out").exit_code == 0
    assert recipe.output.overrides == tmp_path / "recipes" / "mine-overrides"
    assert [path.name for path in recipe.output.overrides.iterdir()] == ["README.txt"]


def test_init_overwrites_only_when_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("precious")
    line = refused("init", "--source", NOTO, "--target", ZEN, "-o", "mine.toml")
    assert line == "error: mine.toml: exists already; choose another -o, or --force to overwrite it"
    assert (tmp_path / "mine.toml").read_text() == "precious"


def test_init_refuses_fonts_without_common_characters(tmp_path: Path) -> None:
    one = box_font(tmp_path / "1.ttf", {0x4E00: [(0, 0, 9, 9)], 0x41: [(0, 0, 9, 9)]})
    other = box_font(tmp_path / "2.ttf", {0x4E01: [(0, 0, 9, 9)], 0x41: [(0, 0, 9, 9)]})
    assert "no CJK character in common" in refused("init", "--source", one, "--target", other)


def test_build_without_a_recipe_names_init_outside_a_checkout() -> None:
    line = refused("build")
    assert line.startswith("error: no recipe given and no pipelines/demo.toml here; `fontgen init --source FONT")


def test_build_without_a_recipe_makes_the_demo_inside_a_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(NOTO.parent.parent)
    result = fontgen("build", "--charset", "jisx0208-1", "--output", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0, result.output
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"run"}
    assert not (tmp_path / "out").exists()


def test_train_resumes_only_what_was_begun(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(f'[source]\nfonts = ["{NOTO}"]\n[target]\nfont = "{ZEN}"\n')
    assert "no interrupted training to resume; leave --resume out" in refused("train", "r.toml", "--resume")
