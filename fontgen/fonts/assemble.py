"""Glyphs join a base font and the font is written: the one way from outlines to TTF, OTF and WOFF2."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from fontTools.misc.timeTools import timestampSinceEpoch
from fontTools.ttLib import TTFont

from fontgen.errors import FontError
from fontgen.files import write_bytes
from fontgen.fonts.base import Base, font_bytes, open_base, open_tables
from fontgen.fonts.blank import blank_base, widen_lines
from fontgen.fonts.join import AssembledGlyph, AssembleReport, join_glyphs
from fontgen.fonts.licence import Licence
from fontgen.fonts.meta import write_meta
from fontgen.fonts.names import Names, choose_names, collect_licences, write_names
from fontgen.fonts.settings import FIRST_YEAR, FontSettings
from fontgen.fonts.subroutines import subroutinized
from fontgen.fonts.ufo import require_replaceable, write_ufo
from fontgen.fonts.web import write_web
from fontgen.parallel import MANY_GLYPHS, parallel_map

__all__ = ["AssembleReport", "AssembledGlyph", "assemble", "assemble_formats", "require_names"]

SUFFIXES = (".ttf", ".otf", ".woff2", ".ufo")


def assemble(
    base: Path | None,
    glyphs: Iterable[AssembledGlyph],
    output: Path,
    settings: FontSettings | None = None,
    *,
    keep_existing: bool = False,
    face_index: int = 0,
    location: Mapping[str, float] | None = None,
    source_font: Path | None = None,
    licence_fonts: Sequence[Path] = (),
) -> AssembleReport:
    """Write a font of the base font's glyphs and `glyphs` to `output` (.ttf, .otf, .woff2 or .ufo).

    `source_font` gives advances where a glyph states none; it and `licence_fonts` add their copyright and
    Reserved Font Names. Raises FontError for what concerns the font; a glyph that fails is in the report.
    """
    reports = assemble_formats(
        base,
        glyphs,
        [output],
        settings,
        keep_existing=keep_existing,
        face_index=face_index,
        location=location,
        source_font=source_font,
        licence_fonts=licence_fonts,
    )
    return reports[0]


def assemble_formats(
    base: Path | None,
    glyphs: Iterable[AssembledGlyph],
    outputs: Sequence[Path],
    settings: FontSettings | None = None,
    *,
    keep_existing: bool = False,
    face_index: int = 0,
    location: Mapping[str, float] | None = None,
    source_font: Path | None = None,
    licence_fonts: Sequence[Path] = (),
    web: Path | None = None,
    suspects: Container[int] = frozenset(),
) -> list[AssembleReport]:
    """Like `assemble` for several files of one font: each kind of outline is built once. Reports in order.

    `web`: a folder for slices of the first output, which get its name. `suspects`: codepoints marked as such in a UFO.
    """
    settings = settings or FontSettings()
    for output in outputs:
        if output.suffix.lower() not in SUFFIXES:
            raise FontError(f"{output}: unknown kind of font; end the name in {', '.join(SUFFIXES)}")
        if output.suffix.lower() == ".ufo":
            require_replaceable(output)
    opened = open_base(base, face_index=face_index, location=location) if base else None
    source = open_base(source_font).open() if source_font else None
    # only their names are read: a variable font of 20,000 glyphs takes minutes to become static
    others = [*([source] if source else []), *map(open_tables, licence_fonts)]
    wants_ttf = any(output.suffix.lower() == ".ttf" for output in outputs)
    web_cff = opened is not None and opened.is_cff and not wants_ttf
    own = opened.is_cff if opened is not None else not wants_ttf
    by_suffix = {".ttf": False, ".otf": True, ".ufo": own}  # a UFO keeps the base's own curves
    kinds = [by_suffix.get(output.suffix.lower(), web_cff) for output in outputs]
    draws = any(output.suffix.lower() == ".ufo" for output in outputs)
    if len(set(kinds)) > 1 or draws:
        glyphs = list(glyphs)
    built: dict[bool, tuple[TTFont, AssembleReport]] = {}
    reports, writings = [], list[_Writing]()
    for output, cff in zip(outputs, kinds, strict=True):
        if cff not in built:
            built[cff] = _build(opened, glyphs, settings, cff, keep_existing, source, others)
        font, report = built[cff]
        if output.suffix.lower() == ".ufo":
            made = set(report.done)
            drawings = {glyph.codepoint: glyph.outline for glyph in glyphs if glyph.codepoint in made}
            write_ufo(font, output, drawings, suspects=suspects)
        else:
            writings.append(_Writing(font_bytes(font), output, settings.subroutinize and cff))
        reports.append(AssembleReport(**{**vars(report), "path": output}))
    many = any(len(font.getGlyphOrder()) > MANY_GLYPHS for font, _ in built.values())
    for _ in parallel_map(_write, writings, chunk=1, few=2 if many else len(writings) + 1):
        pass
    if web is not None:
        write_web(built[kinds[0]][0], web, outputs[0].stem)
    return reports


def require_names(
    base: Path | None,
    settings: FontSettings,
    *,
    face_index: int = 0,
    location: Mapping[str, float] | None = None,
    licence_fonts: Sequence[Path] = (),
) -> None:
    """Raise the FontError that `assemble_formats` would raise for this base or these names, before glyphs are made."""
    opened = open_base(base, face_index=face_index, location=location) if base else None
    _chosen_names(opened.open() if opened else None, settings, list(map(open_tables, licence_fonts)))


def _chosen_names(
    original: TTFont | None, settings: FontSettings, others: Sequence[TTFont]
) -> tuple[Names, list[Licence], list[str]]:
    """The names, what the fonts used demand, and notices."""
    licences = collect_licences([*([original] if original else []), *others])
    names, notices = choose_names(settings.names, original, licences)
    return names, licences, notices


def _build(
    base: Base | None,
    glyphs: Iterable[AssembledGlyph],
    settings: FontSettings,
    cff: bool,
    keep_existing: bool,
    source: TTFont | None,
    others: Sequence[TTFont],
) -> tuple[TTFont, AssembleReport]:
    report = AssembleReport()
    original = base.open() if base else None
    names, licences, notices = _chosen_names(original, settings, others)
    grounds = base or blank_base(settings.units_per_em)
    report.notices += [*grounds.notices, *notices]
    if len({licence.terms for licence in licences} - {""}) > 1 and not settings.names.licence:
        report.notices.append("the fonts used state different licences; check that they allow one font")
    font = join_glyphs(
        grounds,
        glyphs,
        cff=cff,
        keep_existing=keep_existing,
        source=source,
        error_em=settings.conversion_error_em,
        report=report,
    )
    if base is None:
        widen_lines(font)
    write_meta(font, original.getBestCmap() if original else (), settings.design_languages)
    write_names(font, names, settings.names, licences, len(report.done))
    font["head"].created = font["head"].modified = _timestamp(settings, font)
    return font, report


def _timestamp(settings: FontSettings, font: TTFont) -> int:
    """Seconds since 1904 for head: the recipe's date, else SOURCE_DATE_EPOCH, else the base font's date."""
    if settings.timestamp is not None:
        return int(timestampSinceEpoch(settings.timestamp.timestamp()))
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return int(font["head"].modified)
    try:
        seconds = int(epoch)
        if datetime.fromtimestamp(seconds, UTC).year < FIRST_YEAR:
            raise ValueError(epoch)
    except (ValueError, OverflowError, OSError) as error:
        raise FontError(f"SOURCE_DATE_EPOCH is {epoch!r}; set it to whole seconds since 1970 or unset it") from error
    return int(timestampSinceEpoch(seconds))


class _Writing(NamedTuple):
    """A finished font on its way into a file."""

    data: bytes
    """As a plain OpenType file, which travels between processes."""
    output: Path
    subroutinize: bool


def _write(writing: _Writing) -> None:
    """Write one file, packed when it ends in .woff2. Equal fonts give equal bytes."""
    data, output, subroutinize = writing
    if output.suffix.lower() == ".woff2":
        data = font_bytes(TTFont(BytesIO(data), recalcBBoxes=False, recalcTimestamp=False), "woff2")
    elif subroutinize:
        data = subroutinized(data)
    write_bytes(output, data)
