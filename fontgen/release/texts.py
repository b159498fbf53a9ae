"""The texts of a release: licence and FONTLOG."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from fontTools.ttLib import TTFont

from fontgen.errors import ReleaseError
from fontgen.fonts.diff import FontDiff
from fontgen.fonts.licence import is_ofl, licence_of

_HEAD = "FONTLOG"
_CHANGES = "ChangeLog"
_WIDTH = 100


def licence_text(font: Path, given: Path | None) -> str:
    """The text that must go with the font: the given file, else what its name table states.

    A font under the SIL Open Font License gets the licence's full text behind its copyright notice. Raises ReleaseError
    when the given file cannot be read or the font states no licence at all.
    """
    if given is not None:
        return _text(given, "the licence")
    with TTFont(font, lazy=True) as opened:
        licence = licence_of(opened)
    if not licence.licence and not licence.url:
        raise ReleaseError(
            f"{font.name}: states no licence; write [font.names] licence into the recipe, or give --licence FILE"
        )
    parts = [part for part in (licence.copyright, licence.licence, licence.url) if part]
    text = "\n\n".join(parts) + "\n"
    if is_ofl(licence):
        text += "\n" + files("fontgen").joinpath("data", "OFL.txt").read_text(encoding="utf-8")
    return text


def notes_text(path: Path | None) -> str:
    """What a file of notes says. Raises ReleaseError when it cannot be read."""
    return "" if path is None else _text(path, "the notes")


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{path}: cannot be read as {what} ({error}); give a text file in UTF-8") from error


def fontlog(
    family: str, sources: Sequence[str], version: str, changes: Sequence[str], notes: str, before: str | None
) -> str:
    """The font's log: what it is made of, and every release's changes, the newest first.

    `before` is the log of the last release, whose entries are carried on.
    """
    made_of = textwrap.fill(f"{family} was made with fontgen from {', '.join(sources)}.", _WIDTH)
    entry = [f"{version}", *(f"- {line}" for line in [*notes.splitlines(), *changes] if line.strip())]
    earlier = before.partition(f"{_CHANGES}\n\n")[2].strip() if before else ""
    parts = [f"{_HEAD} for {family}", made_of, _CHANGES, "\n".join(entry), earlier]
    return "\n\n".join(part for part in parts if part) + "\n"


def change_lines(diff: FontDiff | None, since: str) -> list[str]:
    """What changed since the last release, in a few lines."""
    if diff is None:
        return ["First release."]
    lines = [
        f"Since {since}: {len(diff.added):,} characters added, {len(diff.changed):,} drawn differently, "
        f"{len(diff.removed):,} removed."
    ]
    areas = sorted({setting.area for setting in diff.settings} - {"file"})
    if areas:
        lines.append(f"Changes also in: {', '.join(areas)}.")
    return lines
