"""What can go wrong, each as one line that says what, where and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FontgenError(Exception):
    """Any failure that a user can act on. `exit_status` 2 is bad input, 1 is work that failed."""

    exit_status = 2
    for_all = False
    """Under torchrun: said by this process in the place of the leading one."""


class RecipeError(FontgenError):
    """A recipe that cannot be used: the message names the file, the key and the line or table."""


class CharsetError(FontgenError):
    """A charset expression or charset file that cannot be used."""


class FontError(FontgenError):
    """A font that cannot be opened or used."""


class ImageError(FontgenError):
    """An image or image folder that cannot be used."""


class CheckpointError(FontgenError):
    """A checkpoint that is damaged or does not fit the work asked of it."""


class WorkspaceError(FontgenError):
    """The build folder cannot be written, read or locked."""

    exit_status = 1


class TrainingError(FontgenError):
    """Training cannot start or cannot go on."""

    exit_status = 1


class ReleaseError(FontgenError):
    """A font that cannot be released, or a release that cannot be read."""

    exit_status = 1


class GlyphError(FontgenError):
    """One glyph failed; the other glyphs of a batch go on."""

    exit_status = 1


def codepoint_name(codepoint: int) -> str:
    """`U+4E00`: at least four hexadecimal digits, as the Unicode standard prints codepoints."""
    return f"U+{codepoint:04X}"


_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of a write to `path` into one line with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            remedy = "free some space and run the same command again; finished work is kept"
            raise WorkspaceError(f"{path}: no space left on the disk; {remedy}") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise WorkspaceError(
                f"{path}: cannot be written ({error.strerror}); choose another folder or change its permissions"
            ) from error
        raise WorkspaceError(f"{path}: cannot be written ({error.strerror or error})") from error
