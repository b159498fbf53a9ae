"""What the tables state: characters, names, licence, line metrics for CJK, character sets, hinting."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fontgen.errors import codepoint_name
from fontgen.fonts.check_subject import Finding, Subject, judged, passed
from fontgen.fonts.licence import licence_of, reserved_in
from fontgen.fonts.metrics import is_ideographic
from fontgen.fonts.names import MAX_POSTSCRIPT_LENGTH, POSTSCRIPT_CHARACTERS, RIBBI
from fontgen.fonts.os2 import CODE_PAGE_NAMES, code_page_sets, covered_code_pages

NEEDED_NAMES = {1: "family", 2: "style", 3: "unique ID", 4: "full name", 5: "version", 6: "PostScript name"}

MAX_GDI_LENGTH = 31
"""Windows GDI keeps 32 characters of a family name, the closing zero among them (LOGFONT, lfFaceName)."""

LINE_HEIGHT_EM = (1.1, 1.5)
"""Ascent and descent of a line of CJK text in em that checkers expect."""

_ITALIC, _BOLD, _REGULAR, _USE_TYPO_METRICS = 0x1, 0x20, 0x40, 0x80


def check_cmap(subject: Subject, expected: set[int] | None) -> Iterator[Finding]:
    """The characters promised, and both subtables that systems look for (OpenType: cmap, formats 4 and 12)."""
    mapped = set(subject.cmap)
    if expected is not None:
        missing, extra = sorted(expected - mapped), sorted(mapped - expected)
        culprits = [*(f"{codepoint_name(c)} missing" for c in missing), *(f"{codepoint_name(c)} extra" for c in extra)]
        bad = f"{len(missing)} promised characters are missing and {len(extra)} are there unasked"
        yield judged("characters", "fail", culprits, f"maps exactly the {len(expected)} characters promised", bad)
    tables = {t.format: t.cmap for t in subject.font["cmap"].tables if t.platformID == 3 and t.format in (4, 12)}
    if 4 not in tables:
        yield Finding("cmap", "fail", "no Windows subtable of format 4, which older programs need")
    elif 12 not in tables:
        yield Finding("cmap", "warn", "no Windows subtable of format 12, which CJK fonts are expected to have")
    else:
        differing = [c for c, name in tables[4].items() if c != 0xFFFF and tables[12].get(c) != name]
        bad = "{count} characters differ between the subtables of formats 4 and 12"
        yield judged("cmap", "fail", map(codepoint_name, differing), "subtables of formats 4 and 12 agree", bad)


def check_names(subject: Subject) -> Iterator[Finding]:
    """OpenType: name, "Name IDs"; OS/2 fsSelection and head macStyle must tell the same style."""
    font = subject.font
    text = {i: font["name"].getDebugName(i) or "" for i in (*NEEDED_NAMES, 16, 17)}
    faults = [f"no {meaning} (name ID {i})" for i, meaning in NEEDED_NAMES.items() if not text[i]]
    postscript = text[6]
    if postscript and not POSTSCRIPT_CHARACTERS.fullmatch(postscript):
        faults.append(f"PostScript name {postscript!r} has characters beyond plain ASCII")
    if len(postscript) > MAX_POSTSCRIPT_LENGTH:
        faults.append(f"PostScript name has {len(postscript)} characters, more than {MAX_POSTSCRIPT_LENGTH}")
    if text[2] and text[2] not in RIBBI:
        faults.append(f"name ID 2 is {text[2]!r}, but only {', '.join(RIBBI)} link; use IDs 16 and 17 for others")
    if bool(text[16]) != bool(text[17]):
        faults.append("name IDs 16 and 17 must come together")
    version = re.match(r"Version (\d+\.\d+)", text[5])
    if text[5] and not version:
        faults.append(f"name ID 5 is {text[5]!r}, not 'Version X.YYY'")
    elif version and abs(float(version[1]) - font["head"].fontRevision) > 0.001:
        faults.append(f"version {version[1]} but head.fontRevision {font['head'].fontRevision:.3f}")
    faults += _style_faults(subject, text[2])
    yield judged("names", "fail", faults, "names are complete and agree with the style bits", "{count} faults in names")
    long = [name for name in (text[1],) if len(name) > MAX_GDI_LENGTH]
    bad = f"the family name is longer than {MAX_GDI_LENGTH} characters, which older Windows programs cut off"
    yield judged("name length", "warn", long, "the family name fits older programs", bad)


def _style_faults(subject: Subject, style: str) -> Iterator[str]:
    selection, mac = subject.font["OS/2"].fsSelection, subject.font["head"].macStyle
    for word, bit, mac_bit in (("Bold", _BOLD, 1), ("Italic", _ITALIC, 2)):
        says = {"style name": word in style, "fsSelection": bool(selection & bit), "macStyle": bool(mac & mac_bit)}
        if len(set(says.values())) > 1:
            yield f"{word.lower()}: " + ", ".join(
                f"{where} says {'yes' if yes else 'no'}" for where, yes in says.items()
            )
    if selection & _REGULAR and selection & (_BOLD | _ITALIC):
        yield "fsSelection says regular together with bold or italic"


def check_licence(subject: Subject) -> Iterator[Finding]:
    """The records that a licence travels in, and the names that it keeps for others (SIL OFL 1.1, clause 3)."""
    fields = {0: "copyright (name ID 0)", 13: "licence (13)", 14: "licence URL (14)"}
    missing = [name for name_id, name in fields.items() if not subject.font["name"].getDebugName(name_id)]
    bad = "without " + " and ".join(missing)
    yield judged("licence", "warn", missing, "copyright, licence and licence URL are there", bad)
    reserved = licence_of(subject.font).reserved
    families = {str(r) for r in subject.font["name"].names if r.nameID in (1, 4, 6, 16)}
    taken = sorted({name for family in families if (name := reserved_in(family, reserved))})
    bad = "the font's name uses {count} Reserved Font Names of its own licence"
    yield judged("reserved names", "warn", taken, "the font's name uses no Reserved Font Name", bad)


def check_line_metrics(subject: Subject) -> Iterator[Finding]:
    """Line metrics as CJK fonts have them (OpenType: OS/2 sTypoAscender, hhea, "Recommendations")."""
    font, upem = subject.font, subject.units_per_em
    os2, hhea = font["OS/2"], font["hhea"]
    faults = []
    if os2.sTypoAscender - os2.sTypoDescender != upem:
        faults.append(f"typo ascender {os2.sTypoAscender} less descender {os2.sTypoDescender} is not one em ({upem})")
    if os2.sTypoLineGap or hhea.lineGap:
        faults.append(f"line gaps are {os2.sTypoLineGap} (typo) and {hhea.lineGap} (hhea), not 0")
    if (hhea.ascent, -hhea.descent) != (os2.usWinAscent, os2.usWinDescent):
        win = f"{os2.usWinAscent}/-{os2.usWinDescent}"
        faults.append(f"hhea {hhea.ascent}/{hhea.descent} differs from usWin {win}: lines differ between systems")
    if os2.fsSelection & _USE_TYPO_METRICS:
        faults.append("USE_TYPO_METRICS is on, so lines of one em touch")
    height = (hhea.ascent - hhea.descent) / upem
    if not LINE_HEIGHT_EM[0] <= height <= LINE_HEIGHT_EM[1]:
        faults.append(f"lines are {height:.2f} em high, not {LINE_HEIGHT_EM[0]} to {LINE_HEIGHT_EM[1]}")
    good = f"lines are {height:.2f} em high on every system"
    if not any(map(is_ideographic, subject.cmap)):
        yield passed("line metrics", "not a CJK font")
        return
    yield judged("line metrics", "warn", faults, good, "{count} departures from what CJK fonts have")


def check_extremes(subject: Subject) -> Iterator[Finding]:
    """Do head and hhea state what the glyphs are? Only glyf states boxes that can be compared at once."""
    font = subject.font
    advances = [advance for advance, _ in font["hmtx"].metrics.values()]
    faults = []
    if font["hhea"].advanceWidthMax != max(advances):
        faults.append(f"hhea.advanceWidthMax is {font['hhea'].advanceWidthMax}, the widest glyph {max(advances)}")
    boxes = [box for box in subject.bounds.values() if box] if subject.is_truetype else []
    if boxes:
        lefts, bottoms, rights, tops = zip(*boxes, strict=True)
        true = (min(lefts), min(bottoms), max(rights), max(tops))
        head = font["head"]
        stated = (head.xMin, head.yMin, head.xMax, head.yMax)
        if stated != true:
            faults.append(f"head states the box {stated}, the glyphs fill {true}")
    yield judged("extremes", "fail", faults, "head and hhea state the glyphs' extremes", "{count} extremes are wrong")


def check_vertical(subject: Subject) -> Iterator[Finding]:
    """OpenType: vhea, vmtx, VORG; every CJK font needs the first two, CFF outlines the third."""
    font = subject.font
    if not any(map(is_ideographic, subject.cmap)):
        yield passed("vertical metrics", "not a CJK font")
        return
    missing = [tag for tag in ("vhea", "vmtx") if tag not in font]
    if not missing and not subject.is_truetype and "VORG" not in font:
        missing = ["VORG"]
    good = "vertical lines have metrics of their own"
    yield judged(
        "vertical metrics", "warn", missing, good, f"no {' and '.join(missing)}, so vertical lines are guessed"
    )


def check_code_pages(subject: Subject) -> Iterator[Finding]:
    """Bits 17 to 20 of ulCodePageRange1 against the characters that they promise."""
    os2 = subject.font["OS/2"]
    claimed = {bit for bit in code_page_sets() if os2.version >= 1 and os2.ulCodePageRange1 >> bit & 1}
    covered = covered_code_pages(subject.cmap)
    wrong = [f"{CODE_PAGE_NAMES[bit]} claimed but not covered" for bit in sorted(claimed - covered)]
    wrong += [f"{CODE_PAGE_NAMES[bit]} covered but not claimed" for bit in sorted(covered - claimed)]
    yield judged(
        "code pages", "warn", wrong, "OS/2 claims the national sets that are covered", "{count} claims are wrong"
    )


def check_hinting(subject: Subject) -> Iterator[Finding]:
    """TrueType rasterisers smooth unhinted outlines only when gasp says so (OpenType: gasp)."""
    if not subject.is_truetype:
        yield passed("smoothing", "CFF outlines need no gasp")
        return
    missing = [tag for tag in ("gasp", "prep") if tag not in subject.font]
    good = "gasp and prep are there"
    yield judged(
        "smoothing", "warn", missing, good, f"no {' and '.join(missing)}: rasterisers may not smooth the glyphs"
    )
