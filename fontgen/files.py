"""Files that are never half-written: everything appears by an atomic rename."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fontgen.errors import WorkspaceError, writing

_PREFIX = ".part-"
PARTIAL = f"{_PREFIX}*"
"""Pattern of the names that files have until they are whole."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on failure removed.

    Raises WorkspaceError when the folder cannot be written or the disk is full.
    """
    with writing(path):
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{path.suffix}")
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Like `atomic_path` for a folder, which the caller makes; an older one at `path` gives way once it is whole."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=path.parent))
        try:
            new = beside / path.name
            yield new
            if path.exists():
                path.rename(beside / f"old-{path.name}")
            new.rename(path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def remove_partial(found: Iterable[Path]) -> None:
    """Remove what processes that were killed left of files and folders. Only where nobody else writes."""
    for path in list(found):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def json_text(data: Any) -> str:
    """Sorted keys and a final newline, so that the same content is the same bytes."""
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write_json(path: Path, data: Any) -> None:
    write_text(path, json_text(data))


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"{path}: cannot be read as JSON ({error}); remove it and run the command that made it again"
        ) from error
