"""Commands that work on single glyphs of a recipe: glyph, redo, fix."""

from __future__ import annotations

from pathlib import Path

import click

from fontgen.commands.options import FILE, FOLDER, RECIPE, device_option, finish, json_option, save_json

_build_folder = click.option("--output", "output", type=FOLDER, help="Build folder; default: the recipe's.")
_characters = click.option("--chars", metavar="CHARS", help="Characters: 龘靐, or U+9F98 U+9750.")
_list = click.option("--list", "list_file", type=FILE, help="A list of the proof page, or a charset file.")


@click.command()
@RECIPE
@click.argument("character", metavar="CODEPOINT")
@_build_folder
@click.option("-o", "--image", type=FILE, help="The PNG to write; default: glyphs/U+9F98.png in the build folder.")
@json_option
def glyph(recipe: Path, character: str, output: Path | None, image: Path | None, json_file: Path | None) -> None:
    """Show one glyph's whole life: source, drawn, repaired, outline, in the font, scores and repairs.

    \b
    fontgen glyph my-font.toml U+9F98
    """
    from fontgen.charset import parse_charset_text
    from fontgen.commands.recipes import make
    from fontgen.errors import CharsetError, codepoint_name
    from fontgen.proof.glyph_sheet import glyph_sheet
    from fontgen.stages.life import glyph_life

    codepoints = parse_charset_text(character)
    if len(codepoints) != 1:
        raise CharsetError(f"{character!r}: name one character, as U+9F98 or 龘")
    job = make(recipe, output=output, quiet=True)
    life = glyph_life(job, codepoints[0])
    name = codepoint_name(life.codepoint)
    path = image or job.workspace.root / "glyphs" / f"{name}.png"
    lines = list(life.lines())
    for line in lines:
        click.echo(line)
    glyph_sheet(
        life.images, [line.strip() for line in lines[1:]], path, title=name, suspect=bool(life.facts.get("suspect"))
    )
    save_json(json_file, {"codepoint": name, **life.facts})
    click.echo(f"{path}: written", err=True)


@click.command()
@RECIPE
@_characters
@_list
@click.option("--passes", type=click.IntRange(1, 9), help="Drawings to average; default: another way at each attempt.")
@click.option("--checkpoint", type=FILE, help="Draw them with this checkpoint.")
@click.option("--reset", is_flag=True, help="Draw them as the recipe says again.")
@_build_folder
@device_option
def redo(
    recipe: Path,
    chars: str | None,
    list_file: Path | None,
    passes: int | None,
    checkpoint: Path | None,
    reset: bool,
    output: Path | None,
    device: str | None,
) -> None:
    """Draw some glyphs again by other means, and build the font with them.

    What is done is written down beside the recipe, in NAME.redo.json: it belongs to the project, and whoever builds
    the recipe gets the same glyphs. A list of the proof page counts with the glyphs that it marks redo.

    \b
    fontgen redo my-font.toml --chars 龘靐
    fontgen redo my-font.toml --list my-font-marks.txt --checkpoint build/my-font/train/latest.safetensors
    """
    from fontgen.commands.recipes import make
    from fontgen.marks import codepoints_given
    from fontgen.pipeline import run
    from fontgen.stages.redoing import plan_redo, score_lines, scores

    codepoints = codepoints_given(chars, list_file, "redo")
    job = make(recipe, output=output, device=device)
    before = scores(job, codepoints)
    plan_redo(job, codepoints, passes=passes, checkpoint=checkpoint, reset=reset).save()
    job = make(recipe, output=output, device=device)
    status = run(job)
    for line in score_lines(before, scores(job, codepoints)):
        click.echo(line)
    raise SystemExit(status)


@click.command()
@RECIPE
@_characters
@_list
@_build_folder
def fix(recipe: Path, chars: str | None, list_file: Path | None, output: Path | None) -> None:
    """Put the outlines of some glyphs into the overrides folder, to be corrected in a drawing program.

    From then on the file there is the glyph. What is there already is left alone. A list of the proof page counts
    with the glyphs that it marks fix.

    \b
    fontgen fix my-font.toml --list my-font-marks.txt
    """
    from fontgen.commands.recipes import make
    from fontgen.marks import codepoints_given
    from fontgen.stages.redoing import copy_to_overrides

    codepoints = codepoints_given(chars, list_file, "fix")
    finish(copy_to_overrides(make(recipe, output=output, quiet=True), codepoints))


COMMANDS = (glyph, redo, fix)
