"""Commands that tell: charset, inspect, doctor."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fontgen.commands.options import FILE, json_option, save_json


@click.command()
@click.argument("expression", metavar="SET")
@click.option("--missing-from", type=FILE, metavar="FONT", help="Only the characters that this font lacks.")
@click.option("--in", "inside", type=FILE, metavar="FONT", help="Only the characters that this font has.")
@click.option("--list", "as_list", is_flag=True, help="Print the characters.")
@json_option
def charset(
    expression: str, missing_from: Path | None, inside: Path | None, as_list: bool, json_file: Path | None
) -> None:
    """Count the characters of a charset expression, by block.

    \b
    fontgen charset "big5 + jisx0208" --missing-from MyFont.ttf
    """
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


@click.command()
@click.argument("checkpoint", type=FILE)
@json_option
def inspect(checkpoint: Path, json_file: Path | None) -> None:
    """Say what a checkpoint holds: network, canvas, styles, step, held-out figures.

    \b
    fontgen inspect build/demo/train/best.safetensors
    """
    from fontgen.zi2zi.header import describe_checkpoint

    described = describe_checkpoint(checkpoint)
    save_json(json_file, described)
    click.echo(json.dumps(described, ensure_ascii=False, indent=1))


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


COMMANDS = (charset, inspect, doctor)
