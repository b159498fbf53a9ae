"""Commands that work on folders of glyph images: render, infer, clean, register, gate, trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fontgen.commands.options import (
    FILE,
    FOLDER,
    codepoints_of,
    device_option,
    finish,
    json_option,
    save_json,
)

_images = click.argument("images", metavar="DIR", type=FOLDER)
_output = click.option("-o", "--output", required=True, type=FOLDER, help="Folder to write to.")
_reference = click.option(
    "--reference", type=FOLDER, help="Folder of the calibrated source glyph images, on the same canvas."
)
_style = click.option(
    "--style", default="0", show_default=True, help="A style's name or index, or a sum: '0.3*a + 0.7*b'."
)


def _open(folder: Path) -> Any:
    from fontgen.glyphs.store import ImageFolder

    return ImageFolder.open(folder)


@click.command()
@click.argument("fonts", metavar="FONT...", nargs=-1, required=True, type=FILE)
@click.option("--charset", required=True, metavar="SET", help="Characters to draw.")
@_output
@click.option("--canvas-size", type=click.IntRange(8, 8192), help="Pixels; default: 256, or the checkpoint's.")
@click.option("--checkpoint", type=FILE, help="Draw them as this checkpoint is shown them, to compare with.")
@_style
@click.option("--face-index", default=0, show_default=True, type=click.IntRange(0), help="Which face of a TTC.")
@click.option("--location", multiple=True, metavar="TAG=VALUE", help="Where in a variable font; may be repeated.")
def render(
    fonts: tuple[Path, ...],
    charset: str,
    output: Path,
    canvas_size: int | None,
    checkpoint: Path | None,
    style: str,
    face_index: int,
    location: tuple[str, ...],
) -> None:
    """Draw glyphs of fonts, tried in order, into a folder of PNGs.

    \b
    fontgen render fixtures/noto-sans-jp-bold.ttf --charset joyo -o build/images
    fontgen render NotoSansJP-Bold.otf --charset 龘靐 -o build/source --checkpoint best.safetensors
    """
    from fontgen.canvas import Canvas
    from fontgen.errors import CharsetError, codepoint_name
    from fontgen.fonts.face import FontRef
    from fontgen.fonts.stack import FontStack
    from fontgen.glyphs.render import render_folder

    if checkpoint is not None and canvas_size is not None:
        raise click.UsageError("the checkpoint has the canvas: leave --canvas-size out")
    axes = _axes(location)
    stack = FontStack([FontRef.of(path, face_index, axes) for path in fonts])
    resolution = stack.resolve(codepoints_of(charset))
    if not resolution.refs:
        state = "; ".join(f"{codepoint_name(c)} {s}" for c, s in list(resolution.lacking.items())[:5])
        raise CharsetError(f"charset {charset!r}: none of its characters is in the fonts ({state})")
    if checkpoint is None:
        report = render_folder(resolution.refs, Canvas(size_px=canvas_size or 256), output)
    else:
        from fontgen.stages.drawing import render_for

        report = render_for(checkpoint, resolution.refs, output, style=style)
    for codepoint, state in resolution.lacking.items():
        report.add_skipped(codepoint, f"{state} in the fonts")
    finish(report)


def _axes(location: tuple[str, ...]) -> dict[str, float]:
    axes: dict[str, float] = {}
    for item in location:
        tag, _, value = item.partition("=")
        try:
            axes[tag] = float(value)
        except ValueError as error:
            raise click.BadParameter(f"{item!r}: write it as wght=700", param_hint="--location") from error
    return axes


@click.command()
@click.argument("recipe", type=FILE, required=False)
@click.option("--checkpoint", type=FILE, help="A generator made by training.")
@click.option("--source", type=FILE, help="The font to redraw; with --checkpoint.")
@click.option("--charset", metavar="SET", help="Characters to draw; with --checkpoint.")
@click.option("-o", "--output", type=FOLDER, help="Folder to write to; with --checkpoint.")
@_style
@click.option("--passes", default=1, show_default=True, type=click.IntRange(1, 9), help="Drawings to average.")
@device_option
def infer(
    recipe: Path | None,
    checkpoint: Path | None,
    source: Path | None,
    charset: str | None,
    output: Path | None,
    style: str,
    passes: int,
    device: str | None,
) -> None:
    """Draw missing characters: those of a recipe, or any with a checkpoint and a source font.

    \b
    fontgen infer pipelines/demo.toml
    fontgen infer --checkpoint best.safetensors --source NotoSansJP-Bold.otf --charset 龘靐 -o build/drawn
    fontgen infer --checkpoint best.safetensors --source NotoSansJP-Bold.otf --charset 龘靐 -o build/drawn --style 0+1
    """
    if recipe is not None:
        if checkpoint or source or charset or output:
            raise click.UsageError("a recipe says all: leave --checkpoint, --source, --charset and -o out")
        from fontgen.commands.recipes import _until

        _until("infer", recipe, device)
    if checkpoint is None or source is None or charset is None or output is None:
        raise click.UsageError("give a recipe, or all of --checkpoint, --source, --charset and -o")
    from fontgen.stages.drawing import infer_folder

    options: dict[str, Any] = {"style": style, "device": device or "auto", "passes": passes}
    finish(infer_folder(checkpoint, source, codepoints_of(charset), output, **options))


@click.command()
@_images
@_output
@_reference
@click.option("--overlay", metavar="DIR", type=FOLDER, help="Folder for pictures of what was repaired where.")
def clean(images: Path, output: Path, reference: Path | None, overlay: Path | None) -> None:
    """Repair thin white lines, pinholes, specks and grey veils; grey edges stay.

    \b
    fontgen clean build/drawn -o build/cleaned --reference build/source
    """
    from fontgen.glyphs.clean import clean_folder
    from fontgen.glyphs.clean_settings import CleanSettings

    sources = _open(reference) if reference else None
    report = clean_folder(_open(images), output, sources, settings=CleanSettings(), overlay=overlay)
    found = ", ".join(f"{count} {kind}" for kind, count in report.figures["repairs"].items())
    click.echo(f"{report.figures['glyphs_repaired']} of {len(report.done)} repaired: {found or 'nothing'}", err=True)
    finish(report)


@click.command()
@_images
@click.option("--reference", required=True, type=FOLDER, help="Images of the same characters, rightly placed.")
@_output
@click.option("--scale", is_flag=True, help="Measure whether the set is too large or small, too, and undo it.")
@click.option("--correct-drift", is_flag=True, help="Put glyphs that lie off the others back one by one.")
def register(images: Path, reference: Path, output: Path, scale: bool, correct_drift: bool) -> None:
    """Measure how far a whole set lies off its reference, and shift it back.

    \b
    fontgen register build/cleaned --reference build/source -o build/registered
    """
    from fontgen.glyphs.register import register_folder
    from fontgen.glyphs.register_settings import RegisterSettings

    settings = RegisterSettings(scale=scale, correct_drift=correct_drift)
    report = register_folder(_open(images), _open(reference), output, settings=settings)
    for key, value in report.figures.items():
        click.echo(f"{key}: {value}")
    finish(report)


@click.command()
@_images
@click.option("--reference", required=True, type=FOLDER, help="Source glyph images on the same canvas.")
@click.option("--truth", type=FOLDER, help="Genuine images of characters that the reference has too.")
@json_option
@click.option("--sheet", metavar="FILE.png", type=FILE, help="A picture of the suspects beside their sources.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a glyph is suspect.")
def gate(
    images: Path, reference: Path, truth: Path | None, json_file: Path | None, sheet: Path | None, strict: bool
) -> None:
    """Score every glyph against its source, and list the suspects with the reason.

    \b
    fontgen gate build/cleaned --reference build/source --truth build/genuine --json gate.json --sheet suspects.png
    """
    from fontgen.errors import codepoint_name
    from fontgen.glyphs.gate import gate_folder
    from fontgen.glyphs.gate_settings import GateSettings

    sources = _open(reference)
    genuine = (_open(truth), sources) if truth else None
    judged = _open(images)
    report = gate_folder(judged, sources, genuine, settings=GateSettings())
    save_json(json_file, report.to_json())
    if sheet is not None:
        from fontgen.proof.suspects import suspect_sheet

        doubts = {codepoint: (report.scores[codepoint].score, why) for codepoint, why in report.suspects.items()}
        suspect_sheet(sheet, doubts, [("source", sources), ("image", judged)])
    for codepoint, why in report.suspects.items():
        click.echo(f"{codepoint_name(codepoint)} {chr(codepoint)} {report.scores[codepoint].score:.3f} {why}")
    click.echo(f"{len(report.suspects)} of {len(report.scores)} suspect; judged by {report.figures['basis']}", err=True)
    finish(report, failed=strict and bool(report.suspects))


@click.command()
@_images
@_output
@click.option(
    "--genre", help="round, sans, serif, brush, decorative, pixel or auto.", default="auto", show_default=True
)
def trace(images: Path, output: Path, genre: str) -> None:
    """Trace glyph images into outlines, one SVG a glyph.

    \b
    fontgen trace build/cleaned -o build/outlines
    """
    from pydantic import ValidationError

    from fontgen.outlines.folder import trace_folder
    from fontgen.outlines.settings import TraceSettings

    try:
        settings = TraceSettings(genre=genre)  # type: ignore[arg-type]
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"], param_hint="--genre") from error
    finish(trace_folder(_open(images), output, settings))


@click.command()
@click.argument("charset", metavar="SET")
@click.option("-o", "--output", required=True, type=FILE, help="FILE.pdf; FILE.json beside it says what stands where.")
@click.option("--font", type=FILE, help="Print its characters in light grey, to write over.")
@click.option("--box", default=20.0, show_default=True, type=click.FloatRange(8, 80), help="Width of a box in mm.")
def template(charset: str, output: Path, font: Path | None, box: float) -> None:
    """Make pages to print and write characters into; `fontgen cut` cuts the scans.

    \b
    fontgen template @my-500.txt -o template.pdf --font NotoSansTC-Regular.otf
    """
    from PIL import Image

    from fontgen.canvas import Canvas
    from fontgen.fonts.face import FontRef, open_face
    from fontgen.glyphs.render import render_ink
    from fontgen.glyphs.template import Template, write_template

    def pattern(codepoint: int, size_px: int) -> Image.Image:
        face = open_face(FontRef.of(font))  # type: ignore[arg-type]
        if codepoint not in face.cmap:
            return Image.new("L", (size_px, size_px), 255)
        return Image.fromarray(255 - render_ink(face, codepoint, Canvas(size_px=size_px, margin_em=0.0)))

    wanted = Template(tuple(codepoints_of(charset)), box)
    pages = write_template(wanted, output, pattern=pattern if font else None)
    click.echo(f"{output}: {pages} pages, {len(wanted.codepoints)} boxes", err=True)


@click.command()
@click.argument("scans", metavar="SCAN...", nargs=-1, required=True, type=FILE)
@click.option("--template", "template_file", required=True, type=FILE, help="The .json that `fontgen template` wrote.")
@_output
@click.option("--size", default=256, show_default=True, type=click.IntRange(32, 2048), help="Pixels of an image.")
def cut(scans: tuple[Path, ...], template_file: Path, output: Path, size: int) -> None:
    """Cut scans of a filled template into glyph images: deskewed, levels set, one image a box.

    \b
    fontgen cut scan-1.png scan-2.png --template template.json -o scans
    """
    from fontgen.glyphs.cut import cut_scans
    from fontgen.glyphs.template import Template

    finish(cut_scans(scans, Template.open(template_file), output, size_px=size))


COMMANDS = (render, infer, clean, register, gate, trace, template, cut)
