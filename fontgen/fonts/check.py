"""One verdict on a font file: every check, as a table for people and JSON for machines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import ots
from fontTools.ttLib import TTFont, TTLibError

from fontgen.errors import FontError
from fontgen.fonts.base import NEEDED_TABLES, UNREADABLE, font_bytes
from fontgen.fonts.check_curves import check_curves
from fontgen.fonts.check_glyphs import check_glyphs
from fontgen.fonts.check_shaping import check_shaping
from fontgen.fonts.check_subject import Finding, Level, Subject, judged
from fontgen.fonts.check_tables import (
    check_cmap,
    check_code_pages,
    check_extremes,
    check_hinting,
    check_licence,
    check_line_metrics,
    check_names,
    check_vertical,
)

MAX_BYTES = 9 * 1024 * 1024
"""FontBakery's file_size check warns from here on."""

CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    check_names,
    check_licence,
    check_line_metrics,
    check_extremes,
    check_vertical,
    check_code_pages,
    check_hinting,
    check_glyphs,
    check_curves,
    check_shaping,
)


@dataclass
class CheckReport:
    """All findings on one font."""

    path: Path
    findings: list[Finding] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The worst of all findings."""
        levels = {finding.level for finding in self.findings}
        return "fail" if "fail" in levels else "warn" if "warn" in levels else "pass"

    @property
    def exit_status(self) -> int:
        return 1 if self.level == "fail" else 0

    def rows(self) -> list[tuple[str, str, str]]:
        """(check, level, message with examples), in the order of the checks."""
        return [
            (found.check, found.level, found.message + (f": {', '.join(found.culprits)}" if found.culprits else ""))
            for found in self.findings
        ]

    def summary(self) -> str:
        counts = {level: sum(f.level == level for f in self.findings) for level in ("fail", "warn", "pass")}
        return f"{self.path.name}: {counts['fail']} failed, {counts['warn']} warnings, {counts['pass']} passed"

    def to_json(self) -> dict[str, Any]:
        return {
            "font": self.path.name,
            "level": self.level,
            "findings": [finding.to_json() for finding in self.findings],
        }


def check_font(
    path: Path, *, expected: set[int] | None = None, generated: Collection[int] | None = None, face_index: int = 0
) -> CheckReport:
    """Run every check on a TTF, OTF, TTC, WOFF or WOFF2; `expected` is the exact set of characters to map.

    `generated`: the characters that one's own work drew. Faults of other glyphs are then warnings, since they
    came with the base font. A font that cannot be read at all is a failed report too; FontError only when there is
    no file.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FontError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    report = CheckReport(path)
    with tempfile.TemporaryDirectory(prefix="fontgen-check-") as folder:
        unpacked = Path(folder) / "font"
        report.findings.append(_sanitize(path, unpacked, face_index))
        megabytes = f"{size / 1024 / 1024:.1f} MB"
        limit = MAX_BYTES // 1024 // 1024
        large = [megabytes] if size > MAX_BYTES else []
        report.findings.append(
            judged(
                "file size", "warn", large, megabytes, f"larger than {limit} MB: slow to load; subset it for the web"
            )
        )
        try:
            subject = _open(path, unpacked, face_index)
            subject.generated = None if generated is None else frozenset(generated)
        except UNREADABLE as error:
            report.findings.append(Finding("readable", "fail", f"cannot be opened: {error or type(error).__name__}"))
            return report
        report.findings += _run(subject, expected)
    return report


def _sanitize(path: Path, unpacked: Path, face_index: int) -> Finding:
    """The OpenType Sanitizer that browsers run before they use a font; its unpacked copy goes to `unpacked`."""
    done = ots.sanitize(str(path), str(unpacked), str(face_index), capture_output=True)
    said = done.stderr.decode("utf-8", "replace").splitlines()
    if done.returncode:
        errors = [line for line in said if "ERROR" in line] or said or ["no reason given"]
        return Finding("sanitizer", "fail", f"browsers refuse the font ({errors[-1].strip()})")
    dropped = [line.strip() for line in said if "drop" in line.lower()]
    return judged(
        "sanitizer", "warn", dropped, "the OpenType Sanitizer accepts the font", "browsers drop {count} tables of it"
    )


def _open(path: Path, unpacked: Path, face_index: int) -> Subject:
    data = path.read_bytes()
    is_packed = data[:4] in (b"wOFF", b"wOF2")
    font = TTFont(BytesIO(data), fontNumber=face_index, recalcBBoxes=False)
    if is_packed:
        # The sanitizer unpacks in a moment; where it refuses the font, the other checks still need it.
        sanitized = unpacked.read_bytes() if unpacked.exists() else b""
        data = sanitized or font_bytes(TTFont(BytesIO(data), recalcBBoxes=False, recalcTimestamp=False))
    missing = [tag for tag in NEEDED_TABLES if tag not in font]
    if missing or not ("glyf" in font or "CFF " in font):
        raise TTLibError(f"lacks {', '.join(missing) or 'outlines (glyf or CFF)'}")
    if not font.getBestCmap():
        raise TTLibError("no Unicode cmap")
    return Subject(path, font, data, 0 if is_packed else face_index)


def _run(subject: Subject, expected: set[int] | None) -> Iterator[Finding]:
    yield from _guarded(partial(check_cmap, expected=expected), "cmap", subject)
    for check in CHECKS:
        yield from _guarded(check, check.__name__.removeprefix("check_").replace("_", " "), subject)


def _guarded(check: Callable[[Subject], Iterator[Finding]], name: str, subject: Subject) -> list[Finding]:
    """The findings of a check; a table too broken to be looked at is a finding as well."""
    try:
        return list(check(subject))
    except UNREADABLE as error:
        return [Finding(name, "fail", f"a table cannot be read: {error or type(error).__name__}")]
