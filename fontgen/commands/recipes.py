"""Commands that work on a recipe: init, build, pairs, calibrate, train, plan, release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fontgen.commands.options import (
    FILE,
    FOLDER,
    RECIPE,
    checkpoint_option,
    device_option,
    json_option,
    quiet_option,
    save_json,
    vram_option,
)

DEMO = Path("pipelines/demo.toml")


def make(
    recipe: Path | None,
    *,
    output: Path | None = None,
    device: str | None = None,
    want: str | None = None,
    preset: str | None = None,
    checkpoint: Path | None = None,
    version: str | None = None,
    quiet: bool = False,
) -> Any:
    """The build of a recipe, or of the demo's where none is given. Raises RecipeError."""
    from fontgen.errors import RecipeError
    from fontgen.pipeline import make_build
    from fontgen.recipe import load_recipe, with_changes
    from fontgen.talk import Talk

    if recipe is None:
        recipe = DEMO
        if not recipe.exists():
            raise RecipeError(
                f"no recipe given and no {DEMO} here; "
                "`fontgen init --source FONT --target FONT` writes one for your fonts"
            )
    loaded = with_changes(load_recipe(recipe, preset=preset), checkpoint=checkpoint, version=version)
    return make_build(loaded, recipe, output=output, device=device, want=want, talk=Talk(quiet=quiet))


@click.command()
@click.option("--source", required=True, type=FILE, help="The font whose characters are redrawn.")
@click.option("--target", required=True, type=FILE, help="The font to extend.")
@click.option("-o", "--output", "recipe", type=FILE, help="The recipe to write; default: the target's name and .toml.")
@click.option("--force", is_flag=True, help="Overwrite a recipe that is there.")
def init(source: Path, target: Path, recipe: Path | None, force: bool) -> None:
    """Write a starter recipe for two fonts, with what was measured on them.

    \b
    fontgen init --source NotoSansTC-Bold.otf --target MyFont.ttf -o my-font.toml
    """
    from fontgen.presets import preset_for
    from fontgen.starter import write_starter
    from fontgen.zi2zi.device import card_memory_gb

    preset = preset_for(card_memory_gb())
    written = write_starter(source, target, recipe or Path(f"{target.stem}.toml"), preset=preset, force=force)
    click.echo(f"{written}: written; `fontgen build {written}` makes the font", err=True)


@click.command()
@click.argument("recipe", type=FILE, required=False)
@click.option("--charset", "want", metavar="SET", help="Characters the font is to have, instead of the recipe's.")
@click.option("-o", "--output", type=FOLDER, help="Build folder; default: the recipe's, or build/NAME.")
@device_option
@checkpoint_option
@click.option("--from", "from_stage", metavar="STAGE", help="Run this stage and all after it, even if unchanged.")
@click.option("--strict", is_flag=True, help="Exit with 1 when the gate suspects a glyph.")
@click.option("--dry-run", is_flag=True, help="Only say which stages would run, on how many glyphs, and why.")
@quiet_option
def build(
    recipe: Path | None,
    want: str | None,
    output: Path | None,
    device: str | None,
    checkpoint: Path | None,
    from_stage: str | None,
    strict: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Make the font that a recipe describes; only what changed is made again.

    \b
    fontgen build pipelines/demo.toml
    fontgen build my-font.toml --charset big5 --output build/big5
    """
    from fontgen.pipeline import plan_lines, run, summary_lines
    from fontgen.stages.repair import suspects

    job = make(recipe, output=output, device=device, want=want, checkpoint=checkpoint, quiet=quiet)
    if dry_run:
        for line in plan_lines(job, from_stage=from_stage):
            click.echo(line)
        return
    status = run(job, from_stage=from_stage)
    for line in summary_lines(job):
        click.echo(line)
    raise SystemExit(1 if strict and suspects(job) else status)


def _until(stage: str, recipe: Path, device: str | None = None) -> None:
    from fontgen.pipeline import run

    raise SystemExit(run(make(recipe, device=device), until=stage))


@click.command()
@RECIPE
def pairs(recipe: Path) -> None:
    """Draw the training pairs of a recipe.

    \b
    fontgen pairs pipelines/demo.toml
    """
    _until("pairs", recipe)


@click.command()
@RECIPE
def calibrate(recipe: Path) -> None:
    """Measure where the source font must be placed to lie on the target.

    \b
    fontgen calibrate pipelines/demo.toml
    """
    _until("calibrate", recipe)


@click.command()
@RECIPE
@click.option("--resume", is_flag=True, help="Insist on going on with an interrupted training.")
@device_option
def train(recipe: Path, resume: bool, device: str | None) -> None:
    """Train the network of a recipe; an interrupted training goes on where it stopped.

    \b
    fontgen train pipelines/demo.toml --resume
    """
    from fontgen.errors import CheckpointError

    job = make(recipe, device=device)
    folder = job.folder("train").path
    if resume and not any(folder.glob("*.safetensors")):
        raise CheckpointError(f"{folder}: no interrupted training to resume; leave --resume out")
    from fontgen.pipeline import run

    raise SystemExit(run(job, until="train"))


@click.command("plan")
@RECIPE
@vram_option
@click.option("--preset", metavar="NAME", help="Try this preset instead of the recipe's.")
@device_option
@json_option
def plan_command(
    recipe: Path, vram: int | None, preset: str | None, device: str | None, json_file: Path | None
) -> None:
    """Say what a recipe's training will cost: parameters, memory, what fits, and the time of a few probe steps.

    \b
    fontgen plan pipelines/demo.toml
    fontgen plan my-font.toml --preset laptop-4gb --vram 4G
    """
    from fontgen.stages.estimate import plan_recipe

    result = plan_recipe(make(recipe, device=device, preset=preset, quiet=True), vram)
    for line in result.lines():
        click.echo(line)
    save_json(json_file, result.to_json())


@click.command()
@RECIPE
@click.option("--version", required=True, metavar="X.YYY", help="The release's version; it goes into the font.")
@click.option("-o", "--output", type=FOLDER, default="dist", show_default=True, help="Folder of the releases.")
@click.option("--previous", type=FILE, help="A release or font to compare with; default: the last one in the folder.")
@click.option("--notes", type=FILE, help="A text for the FONTLOG, one change a line.")
@click.option("--licence", type=FILE, help="The licence's text; default: what the font states, the OFL in full.")
@click.option("--allow-missing", is_flag=True, help="Release although some characters could not be made.")
@click.option("--build", "build_folder", type=FOLDER, help="Build folder; default: the recipe's.")
@checkpoint_option
@device_option
def release(
    recipe: Path,
    version: str,
    output: Path,
    previous: Path | None,
    notes: Path | None,
    licence: Path | None,
    allow_missing: bool,
    build_folder: Path | None,
    checkpoint: Path | None,
    device: str | None,
) -> None:
    """Build a font, check it, compare it with the last release, and pack it with all that goes with it.

    \b
    fontgen release my-font.toml --version 1.001 --checkpoint my-font.safetensors
    """
    from fontgen.release.make import make_release
    from fontgen.release.texts import notes_text

    job = make(recipe, output=build_folder, device=device, checkpoint=checkpoint, version=version)
    made = make_release(
        job,
        output=output,
        previous=previous,
        licence=licence,
        notes=notes_text(notes),
        allow_missing=allow_missing,
    )
    for line in made.changes:
        click.echo(line)
    click.echo(f"{made.archive}  {made.archive.stat().st_size / 1000:,.0f} kB")


COMMANDS = (init, build, pairs, calibrate, train, plan_command, release)
