"""Make a release: build, check, compare with the last one, pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from fontgen.errors import ReleaseError, codepoint_name
from fontgen.files import json_text, write_bytes
from fontgen.fonts.diff import FontDiff, diff_fonts
from fontgen.pipeline import run
from fontgen.release.archive import archive_bytes, archive_name, last_release, read_entry, unpack_font, version_of
from fontgen.release.texts import change_lines, fontlog, licence_text
from fontgen.stages.build import Build
from fontgen.stages.outputs import font_files
from fontgen.stages.provenance import provenance_file, release_provenance

_FONTLOG = "FONTLOG.txt"
_PROOFS = ("proof.html", "sheet.png", "zoom.png", "curves.png")


@dataclass(frozen=True)
class Release:
    """A release that was written."""

    archive: Path
    previous: str | None
    changes: list[str]
    """The lines of its FONTLOG entry that say what changed."""
    diff: FontDiff | None


def make_release(
    build: Build,
    *,
    output: Path,
    previous: Path | None = None,
    licence: Path | None = None,
    notes: str = "",
    allow_missing: bool = False,
) -> Release:
    """Build the recipe, whose version is the release's, and pack it into `output`, as NAME-X.YYY.zip.

    Compared is with `previous`, a release or a font; without it with the highest lower version in `output`. A release
    that is made again must come out the same. Raises ReleaseError for a font that fails its checks, for glyphs that
    could not be made (unless `allow_missing`), and for a version that is there with other content.
    """
    version = build.recipe.font.names.version
    archive = output / archive_name(build.recipe.name, version)
    run(build)
    _require_sound(build, allow_missing=allow_missing)
    fonts = font_files(build)
    before = previous or last_release(output, build.recipe.name, version)
    diff, since = None, None
    if before is not None:
        old = unpack_font(before, tuple(path.suffix for path in fonts), build.workspace.root / "release")
        since = version_of(before) or before.name
        diff = diff_fonts(old, next(path for path in fonts if path.suffix == old.suffix))
    changes = change_lines(diff, since or "")
    contents = _assembled(build)
    contents["LICENSE.txt"] = licence_text(fonts[0], licence).encode()
    log = read_entry(before, _FONTLOG) if before is not None and before.suffix.lower() == ".zip" else None
    text = fontlog(_family(fonts[0]), _made_from(build), version, changes, notes, log.decode() if log else None)
    contents[_FONTLOG] = text.encode()
    contents |= _reports(build, diff, since)
    contents["provenance.json"] = json_text(release_provenance(build, fonts, version, since)).encode()
    _write(archive, contents)
    return Release(archive, since, changes, diff)


def _require_sound(build: Build, *, allow_missing: bool) -> None:
    figures: dict[str, Any] = build.folder("check").figures
    failed = [name for name, level in figures.items() if level == "fail"]
    if failed:
        folder = build.folder("check").path
        raise ReleaseError(
            f"not released: {', '.join(failed)} fails its checks; {folder} says which, `fontgen check` says more"
        )
    lost = {c for report in build.reports.values() for c in report.failed}
    if lost and not allow_missing:
        named = " ".join(map(codepoint_name, sorted(lost)[:8])) + (" …" if len(lost) > 8 else "")
        raise ReleaseError(
            f"not released: {len(lost)} characters could not be made ({named}); take them out of the charset, "
            "or release without them by --allow-missing"
        )


def _assembled(build: Build) -> dict[str, bytes]:
    """All fonts that the assembly made, web slices in a folder of their own; a UFO is for the workshop."""
    folder = build.folder("assemble")
    left_out = (".ufo", provenance_file(build).name)
    names = [name for name in folder.manifest["files"] if not name.endswith(left_out)]
    return {name if "/" in name else f"fonts/{name}": (folder.path / name).read_bytes() for name in names}


def _reports(build: Build, diff: FontDiff | None, since: str | None) -> dict[str, bytes]:
    found = {f"proof/{name}": build.folder("proof").path / name for name in _PROOFS}
    found |= {f"checks/{path.name}": path for path in build.folder("check").path.glob("*.json")}
    found.pop("checks/stage.json", None)
    found["checks/gate.json"] = build.folder("gate").path / "gate.json"
    if build.recipe.gate.retries:
        found["checks/retries.json"] = build.folder("retry").path / "retries.json"
    contents = {name: path.read_bytes() for name, path in found.items() if path.exists()}
    if diff is not None:
        page = build.workspace.root / "release" / "diff.html"
        diff.write_html(page)
        contents["diff/diff.html"] = page.read_bytes()
        data = diff.to_json() | {"old": diff.old.path.name, "new": diff.new.path.name}
        contents["diff/diff.json"] = json_text(data).encode()
        _, *lines = diff.text_lines()
        contents["diff/diff.txt"] = "\n".join([f"{data['old']} -> {data['new']}", *lines, ""]).encode()
    return contents


def _family(font: Path) -> str:
    with TTFont(font, lazy=True) as opened:
        names = opened["name"]
        return str(names.getDebugName(16) or names.getDebugName(1) or font.stem)


def _made_from(build: Build) -> list[str]:
    fonts = [font.path for font in build.recipe.source.fonts]
    target = build.recipe.target
    if target.font is not None:
        fonts.insert(0, target.font.path)
    return [*([] if target.images is None else ["scanned glyphs"]), *(_family(path) for path in fonts)]


def _write(archive: Path, contents: dict[str, bytes]) -> None:
    data = archive_bytes(archive.stem, contents)
    if not archive.exists():
        write_bytes(archive, data)
    elif archive.read_bytes() != data:
        raise ReleaseError(f"{archive}: is there with other content; a release never changes: raise --version")
