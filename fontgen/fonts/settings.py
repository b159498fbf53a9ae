"""What a recipe says about the font to be made: its names, dates and formats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fontgen.settings import Settings

Flavour = Literal["ttf", "otf", "woff2"]
"""Kinds of font file: TrueType outlines, CFF outlines, and WOFF2 around either."""

Format = Flavour | Literal["ufo"]
"""What can be made of the font: files, and a UFO for font editors."""

Language = Literal["ja", "zh-Hans", "zh-Hant", "ko"]
"""Languages of localised family names (BCP 47)."""


_SCRIPT_LANG_TAG = r"^([a-z]{2,3}-)?[A-Z][a-z]{3}(-([A-Z]{2}|[0-9]{3}))?$"
"""OpenType: meta, "ScriptLangTag": BCP 47 with a script, which comes first where no language does."""


FIRST_YEAR = 1904
"""The year from whose beginning head counts seconds (OpenType specification, LONGDATETIME)."""


def _in_utc(moment: datetime) -> datetime:
    if moment.year <= FIRST_YEAR:  # UTC may still be in the year before
        raise ValueError(f"dates of fonts begin with {FIRST_YEAR + 1}")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _with_a_font(formats: tuple[Format, ...]) -> tuple[Format, ...]:
    if not set(formats) - {"ufo"}:
        raise ValueError("needs ttf, otf or woff2, with or without ufo beside it")
    return formats


class NameSettings(Settings):
    """The `name` table. What is left out is carried over from the base font or derived."""

    family: str | None = Field(default=None, min_length=1)
    """Family name; default: the base font's with "Fontgen" behind it, unless a Reserved Font Name forbids that."""
    style: str | None = Field(default=None, min_length=1)
    """Style name ("Bold", "Medium Italic"); default: the base font's."""
    version: str = Field(default="1.000", pattern=r"^\d{1,3}\.\d{3}$")
    """Version as X.YYY."""
    postscript_name: str | None = None
    """ASCII name of at most 63 characters; default: family and style without spaces."""
    localised: dict[Language, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Family name by language: "ja", "zh-Hans", "zh-Hant", "ko"."""
    designer: str | None = None
    """Who designed the typeface; default: the base font's designer."""
    designer_url: str | None = None
    """Web address of the designer; default: the base font's."""
    manufacturer: str | None = None
    """Who makes and publishes this font; default: none, since it is not the base font's maker."""
    vendor: str = Field(default="NONE", pattern=r"^[\x20-\x7e]{1,4}$")
    """OpenType vendor tag of one to four ASCII characters; "NONE" is for the unregistered."""
    vendor_url: str | None = None
    """Web address of the maker."""
    description: str | None = None
    """Free text; default: how many glyphs were generated."""
    copyright: str | None = None
    """Copyright notice of one's own, put before those of the fonts used (which always stay)."""
    licence: str | None = None
    """Licence text; default: the base font's."""
    licence_url: str | None = None
    """Web address of the licence; default: the base font's."""


class FontSettings(Settings):
    """How the font is assembled."""

    formats: Annotated[tuple[Format, ...], AfterValidator(_with_a_font)] = ("ttf", "otf", "woff2")
    """Files to make of the font, and `ufo` beside them for hand work in a font editor."""
    web: bool = False
    """Also make `web/`: WOFF2 slices of up to 180 characters and the CSS by which a browser loads those it needs."""
    design_languages: tuple[Annotated[str, Field(pattern=_SCRIPT_LANG_TAG)], ...] = ()
    """What the font is designed for, as ScriptLangTags ("Jpan", "Hant-TW"); default: what the base font covers."""
    names: NameSettings = NameSettings()
    """What goes into the `name` table."""
    units_per_em: int | None = Field(default=None, ge=16, le=16384)
    """Font units per em where no base font sets it (default 1000)."""
    subroutinize: bool = True
    """Write repeated strokes of CFF outlines once, in the .otf; a .woff2 is smaller without them."""
    timestamp: Annotated[datetime, AfterValidator(_in_utc)] | None = None
    """Date of the font (UTC); default: SOURCE_DATE_EPOCH, and without it the base font's own date."""
    conversion_error_em: float = Field(default=0.001, ge=0, le=0.01)
    """Largest distance in em between a base glyph and its conversion to the other kind of curve.

    0 raises quadratic curves to exact cubics, at five times the bytes; cubics to quadratics need at least 0.0001.
    """
