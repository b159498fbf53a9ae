"""The proof: one HTML file that holds the font, sets texts in it and shows every glyph. No network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import uharfbuzz as hb
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

from fontgen.canvas import Canvas
from fontgen.errors import FontError, GlyphError
from fontgen.files import write_text
from fontgen.fonts.base import UNREADABLE, font_bytes
from fontgen.fonts.face import Face, FontRef, open_face
from fontgen.glyphs.render import render_ink
from fontgen.proof.samples import choose_samples, showpieces, spread

_COVER_CHARACTERS = 8
_TYPED_CHARACTERS = 24
_KEPT_FEATURES = ("vert", "vrt2", "kern", "mark", "mkmk", "liga", "ccmp")
"""Layout features of a reference that the page's settings show."""
_DIGEST_CANVAS = Canvas(size_px=128)  # fine enough that an edge moved by one unit shows in the greys


@dataclass(frozen=True)
class ProofGlyph:
    """A generated character of the font and what the gate thinks of it."""

    codepoint: int
    score: float | None = None
    """0..1, higher is better; None when it was not scored."""
    reason: str = ""
    """Why it is suspect; empty for a glyph that passed."""


def write_proof(
    font: FontRef | Path,
    output: Path,
    *,
    generated: Sequence[ProofGlyph] | None = None,
    references: Mapping[str, FontRef | Path] | None = None,
    unpacked: Path | None = None,
    title: str = "",
    figures: Mapping[str, object] | None = None,
) -> None:
    """Write a self-contained HTML proof of `font` that opens from disk.

    `generated` lists the characters that were made rather than drawn; the page tints them and sorts
    them by score. `references` (source, truth, previous version, by what the page calls them) are cut down to
    the font's characters; one at a time can be toggled or laid over. `figures` are printed at the top, label and
    value. `unpacked`: the same font as a plain file, to read from; to unpack a WOFF2 of 20,000 glyphs takes half a
    minute. The same input gives the same bytes. Raises FontError when a font cannot be read.
    """
    ref = _ref(font)
    embedded = _embed(ref, face=open_face(FontRef.of(unpacked)) if unpacked else None)
    others = {
        label: _embed(_ref(reference), keep=embedded.codepoints) for label, reference in (references or {}).items()
    }
    made = sorted(generated or (), key=lambda glyph: glyph.codepoint)
    cover = _cover(embedded, made)
    values = {
        "title": escape(title or f"{embedded.family} {embedded.style}".strip()),
        "family": escape(embedded.family),
        "style": escape(embedded.style),
        "version": escape(embedded.version),
        "copyright": escape(embedded.copyright),
        "licence": escape(embedded.licence),
        "font_label": "This font",
        "reference_label": escape(next(iter(others), "Reference")),
        "space_hint": ", <kbd>Space</kbd> flips to the reference" if others else "",
        "faces": _face_css("Proof Font", embedded)
        + "".join(_face_css(f"Proof Reference {number}", other) for number, other in enumerate(others.values())),
        "css": _asset("proof.css"),
        "script": _asset("proof.js"),
        "cover": escape(cover),
        "cover_count": str(max(len(cover), 4)),
        "cover_lang": _han_language(embedded),
        "facts": _facts(embedded, made, figures or {}),
        "data": _script_json(_data(embedded, others, made)),
    }
    write_text(output, Template(_asset("proof.html")).substitute(values))


@dataclass(frozen=True)
class _Embedded:
    """A font ready to be put into the page."""

    packed: bytes
    """WOFF or WOFF2."""
    kind: str
    """`woff` or `woff2`."""
    codepoints: frozenset[int]
    digests: str
    family: str
    style: str
    version: str
    copyright: str
    licence: str


def _embed(ref: FontRef, keep: frozenset[int] | None = None, face: Face | None = None) -> _Embedded:
    """Read a face, cut it down to the codepoints `keep`, and pack it.

    A WOFF2 file is taken as it is. Anything else becomes WOFF, which is larger but many times quicker to make.
    """
    face = face or open_face(ref)  # raises the FontError that says what is wrong with the file
    try:
        data = ref.path.read_bytes()
        font = TTFont(BytesIO(data), fontNumber=ref.face_index, lazy=True, recalcTimestamp=False)
        names = {key: font["name"].getDebugName(key) if "name" in font else None for key in range(18)}
        whole = "fvar" not in font
        if keep is not None and not keep.issuperset(face.cmap):
            whole = False
            font = _subset(font, ref.face_index, data, keep.intersection(face.cmap))
        if "fvar" in font:
            location = dict(ref.location)
            defaults = {axis.axisTag: location.get(axis.axisTag, axis.defaultValue) for axis in font["fvar"].axes}
            font = instantiateVariableFont(font, defaults)
        as_it_is = font.flavor == "woff2" and whole
        return _Embedded(
            packed=data if as_it_is else font_bytes(font, "woff"),
            kind="woff2" if as_it_is else "woff",
            codepoints=frozenset(face.cmap if keep is None else keep.intersection(face.cmap)),
            digests=_digests(face) if keep is None else "",
            family=names[16] or names[1] or ref.path.stem,
            style=names[17] or names[2] or "",
            version=(names[5] or "").partition(";")[0],  # the rest tells of the tools that made it
            copyright=names[0] or "",
            licence=names[13] or "",
        )
    except (*UNREADABLE, RuntimeError, TypeError) as error:
        raise FontError(f"{ref}: cannot be put into a proof ({error}); run `fontgen check` on it") from error


def _subset(font: TTFont, face_index: int, data: bytes, codepoints: Iterable[int]) -> TTFont:
    """The font of `data` cut down by HarfBuzz, which takes a fortieth of fontTools' time for CFF outlines."""
    if font.flavor is not None:
        plain = BytesIO()
        font.flavor = None
        font.save(plain, reorderTables=None)
        data, face_index = plain.getvalue(), 0
    wanted = hb.SubsetInput()
    wanted.unicode_set.update(codepoints)
    wanted.layout_feature_tag_set.clear()
    wanted.layout_feature_tag_set.update(int.from_bytes(tag.encode(), "big") for tag in _KEPT_FEATURES)
    wanted.flags = hb.SubsetFlags.NOTDEF_OUTLINE | hb.SubsetFlags.NO_HINTING
    cut = wanted.subset(hb.Face(data, face_index)).blob.data
    return TTFont(BytesIO(cut), lazy=True, recalcTimestamp=False)


def _digests(face: Face) -> str:
    """Six hexadecimal digits for each codepoint, ascending: a mark must not outlive the glyph it was put on."""
    found = []
    for codepoint in sorted(face.cmap):
        try:
            ink = render_ink(face, codepoint, _DIGEST_CANVAS).tobytes()
        except GlyphError:
            ink = b""  # the font check reports it; here it only keeps its place in the row
        found.append(hashlib.blake2b(ink, digest_size=3).hexdigest())
    return "".join(found)


def _cover(font: _Embedded, made: Sequence[ProofGlyph]) -> str:
    """The line at the top: generated characters that passed, evenly spread, so it flatters no one glyph."""
    passed = [glyph.codepoint for glyph in made if not glyph.reason and glyph.codepoint in font.codepoints]
    return spread(showpieces(passed or sorted(font.codepoints)), _COVER_CHARACTERS)


def _han_language(font: _Embedded) -> str:
    """Which variant of an ideograph the browser should ask of the font."""
    return "ja" if 0x3042 in font.codepoints else "zh-Hant"


def _facts(font: _Embedded, made: Sequence[ProofGlyph], figures: Mapping[str, object]) -> str:
    facts: dict[str, object] = {"characters": len(font.codepoints)}
    if made:
        present = [glyph for glyph in made if glyph.codepoint in font.codepoints]
        facts["generated"] = len(present)
        facts["suspect"] = sum(bool(glyph.reason) for glyph in present)
        if len(present) < len(made):
            facts["generated, not in the font"] = len(made) - len(present)
    size = len(font.packed)
    facts[f"file ({font.kind.upper()})"] = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    return "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(_plain(value))}</dd></div>"
        for label, value in {**facts, **figures}.items()
    )


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _data(font: _Embedded, others: Mapping[str, _Embedded], made: Sequence[ProofGlyph]) -> dict[str, Any]:
    reasons = sorted({glyph.reason for glyph in made if glyph.reason})
    number = {reason: index for index, reason in enumerate(reasons)}
    shown, left = choose_samples(font.codepoints)
    made_codes = [glyph.codepoint for glyph in made if glyph.codepoint in font.codepoints]
    samples = [
        {
            "lang": sample.lang,
            "name": sample.name,
            "note": f"{sample.coverage(font.codepoints):.0%} of this text",
            "large": sample.large,
            "small": sample.small,
        }
        for sample in shown
    ]
    presets = [{"name": sample.name, "text": sample.large} for sample in shown]
    if made_codes:
        line = spread(showpieces(made_codes), _TYPED_CHARACTERS)
        presets.insert(0, {"name": "Generated", "text": line})
        small = spread(made_codes, 160)
        note = f"{len(set(line + small))} of {len(made_codes):,} characters"
        samples.insert(
            0, {"lang": _han_language(font), "name": "Generated", "note": note, "large": line[:12], "small": small}
        )
    if not presets:
        line = spread(showpieces(sorted(font.codepoints)), _TYPED_CHARACTERS)
        presets.append({"name": "This font", "text": line})
    return {
        "key": f"{font.family} {font.style}".strip(),
        "file": "".join(c if c.isalnum() else "-" for c in f"{font.family} {font.style}".strip()),
        "covered": _ranges(font.codepoints),
        "references": [{"label": label, "covered": _ranges(other.codepoints)} for label, other in others.items()],
        "generated": [
            [glyph.codepoint, None if glyph.score is None else round(glyph.score, 4), number.get(glyph.reason)]
            for glyph in made
        ],
        "reasons": reasons,
        "digests": font.digests,
        "samples": samples,
        "presets": presets,
        "unset": _unset(left),
    }


def _unset(left: Sequence[tuple[str, float]]) -> str:
    if not left:
        return ""
    named = ", ".join(f"{name} ({share:.0%} of the sample's characters)" for name, share in left)
    return f"Not set, for want of characters: {named}."


def _ranges(codepoints: Iterable[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for codepoint in sorted(codepoints):
        if found and codepoint == found[-1][1] + 1:
            found[-1][1] = codepoint
        else:
            found.append([codepoint, codepoint])
    return found


def _face_css(family: str, font: _Embedded) -> str:
    # one em box for both fonts, so that baselines coincide in an overlay whatever their metrics
    data = base64.b64encode(font.packed).decode("ascii")
    return (
        f'@font-face {{ font-family: "{family}"; ascent-override: 88%; descent-override: 12%; line-gap-override: 0%; '
        f'src: url("data:font/{font.kind};base64,{data}") format("{font.kind}"); }}\n'
    )


def _script_json(data: Mapping[str, Any]) -> str:
    """JSON that can stand inside a script element: no `</script>` and no comment can end it early."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("fontgen.proof").joinpath("templates", name).read_text(encoding="utf-8")


def _ref(font: FontRef | Path) -> FontRef:
    return font if isinstance(font, FontRef) else FontRef.of(font)
