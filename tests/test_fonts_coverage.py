"""What a font covers: counts, blocks, placeholders, and the command."""

from __future__ import annotations

import json
from pathlib import Path

from box_fonts import TOFU, ZEN, box_font
from click.testing import CliRunner

from fontgen.charset import named_set, set_names
from fontgen.cli import main
from fontgen.fonts.coverage import coverage, coverage_lines
from fontgen.fonts.face import FontRef, open_face

BOX = [(100, 0, 900, 700)]


def test_what_is_missing_is_named_by_unicode_block(tmp_path: Path) -> None:
    glyphs = {0x4E00: BOX, 0x4E01: [], 0x4E03: [TOFU], 0x3042: BOX, 0x3000: []}
    face = open_face(FontRef.of(box_font(tmp_path / "font.ttf", glyphs)))
    wanted = (0x3000, 0x3042, 0x4E00, 0x4E01, 0x4E03, 0x20000)
    (row,) = coverage(face, {"some": wanted})
    assert (row.total, row.have) == (6, 3)
    assert row.missing_by_block() == {
        "CJK Unified Ideographs": [0x4E01, 0x4E03],
        "CJK Unified Ideographs Extension B": [0x20000],
    }
    assert row.to_json()["missing"]["CJK Unified Ideographs Extension B"] == ["U+20000"]
    line = list(coverage_lines([row]))[1]
    assert " ".join(line.split()) == "some 6 3 3 CJK Unified Ideographs 2, CJK Unified Ideographs Extension B 1"


def test_the_command_tells_all_named_sets_or_the_one_asked_for(tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["charset", "--in", str(ZEN), "--coverage", "--json", str(tmp_path / "c.json")])
    assert run.exit_code == 0, run.output
    names = [line.split()[0] for line in run.stdout.splitlines()[1:]]
    assert names == set_names()
    data = {row["set"]: row for row in json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))["sets"]}
    assert data["ascii"] == {"set": "ascii", "characters": 95, "have": 95, "missing": {}}
    joyo = data["joyo"]
    assert joyo["have"] + sum(map(len, joyo["missing"].values())) == len(named_set("joyo"))
    run = CliRunner().invoke(main, ["charset", "ascii + U+20000", "--in", str(ZEN), "--coverage"])
    assert [line.split()[-1] for line in run.stdout.splitlines()[1:]] == ["1"]


def test_coverage_is_of_a_font_and_a_set_is_needed_without_it() -> None:
    for arguments in (["charset", "--coverage"], ["charset"], ["charset", "--in", str(ZEN), "--coverage", "--list"]):
        run = CliRunner().invoke(main, arguments)
        assert run.exit_code == 2
        assert "Error: " in run.stderr
