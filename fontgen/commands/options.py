"""Options and helpers that several commands share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import click

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
RECIPE = click.argument("recipe", type=FILE)

device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs; default: the recipe's."
)


def _memory(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([GM])(?:i?B)?", (value or "").strip(), re.IGNORECASE)
    if value is not None and (match is None or float(match[1]) == 0):
        raise click.BadParameter(f"{value!r} is no amount of memory; write 4G or 800M", ctx, param)
    # Cards are sold in units of 2^30 and 2^20 bytes.
    return int(float(match[1]) * (2**30 if match[2].upper() == "G" else 2**20)) if match else None


vram_option = click.option(
    "--vram",
    metavar="SIZE",
    callback=_memory,
    help="Plan for a card with so much memory, such as 4G; default: this device.",
)
checkpoint_option = click.option("--checkpoint", type=FILE, help="Draw with this checkpoint instead of training one.")
json_option = click.option("--json", "json_file", type=FILE, help="Also write the result as JSON to FILE.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Say only what must be read.")


def finish(report: Any, *, failed: bool = False) -> NoReturn:
    """Print what became of the glyphs and exit with the report's status, 1 in any case when `failed`."""
    click.echo(report.summary(), err=True)
    for line in [*report.failure_lines(), *report.skip_lines()]:
        click.echo(f"  {line}", err=True)
    raise SystemExit(max(report.exit_status, int(failed)))


def save_json(path: Path | None, data: Any) -> None:
    """Write JSON when the user asked for it."""
    if path is not None:
        from fontgen.files import write_json

        write_json(path, data)


def codepoints_of(expression: str, have: Iterable[int] | None = None) -> list[int]:
    """The codepoints of an expression, only those in `have` when it is given."""
    from fontgen.charset import parse_charset

    wanted = parse_charset(expression)
    if have is None:
        return list(wanted)
    present = set(have)
    return [codepoint for codepoint in wanted if codepoint in present]
