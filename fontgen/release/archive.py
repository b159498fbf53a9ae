"""Release archives: written so that the same content is the same bytes, found again, and read."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from fontgen.errors import ReleaseError
from fontgen.files import write_bytes

SUMS = "SHA256SUMS"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every entry: the first that a ZIP file can say."""
_REGULAR_FILE = 0o100644 << 16


def archive_name(name: str, version: str) -> str:
    return f"{name}-{version}.zip"


def archive_bytes(stem: str, contents: Mapping[str, bytes]) -> bytes:
    """A ZIP of `contents` (name -> bytes) with a `SHA256SUMS` beside them, all in a folder `stem`.

    Entries are sorted and carry no date and no owner.
    """
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items()))
    everything = {**contents, SUMS: sums.encode()}
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(everything):
            entry = zipfile.ZipInfo(f"{stem}/{name}", _EPOCH)
            entry.external_attr = _REGULAR_FILE
            entry.create_system = 3  # Unix, on every machine
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, everything[name], compresslevel=9)
    return packed.getvalue()


def last_release(folder: Path, name: str, version: str) -> Path | None:
    """The archive of the highest version below `version` in a folder of releases."""
    pattern = re.compile(rf"^{re.escape(name)}-(\d{{1,3}}\.\d{{3}})\.zip$")
    found = {_number(match[1]): path for path in folder.glob("*.zip") if (match := pattern.match(path.name))}
    earlier = [number for number in found if number < _number(version)]
    return found[max(earlier)] if earlier else None


def version_of(path: Path) -> str:
    """The version that an archive's name states; "" for a file named otherwise."""
    match = re.search(r"-(\d{1,3}\.\d{3})$", path.stem)
    return match[1] if match else ""


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def read_entry(path: Path, suffix: str) -> bytes | None:
    """The bytes of the first entry whose name ends in `suffix`; None when there is none. Raises ReleaseError."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(suffix):
                    return archive.read(name)
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise ReleaseError(
            f"{path}: not a readable release ({error}); remove it, or name another --previous"
        ) from error
    return None


def unpack_font(path: Path, suffixes: tuple[str, ...], folder: Path) -> Path:
    """Put the font of an earlier release into `folder`, named after the release. A font file is copied as it is.

    Raises ReleaseError when there is no such file, or no font of these suffixes in it.
    """
    if not path.is_file():
        raise ReleaseError(f"{path}: no such file to compare with; give a release or a font as --previous")
    if path.suffix.lower() != ".zip":
        copy = folder / path.name
        write_bytes(copy, path.read_bytes())
        return copy
    for suffix in suffixes:
        if (data := read_entry(path, suffix)) is not None:
            unpacked = folder / f"{path.stem}{suffix}"
            write_bytes(unpacked, data)
            return unpacked
    raise ReleaseError(f"{path}: holds no {' or '.join(suffixes)} to compare with; name another --previous")
