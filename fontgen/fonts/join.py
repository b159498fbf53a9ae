"""New outlines join the glyphs of a base font; what they do not replace stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from fontgen.errors import FontError, GlyphError, codepoint_name
from fontgen.fonts.base import Base, font_bytes
from fontgen.fonts.cff import CharStringWriter, compile_charstring, to_cff
from fontgen.fonts.face import is_whitespace
from fontgen.fonts.glyf import (
    Drawable,
    compile_truetype,
    copy_truetype,
    put_truetype,
    redirect_components,
    smooth_unhinted,
    to_truetype,
    truetype_bounds,
    update_maxp,
    used_as_component,
)
from fontgen.fonts.metrics import (
    AdvanceRule,
    CompiledGlyph,
    Hanging,
    add_vertical_metrics,
    charstring_bounds,
    hang_from_origin,
    is_ideographic,
    update_extremes,
)
from fontgen.fonts.os2 import update_os2
from fontgen.fonts.tables import (
    classify_glyphs,
    codepoints_by_glyph,
    drop_stale,
    extend_device_metrics,
    write_cmap,
)
from fontgen.fonts.vertical import Turned, add_vert, form_names, needs_form, served, vertical_map
from fontgen.parallel import parallel_map
from fontgen.report import Report

MAX_GLYPHS = 65535
"""maxp.numGlyphs is 16 bits (OpenType: maxp)."""


@dataclass(frozen=True, slots=True)
class AssembledGlyph:
    """One glyph for the font."""

    codepoint: int
    outline: Drawable
    advance_em: float | None = None
    """Advance width in em; None: the replaced glyph's, else the source font's, else full width."""
    vertical_advance_em: float | None = None
    """Advance height in em; None: the replaced glyph's, else the base font's usual one."""


@dataclass
class AssembleReport(Report):
    """What became of every glyph, and what a user should know about the font."""

    stage: str = "assemble"
    path: Path | None = None
    added: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        changes = {"added": len(self.added), "replaced": len(self.replaced), "notices": self.notices}
        return {**super().to_json(), **changes, "path": self.path.name if self.path else None}


@dataclass(frozen=True, slots=True)
class _Joining:
    """One compiled glyph on its way into the font."""

    codepoint: int
    compiled: CompiledGlyph
    advance_em: float | None
    height_em: float | None
    outline: Drawable | None = None
    """Kept where a form for vertical lines may be made of it."""
    name: str = ""
    replaced: str | None = None
    """The base's glyph for this codepoint, whether or not its place is taken."""


def join_glyphs(
    base: Base,
    glyphs: Iterable[AssembledGlyph],
    *,
    cff: bool,
    keep_existing: bool,
    source: TTFont | None,
    error_em: float,
    report: AssembleReport,
) -> TTFont:
    """The base with `glyphs` in it, as CFF or glyf; what became of each goes into `report`.

    A glyph takes the place of the base's for its codepoint; where that one also shows other codepoints, or is
    .notdef, it gets a glyph of its own instead. Raises FontError for repeated or impossible codepoints and too
    many glyphs.
    """
    font = _in_flavour(base, cff=cff, error_em=error_em)
    mapping, order = dict(font.getBestCmap()), list(font.getGlyphOrder())
    compiled = _compiled(
        font, glyphs, cff=cff, kept=frozenset(mapping) if keep_existing else frozenset(), report=report
    )
    writer = CharStringWriter(font) if cff else None
    joining = _placed(font, compiled, mapping, order, writer)
    composites: dict[str, list[str]] = {}
    if not cff:
        composites = used_as_component(font, (glyph.name for glyph in joining if glyph.name == glyph.replaced))
    copies = {part: _free_name(f"{part}.part", set(order)) for part in composites}
    order += copies.values()
    _require_room(len(font.getGlyphOrder()), len(order))

    bounds = {} if cff else truetype_bounds(font)
    advances = AdvanceRule(font, source)
    if "vmtx" not in font and any(map(is_ideographic, [*mapping, *(glyph.codepoint for glyph in joining)])):
        add_vertical_metrics(font, charstring_bounds(font, order=font.getGlyphOrder()) if cff else bounds)
    hanging = Hanging(font, bounds)
    forms = _vertical_forms(font, joining, advances, hanging, order, writer)
    _require_room(len(font.getGlyphOrder()), len(order))
    report.notices += drop_stale(font, replaced=any(glyph.replaced for glyph in joining))
    _load_listing_tables(font, *(["GSUB"] if forms else []))
    first_new = len(font.getGlyphOrder())
    font.setGlyphOrder(order)
    for part, copy in copies.items():
        copy_truetype(font, part, copy)
        for tag in ("hmtx", "vmtx"):
            if tag in font:
                font[tag].metrics[copy] = font[tag].metrics[part]
        bounds[copy] = bounds[part]
    if copies:
        redirect_components(font, copies, {name for names in composites.values() for name in names})
    for glyph in joining:
        _set_metrics(font, glyph, advances, hanging)
        bounds[glyph.name] = glyph.compiled.bounds
        mapping[glyph.codepoint] = glyph.name
        report.add_done(glyph.codepoint)
        (report.added if glyph.replaced is None else report.replaced).append(glyph.codepoint)
    for form in forms.values():
        _set_metrics(font, form, advances, hanging)
        bounds[form.name] = form.compiled.bounds
    drawn = [*joining, *forms.values()]
    if writer is not None:
        for glyph in drawn:
            writer.put(glyph.name, glyph.compiled, font["hmtx"].metrics[glyph.name][0])
        writer.finish(order, (glyph.compiled.bounds for glyph in drawn))
    else:
        put_truetype(font, {glyph.name: glyph.compiled for glyph in drawn})
        update_maxp(font, (glyph.compiled for glyph in drawn))
        smooth_unhinted(font)
    update_extremes(font, bounds, complete=not cff)
    classify_glyphs(font, order[first_new:])
    extend_device_metrics(font, [*(glyph.name for glyph in drawn), *copies.values()])
    add_vert(font, {upright: form.name for upright, form in forms.items()})
    report.notices += write_cmap(font, mapping)
    update_os2(font, report.added)
    return font


def _in_flavour(base: Base, *, cff: bool, error_em: float) -> TTFont:
    font = base.open()
    if cff == base.is_cff:
        return font
    (to_cff if cff else to_truetype)(font, error_em=error_em)
    return TTFont(BytesIO(font_bytes(font)), recalcBBoxes=False, recalcTimestamp=False)


def _compiled(
    font: TTFont, glyphs: Iterable[AssembledGlyph], *, cff: bool, kept: frozenset[int], report: AssembleReport
) -> list[_Joining]:
    """Outlines in the font's own bytes, by codepoint; outlines themselves are let go one by one."""
    done: dict[int, _Joining] = {}
    seen: set[int] = set()
    repeated: list[int] = []

    def wanted() -> Iterator[AssembledGlyph]:
        for glyph in glyphs:
            _require_character(glyph.codepoint)
            if glyph.codepoint in seen:
                repeated.append(glyph.codepoint)
            elif glyph.codepoint in kept:
                report.add_skipped(glyph.codepoint, "the base font's own glyph is kept")
            else:
                yield glyph
            seen.add(glyph.codepoint)

    attempt = partial(_attempt, compile_charstring if cff else compile_truetype, font["head"].unitsPerEm)
    for codepoint, result in parallel_map(attempt, wanted()):
        if isinstance(result, str):
            report.add_failed(codepoint, result)
        else:
            done[codepoint] = result
    if repeated:
        shown = ", ".join(map(codepoint_name, sorted(repeated)[:5])) + (", ..." if len(repeated) > 5 else "")
        raise FontError(f"more than one glyph for {shown}; keep one image for each character")
    return [done[codepoint] for codepoint in sorted(done)]


def _attempt(
    compile_outline: Callable[[Drawable, int], CompiledGlyph], units_per_em: int, glyph: AssembledGlyph
) -> tuple[int, _Joining | str]:
    """The codepoint with its compiled glyph, or with what went wrong."""
    try:
        compiled = compile_outline(glyph.outline, units_per_em)
        if compiled.bounds is None and not is_whitespace(glyph.codepoint):
            raise GlyphError("the outline is empty; trace its image again or leave the character out")
    except GlyphError as error:
        return glyph.codepoint, str(error)
    kept = glyph.outline if needs_form(glyph.codepoint) else None
    return glyph.codepoint, _Joining(glyph.codepoint, compiled, glyph.advance_em, glyph.vertical_advance_em, kept)


def _require_character(codepoint: int) -> None:
    if not 0 <= codepoint <= 0x10FFFF or 0xD800 <= codepoint <= 0xDFFF or codepoint & 0xFFFE == 0xFFFE:
        name = codepoint_name(codepoint) if codepoint >= 0 else str(codepoint)
        raise FontError(f"{name} is not a character that a font can map; remove it from the charset")


def _require_room(before: int, after: int) -> None:
    if after > MAX_GLYPHS:
        raise FontError(
            f"the base font's {before} glyphs and {after - before} new ones make {after}, but a font holds at most "
            f"{MAX_GLYPHS}; assemble fewer characters or start from a subset of the base font"
        )


def _placed(
    font: TTFont,
    compiled: list[_Joining],
    mapping: dict[int, str],
    order: list[str],
    writer: CharStringWriter | None,
) -> list[_Joining]:
    """Glyph names for all; those of new glyphs are appended to `order`."""
    users, notdef = codepoints_by_glyph(font), order[0]
    coming = {glyph.codepoint for glyph in compiled}

    def place(codepoint: int) -> str | None:
        """The base glyph to overwrite: one that shows nothing else, or whose every codepoint is replaced now."""
        old = mapping.get(codepoint)
        if old is None or old == notdef or not users[old] <= coming or min(users[old]) != codepoint:
            return None
        return old

    places = [place(glyph.codepoint) for glyph in compiled]
    _require_room(len(order), len(order) + places.count(None))
    if writer is not None and writer.is_cid:
        new_names = iter(writer.new_names(places.count(None)))
    else:
        new_names = iter(
            _unicode_names([glyph.codepoint for glyph, old in zip(compiled, places, strict=True) if not old], order)
        )
    placed = []
    for glyph, old in zip(compiled, places, strict=True):
        name = old or next(new_names)
        if old is None:
            order.append(name)
        placed.append(replace(glyph, name=name, replaced=mapping.get(glyph.codepoint)))
    return placed


def _unicode_names(codepoints: list[int], order: list[str]) -> list[str]:
    """uniXXXX or uXXXXX by the Adobe Glyph List specification, with a suffix where a base glyph has the name."""
    taken = set(order)
    names = (f"uni{c:04X}" if c <= 0xFFFF else f"u{c:05X}" for c in codepoints)
    return [name if name not in taken else _free_name(name, taken) for name in names]


def _free_name(name: str, taken: Container[str]) -> str:
    number = 1
    while f"{name}.{number}" in taken:
        number += 1
    return f"{name}.{number}"


def _vertical_forms(
    font: TTFont,
    joining: list[_Joining],
    advances: AdvanceRule,
    hanging: Hanging,
    order: list[str],
    writer: CharStringWriter | None,
) -> dict[str, _Joining]:
    """Upright glyph name -> its form for vertical lines, where the base has none; names are appended to `order`."""
    if "vmtx" not in font or all(glyph.outline is None for glyph in joining):
        return {}
    have, upem = served(font), font["head"].unitsPerEm
    found: dict[str, _Joining] = {}
    for glyph in joining:
        if glyph.outline is None or glyph.compiled.bounds is None:
            continue
        advance = advances(glyph.codepoint, glyph.advance_em, glyph.replaced)
        turn = vertical_map(glyph.codepoint, glyph.compiled.bounds, advance, hanging.of(glyph.replaced)[1], upem)
        if turn is not None and glyph.name not in have:
            form = Turned(glyph.outline, turn)
            compiled = compile_truetype(form, upem) if writer is None else compile_charstring(form, upem)
            found[glyph.name] = replace(glyph, compiled=compiled)
    if writer is not None and writer.is_cid:
        added = len(order) - len(font.getGlyphOrder())
        names = dict(zip(found, writer.new_names(added + len(found))[added:], strict=True))
    else:
        names = form_names(found, set(order))
    order += names.values()
    return {upright: replace(form, name=names[upright]) for upright, form in found.items()}


def _load_listing_tables(font: TTFont, *more: str) -> None:
    """Unpack every table that lists glyphs, while the glyph order is still the one that it was packed by."""
    for tag in ("hmtx", "vmtx", "VORG", "glyf", "hdmx", "LTSH", "post", "GDEF", *more):
        if tag in font:
            _ = font[tag]


def _set_metrics(font: TTFont, glyph: _Joining, advances: AdvanceRule, hanging: Hanging) -> None:
    box = glyph.compiled.bounds
    advance = advances(glyph.codepoint, glyph.advance_em, glyph.replaced)
    font["hmtx"].metrics[glyph.name] = (advance, box[0] if box else 0)
    if "vmtx" not in font:
        return
    height, origin = hanging.of(glyph.replaced)
    if glyph.height_em is not None:
        height = int(glyph.height_em * font["head"].unitsPerEm + 0.5)
    font["vmtx"].metrics[glyph.name] = (height, origin - box[3] if box else 0)
    hang_from_origin(font, glyph.name, origin)
