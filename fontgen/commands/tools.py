"""Commands that tell, charset, inspect and doctor, and the import of checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from fontgen.commands.options import FILE, json_option, save_json


@click.command()
@click.argument("expression", metavar="SET", required=False)
@click.option("--missing-from", type=FILE, metavar="FONT", help="Only the characters that this font lacks.")
@click.option("--in", "inside", type=FILE, metavar="FONT", help="Only the characters that this font has.")
@click.option("--coverage", "as_coverage", is_flag=True, help="With --in: what the font has of all sets, or of SET.")
@click.option("--list", "as_list", is_flag=True, help="Print the characters.")
@json_option
def charset(
    expression: str | None,
    missing_from: Path | None,
    inside: Path | None,
    as_coverage: bool,
    as_list: bool,
    json_file: Path | None,
) -> None:
    """Count the characters of a charset expression, by block; or say what a font covers of every set.

    \b
    fontgen charset "big5 + jisx0208" --missing-from MyFont.ttf
    fontgen charset --in MyFont.ttf --coverage --json coverage.json
    """
    if as_coverage:
        if inside is None or missing_from is not None or as_list:
            raise click.UsageError("--coverage goes with --in FONT, and with neither --missing-from nor --list")
        _coverage(expression, inside, json_file)
        return
    if expression is None:
        raise click.UsageError("name a SET; or --in FONT --coverage, for what a font has of every set")
    from fontgen.charset import block_counts, parse_charset
    from fontgen.errors import codepoint_name
    from fontgen.fonts.face import FontRef, open_face

    codepoints = parse_charset(expression)
    if inside is not None:
        states = open_face(FontRef.of(inside)).states(codepoints)
        codepoints = tuple(c for c in codepoints if states[c] == "ok")
    if missing_from is not None:
        states = open_face(FontRef.of(missing_from)).states(codepoints)
        codepoints = tuple(c for c in codepoints if states[c] != "ok")
    save_json(json_file, {"count": len(codepoints), "codepoints": [codepoint_name(c) for c in codepoints]})
    if as_list:
        click.echo("".join(map(chr, codepoints)))
        return
    click.echo(f"{len(codepoints)} characters")
    for block, count in block_counts(codepoints).items():
        click.echo(f"  {count:>6}  {block}")


def _coverage(expression: str | None, font: Path, json_file: Path | None) -> None:
    from fontgen.charset import parse_charset
    from fontgen.fonts.coverage import coverage, coverage_lines
    from fontgen.fonts.face import FontRef, open_face

    rows = coverage(open_face(FontRef.of(font)), {expression: parse_charset(expression)} if expression else None)
    save_json(json_file, {"font": font.name, "sets": [row.to_json() for row in rows]})
    for line in coverage_lines(rows):
        click.echo(line)


@click.command()
@click.argument("checkpoint", type=FILE)
@json_option
def inspect(checkpoint: Path, json_file: Path | None) -> None:
    """Say what a checkpoint holds, ours or one of zi2zi-pytorch: network, canvas, styles, step, held-out figures.

    \b
    fontgen inspect build/demo/train/best.safetensors
    fontgen inspect 100_net_G.pth --json network.json
    """
    from fontgen.zi2zi.describe import describe, in_words

    described = describe(checkpoint)
    save_json(json_file, described)
    for line in in_words(described):
        click.echo(line)


@click.command("import-checkpoint")
@click.argument("checkpoint", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="The .safetensors file to write.")
@click.option("--size", "size_px", type=click.IntRange(8, 2048), help="Canvas in pixels (canvas_size there).")
@click.option("--char-size", type=click.IntRange(4, 4096), help="Pixels per em (char_size there); default: the canvas.")
@click.option("--source", type=FILE, help="The source font of the run; its ascender places the glyphs.")
@click.option("--target", type=FILE, help="The target font of the run; its ascender places the glyphs.")
@click.option("--src-offset", type=(float, float), default=(0.0, 0.0), metavar="X Y", help="src_x_offset src_y_offset.")
@click.option("--dst-offset", type=(float, float), default=(0.0, 0.0), metavar="X Y", help="dst_x_offset dst_y_offset.")
@click.option("--fit", type=click.Choice(["em", "box"]), default="em", help="box: the images were made with auto fit.")
@click.option("--style", "styles", multiple=True, metavar="NAME", help="Names of the styles, from 0 on; repeat it.")
@click.option(
    "--norm",
    type=click.Choice(["instance", "none"]),
    default="instance",
    help="Where the weights show no BatchNorm: InstanceNorm, or no norm.",
)
@click.option(
    "--attention",
    type=click.Choice(["auto", "down", "both"]),
    default="auto",
    help="Where equal channels leave it open: attention on the way down, or both ways; auto: as it was published.",
)
@json_option
def import_checkpoint(checkpoint: Path, output: Path, json_file: Path | None, **options: Any) -> None:
    """Turn a generator of zi2zi-pytorch into a checkpoint of fontgen that draws the same.

    \b
    fontgen import-checkpoint 100_net_G.pth -o imported.safetensors --size 384
    """
    from fontgen.stages.importing import import_checkpoint as run_import
    from fontgen.zi2zi.describe import in_words

    described, assumed = run_import(checkpoint, output, **options)
    save_json(json_file, described)
    for line in in_words(described):
        click.echo(line)
    for what in assumed:
        click.echo(f"assumed: {what}", err=True)


@click.command("export-checkpoint")
@click.argument("checkpoint", type=FILE)
@click.option("-o", "--output", required=True, type=FILE, help="The file to write.")
@click.option("--precision", default="fp16", show_default=True, type=click.Choice(["fp16", "fp32"]), help="Of weights.")
def export_checkpoint(checkpoint: Path, output: Path, precision: Literal["fp16", "fp32"]) -> None:
    """Write the generator of a checkpoint in half the size, to give away or to start new fonts from.

    \b
    fontgen export-checkpoint build/base-model/train/best.safetensors -o base.safetensors
    """
    from fontgen.zi2zi.checkpoint import export_generator

    header = export_generator(checkpoint, output, precision)
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {header.precision}, step {header.step}", err=True)


@click.command()
@click.argument("fonts", nargs=-1, type=FILE)
@json_option
def doctor(fonts: tuple[Path, ...], json_file: Path | None) -> None:
    """Say what this machine has: versions, CUDA, potrace, memory, and whether fonts can be read.

    \b
    fontgen doctor fixtures/noto-sans-jp-bold.ttf
    """
    from fontgen.doctor import diagnose, exit_status, to_json

    checks = diagnose(fonts)
    save_json(json_file, to_json(checks))
    for item in checks:
        click.echo(f"{item.status:<4}  {item.name}: {item.detail}" + (f"; {item.remedy}" if item.remedy else ""))
    raise SystemExit(exit_status(checks))


COMMANDS = (charset, inspect, import_checkpoint, export_checkpoint, doctor)
