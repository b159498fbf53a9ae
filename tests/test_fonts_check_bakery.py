"""FontBakery's report becomes findings; without FontBakery the check says so."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sample_fonts import NAMED, rings

from fontgen.cli import main
from fontgen.fonts import check_bakery as bakery
from fontgen.fonts.assemble import assemble


def result(check: str, status: str, *messages: tuple[str, str]) -> dict[str, Any]:
    """One check as FontBakery 1.1 reports it."""
    return {
        "key": ["<Section: Universal Profile Checks>", f"<FontBakeryCheck:{check}>", [["font", 0]]],
        "result": status,
        "description": f"About {check}.",
        "logs": [{"status": level, "message": {"code": "c", "message": text}} for level, text in messages],
    }


@pytest.fixture
def font(tmp_path: Path) -> Path:
    assemble(None, rings([0x4E00]), tmp_path / "font.ttf", NAMED)
    return tmp_path / "font.ttf"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, report: object) -> None:
    """A `fontbakery` that writes `report` where --json asks for it, or nothing and an excuse when it is None."""
    program = folder / "fontbakery"
    (folder / "report.in").write_text(json.dumps(report))
    lines = [
        f"#!{sys.executable}",
        "import sys",
        f"report = open({str(folder / 'report.in')!r}).read()",
        "assert sys.argv[1] == 'check-universal' and sys.argv[-1].endswith('.ttf')",
        "if report == 'null': sys.exit('no such profile')",
        "open(sys.argv[sys.argv.index('--json') + 1], 'w').write(report)",
        "sys.exit(1)",
    ]
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    monkeypatch.setattr(bakery, "find_bakery", lambda: program)


def check(font: Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["check", str(font), "--fontbakery"])
    return done.exit_code, done.output


def test_statuses_become_levels(font: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [
        result("required_tables", "PASS", ("PASS", "fine")),
        result("family/win_ascent", "FAIL", ("WARN", "first"), ("FAIL", "usWinDescent\n is **too** large")),
        result("kerning_info", "WARN", ("WARN", "x" * 300)),
        result("outlines", "ERROR"),
    ]
    install(tmp_path, monkeypatch, {"result": {"PASS": 1}, "sections": [{"checks": checks}]})
    found = bakery.check_bakery(font)
    assert [(f.check, f.level, f.message[:40]) for f in found] == [
        ("fontbakery family/win_ascent", "warn", "FAIL: usWinDescent is too large"),
        ("fontbakery kerning_info", "warn", "WARN: " + "x" * 34),
        ("fontbakery outlines", "warn", "ERROR: About outlines."),
    ]
    status, output = check(font)
    assert status == 0
    assert "FAIL: usWinDescent is too large" in output


def test_a_fatal_result_fails_the_check(font: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, {"sections": [{"checks": [result("ttx_roundtrip", "FATAL", ("FATAL", "broken"))]}]})
    assert check(font)[0] == 1


def test_nothing_found_is_a_pass(font: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, {"result": {"PASS": 72}, "sections": []})
    [finding] = bakery.check_bakery(font)
    assert (finding.level, finding.message) == ("pass", "the universal profile passes (72 checks)")


def test_no_report_and_no_fontbakery_are_said(font: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, None)
    status, output = check(font)
    assert status == 2
    assert "fontbakery ended without a report (no such profile)" in output
    monkeypatch.undo()
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    status, output = check(font)
    assert status == 2
    assert 'fontbakery is not installed; pip install "fontgen[fontbakery]", or leave --fontbakery out' in output
