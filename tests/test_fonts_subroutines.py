"""Subroutines of .otf files: smaller, and the same drawings, hints and names."""

from __future__ import annotations

from pathlib import Path

import cffsubr
import pytest
from fontTools.ttLib import TTFont
from sample_fonts import DISC, NAMED, box, drawing, rings, small_cff

from fontgen.errors import FontError
from fontgen.fonts.assemble import AssembledGlyph, assemble, assemble_formats
from fontgen.fonts.check import check_font
from fontgen.outlines.outline import Outline

PLAIN = NAMED.model_copy(update={"subroutinize": False})
COMBS = [
    AssembledGlyph(0x4E10 + n, Outline(tuple(box(0.05 + 0.1 * k, 0, 0.1 + 0.1 * k, 0.8 - 0.01 * n) for k in range(9))))
    for n in range(12)
]


@pytest.mark.parametrize("cid", [False, True])
def test_an_otf_is_smaller_and_otherwise_the_same(tmp_path: Path, cid: bool) -> None:
    base, plain, shared = (tmp_path / f"{name}.otf" for name in ("base", "plain", "shared"))
    small_cff(base, cid=cid)
    assemble(base, [*rings(range(0x4E20, 0x4E40)), *COMBS], plain, PLAIN)
    assemble(base, [*rings(range(0x4E20, 0x4E40)), *COMBS], shared, NAMED)
    before, after = TTFont(plain), TTFont(shared)
    assert not cffsubr.has_subroutines(before)
    assert cffsubr.has_subroutines(after)
    assert after.reader.tables["CFF "].length < 0.6 * before.reader.tables["CFF "].length
    assert after.getGlyphOrder() == before.getGlyphOrder()
    assert all(drawing(after, name) == drawing(before, name) for name in before.getGlyphOrder())
    old, new = before["CFF "].cff, after["CFF "].cff
    assert (new.fontNames, new[0].FullName, new[0].Weight) == (old.fontNames, old[0].FullName, old[0].Weight)
    private = [top.FDArray[0].Private if cid else top.Private for top in (old[0], new[0])]
    assert private[0].BlueValues == private[1].BlueValues == [-10, 0]
    for tag in set(before.reader.keys()) - {"CFF ", "head"}:
        assert after.reader[tag] == before.reader[tag], tag
    assert check_font(shared).level != "fail"


def test_hints_stay(tmp_path: Path) -> None:
    base = small_cff(tmp_path / "base.otf", cid=False)
    font = TTFont(base)
    stem = font["CFF "].cff[0].CharStrings["one"]
    stem.decompile()
    stem.program = [stem.program[0], 0, 700, "hstem", *stem.program[1:]]  # behind the width
    font.save(base)
    assert "hstem" in _program(base, "one")
    assemble(base, rings(range(0x4E20, 0x4E40)), tmp_path / "out.otf", NAMED)
    assert "hstem" in _program(tmp_path / "out.otf", "one")


def _program(path: Path, name: str) -> list[object]:
    font = TTFont(path)
    cffsubr.desubroutinize(font)
    charstring = font["CFF "].cff[0].CharStrings[name]
    charstring.decompile()
    return list(charstring.program)


def test_points_between_units_stay(tmp_path: Path) -> None:
    """conversion_error_em = 0 leaves control points at thirds of units; tx keeps hundredths."""
    disc = tmp_path / "disc.ttf"
    assemble(None, [AssembledGlyph(0x4E00, DISC)], disc, NAMED)
    exact = NAMED.model_copy(update={"conversion_error_em": 0.0})
    assemble(disc, [], tmp_path / "shared.otf", exact)
    assemble(disc, [], tmp_path / "plain.otf", exact.model_copy(update={"subroutinize": False}))
    shared, plain = (
        [point for _, points in drawing(TTFont(tmp_path / f"{name}.otf"), "uni4E00") for point in points]
        for name in ("shared", "plain")
    )
    assert any(x != round(x) for x, _ in shared)
    for got, true in zip(shared, plain, strict=True):
        assert got == pytest.approx(true, abs=0.02)


def test_only_the_otf_is_subroutinized_and_it_repeats(tmp_path: Path) -> None:
    base = small_cff(tmp_path / "base.otf", cid=True)
    outputs = [tmp_path / name for name in ("a.otf", "a.woff2", "b.otf")]
    assemble_formats(base, COMBS, outputs, NAMED)
    assert not cffsubr.has_subroutines(TTFont(outputs[1]))
    assert outputs[0].read_bytes() == outputs[2].read_bytes()


def test_a_refusal_is_one_line_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(font: TTFont) -> None:
        raise cffsubr.Error("bad charstring\n")

    monkeypatch.setattr(cffsubr, "subroutinize", refuse)
    with pytest.raises(FontError, match=r"subroutinized \(bad charstring\); set subroutinize = false in \[font\]"):
        assemble(small_cff(tmp_path / "base.otf", cid=False), rings(), tmp_path / "out.otf", NAMED)
    assert not (tmp_path / "out.otf").exists()
