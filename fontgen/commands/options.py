"""Options and helpers that several commands share."""

from __future__ import annotations

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
