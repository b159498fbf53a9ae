"""Commands that work on fonts: assemble, check, diff, proof, evaluate."""

from __future__ import annotations

from pathlib import Path

import click

from fontgen.commands.options import FILE, FOLDER, codepoints_of, finish, json_option, save_json

_font = click.argument("font", type=FILE)


@click.command()
@click.argument("images", metavar="DIR", type=FOLDER)
@click.option("--base-font", type=FILE, help="The font that the glyphs join; without it a complete font is made.")
@click.option("-o", "--output", required=True, type=FILE, help="FILE.ttf, FILE.otf, FILE.woff2 or FILE.ufo.")
@click.option("--family", help="Family name.")
@click.option("--style", help="Style name, for instance Bold.")
@click.option("--version", help="Version as X.YYY.")
@click.option("--keep-existing", is_flag=True, help="Leave glyphs alone that the base font has.")
@click.option("--face-index", default=0, show_default=True, type=click.IntRange(0), help="Which face of a TTC.")
@click.option("--web", metavar="DIR", type=FOLDER, help="Also write WOFF2 slices and their CSS into this folder.")
def assemble(
    images: Path,
    base_font: Path | None,
    output: Path,
    family: str | None,
    style: str | None,
    version: str | None,
    keep_existing: bool,
    face_index: int,
    web: Path | None,
) -> None:
    """Put glyph images (or SVG outlines) into a font; all else of the base font stays.

    FILE.ufo is for hand work in a font editor: drawings, metrics and names, without layout features.

    \b
    fontgen assemble build/cleaned --base-font MyFont.ttf -o MyFontPlus.ttf --family "My Font Plus"
    """
    from pydantic import ValidationError

    from fontgen.canvas import DEFAULT_UNITS_PER_EM
    from fontgen.errors import FontError
    from fontgen.fonts.assemble import assemble_formats
    from fontgen.fonts.base import open_base
    from fontgen.fonts.settings import FontSettings, NameSettings
    from fontgen.outlines.genre import for_font
    from fontgen.outlines.settings import TraceSettings
    from fontgen.stages.joining import folder_glyphs

    given = {"family": family, "style": style, "version": version}
    try:
        names = NameSettings.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        key = error.errors()[0]["loc"][0]
        raise FontError(f"--{key} {given[str(key)]!r}: {error.errors()[0]['msg'].lower()}") from error
    if web is not None and output.suffix.lower() == ".ufo":
        raise FontError(f"{output}: a UFO has no slices for the web; leave --web out or write a font file")
    settings, units = TraceSettings(), DEFAULT_UNITS_PER_EM
    if base_font:
        font = open_base(base_font, face_index=face_index).open()
        settings, units = for_font(settings, font), font["head"].unitsPerEm
    glyphs, failed = folder_glyphs(images, settings, units_per_em=units)
    [report] = assemble_formats(
        base_font,
        glyphs,
        [output],
        FontSettings(names=names),
        keep_existing=keep_existing,
        face_index=face_index,
        web=web,
    )
    report.failed.update(failed)
    for notice in report.notices:
        click.echo(f"note: {notice}", err=True)
    finish(report)


@click.command()
@_font
@click.option("--charset", metavar="SET", help="The characters that the font must have, no more and no fewer.")
@click.option("--fontbakery", is_flag=True, help="Also run FontBakery's universal profile, where it is installed.")
@json_option
def check(font: Path, charset: str | None, fontbakery: bool, json_file: Path | None) -> None:
    """Check a font as a foundry would: sanitizer, FreeType, HarfBuzz, metrics, names, outlines.

    \b
    fontgen check build/demo/assemble/demo.ttf --json check.json
    """
    from fontgen.fonts.check import check_font
    from fontgen.fonts.check_bakery import check_bakery

    report = check_font(font, expected=set(codepoints_of(charset)) if charset else None)
    if fontbakery:
        report.findings += check_bakery(font)
    save_json(json_file, report.to_json())
    for check, level, message in report.rows():
        click.echo(f"{level:<5} {check:<18} {message}")
    click.echo(report.summary())
    raise SystemExit(report.exit_status)


@click.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("-o", "--output", type=FILE, help="Also write a page with before and after.")
@json_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the fonts differ.")
def diff(old: Path, new: Path, output: Path | None, json_file: Path | None, exit_code: bool) -> None:
    """Compare two builds of a font: glyphs, metrics, features, names, size.

    \b
    fontgen diff MyFont-1.000.ttf MyFont-1.001.ttf -o diff.html
    """
    from fontgen.fonts.diff import diff_fonts

    result = diff_fonts(old, new)
    for line in result.text_lines():
        click.echo(line)
    save_json(json_file, result.to_json())
    if output is not None:
        result.write_html(output)
    raise SystemExit(int(result.differs and exit_code))


@click.command()
@_font
@click.option(
    "--reference",
    type=FILE,
    multiple=True,
    help="A font to compare with: source, truth, last version. May be repeated.",
)
@click.option("-o", "--output", required=True, type=FILE, help="FILE.html")
def proof(font: Path, reference: tuple[Path, ...], output: Path) -> None:
    """Write a page that shows a font: type in it, see every glyph. Opens from disk, needs no network.

    \b
    fontgen proof MyFont.ttf --reference NotoSansJP-Bold.otf -o proof.html
    """
    from fontgen.proof.page import write_proof

    write_proof(font, output, references={path.stem: path for path in reference})
    click.echo(f"{output}: written, {output.stat().st_size / 1e6:.1f} MB", err=True)


@click.command()
@_font
@click.option("--truth", required=True, type=FILE, help="A font with the true glyphs.")
@click.option("--charset", metavar="SET", help="Characters to measure; default: all of the truth's.")
@click.option("--baseline", type=FILE, help="A font to measure beside it, for instance the source.")
@click.option("--lpips-weights", type=FILE, help="For LPIPS: torchvision's AlexNet, VGG16 or SqueezeNet 1.1.")
@click.option("--fid-weights", type=FILE, help="For FID: torch-fidelity's InceptionV3.")
@json_option
def evaluate(
    font: Path,
    truth: Path,
    charset: str | None,
    baseline: Path | None,
    lpips_weights: Path | None,
    fid_weights: Path | None,
    json_file: Path | None,
) -> None:
    """Measure a font against the true glyphs: IoU, L1, SSIM, position and weight at 256 px.

    \b
    fontgen evaluate build/demo/assemble/demo.ttf --truth fixtures/zen-maru-gothic-bold-truth.ttf

    LPIPS and FID join them where torchmetrics and the networks' weights are there; nothing is downloaded.
    """
    from fontgen.fonts.evaluate import evaluate_fonts
    from fontgen.zi2zi.image_metrics import open_image_metrics

    codepoints = codepoints_of(charset) if charset else None
    metrics = open_image_metrics(lpips_weights, fid_weights)
    report = evaluate_fonts(font, truth, codepoints, baseline=baseline, metrics=metrics)
    for line in report.table_lines():
        click.echo(line)
    save_json(json_file, report.to_json())
    raise SystemExit(report.exit_status)


COMMANDS = (assemble, check, diff, proof, evaluate)
