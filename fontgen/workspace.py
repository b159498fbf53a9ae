"""The build folder: a folder a stage, each with the fingerprint of all that went into it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fontgen import __version__
from fontgen.errors import WorkspaceError, codepoint_name, writing
from fontgen.files import PARTIAL, read_json, remove_partial, write_json, write_text

STAGE = "stage.json"
JOURNAL = "glyphs.jsonl"
RUN = "run.json"
"""What an interrupted stage without glyphs was at work on: it goes on only with the same."""

_LOCK = "lock.json"
_BATCH = 2048
"""Glyphs between two entries of the journal: an interruption costs at most this many."""


def fingerprint(*parts: Any) -> str:
    """A digest of JSON-able parts: equal parts, equal digest, on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def file_hash(path: Path) -> str:
    """Digest of a file's bytes, or of the names and bytes in a folder."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(file.name.encode("utf-8") + b"\0")
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()[:32]


@dataclass
class StageFolder:
    """One stage's folder. Its manifest is written last: without one the stage has not finished."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def manifest(self) -> dict[str, Any]:
        if not (self.path / STAGE).exists():
            return {}
        data = read_json(self.path / STAGE)
        return data if isinstance(data, dict) else {}

    @property
    def figures(self) -> dict[str, Any]:
        """What the stage measured when it last finished."""
        return dict(self.manifest.get("figures", {}))

    @property
    def failed(self) -> dict[int, str]:
        """Codepoint -> what went wrong when the stage last finished."""
        return {int(name[2:], 16): why for name, why in self.manifest.get("failed", {}).items()}

    def stands(self, wanted: str) -> bool:
        """Whether the stage finished with this fingerprint and all that it made is still there."""
        manifest = self.manifest
        return manifest.get("fingerprint") == wanted and all(
            (self.path / name).exists() for name in manifest.get("files", [])
        )

    def begin(self, *, afresh: bool = False) -> None:
        """Unfinish the stage; `afresh` also forgets how far earlier runs of it, or of parts of it, came."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for name in (STAGE, JOURNAL, RUN) if afresh else (STAGE,):
                (self.path / name).unlink(missing_ok=True)
            for path in list(self.path.glob(f"*/{JOURNAL}")) if afresh else ():
                path.unlink()
            remove_partial(self.path.rglob(PARTIAL))

    def finish(
        self, mark: str, figures: Mapping[str, Any], files: Iterable[str] = (), failed: Mapping[int, str] | None = None
    ) -> None:
        write_json(
            self.path / STAGE,
            {
                "fingerprint": mark,
                "fontgen": __version__,
                "figures": dict(figures),
                "files": sorted(files),
                "failed": {codepoint_name(c): why for c, why in (failed or {}).items()},
            },
        )

    # glyphs: only those whose inputs changed are made again

    def glyph_keys(self) -> dict[int, str]:
        """Codepoint -> key of what was made of it, as far as the stage has come."""
        path = self.path / JOURNAL
        keys: dict[int, str] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    name, key = json.loads(line)
                    keys[int(name[2:], 16)] = key
                except (ValueError, TypeError):
                    continue  # the last line of a run that was cut off
        return keys

    def find_stale(self, keys: Mapping[int, str], file_of: Callable[[int], Path]) -> list[int]:
        """Codepoints whose key is not the recorded one or whose file is gone."""
        known = self.glyph_keys()
        return [c for c, key in keys.items() if known.get(c) != key or not file_of(c).exists()]

    def stale_glyphs(self, keys: Mapping[int, str], file_of: Callable[[int], Path]) -> list[int]:
        """What `find_stale` finds, taken out of the journal; files of glyphs without a key are removed."""
        for codepoint in self.glyph_keys().keys() - keys.keys():
            file_of(codepoint).unlink(missing_ok=True)
        stale = self.find_stale(keys, file_of)
        lost = set(stale)
        self._write_journal({c: key for c, key in keys.items() if c not in lost})
        return stale

    def in_batches(self, keys: Mapping[int, str], stale: Sequence[int]) -> Iterator[list[int]]:
        """Yield batches of stale codepoints; each is journalled once the caller asks for the next."""
        iterator = iter(stale)
        while batch := list(islice(iterator, _BATCH)):
            yield batch
            self._append({c: keys[c] for c in batch})

    def _write_journal(self, keys: Mapping[int, str]) -> None:
        write_text(self.path / JOURNAL, "".join(_journal_lines(keys)))

    def _append(self, keys: Mapping[int, str]) -> None:
        with writing(self.path / JOURNAL), (self.path / JOURNAL).open("a", encoding="utf-8") as file:
            file.writelines(_journal_lines(keys))

    def forget(self, codepoints: Iterable[int]) -> None:
        """Take glyphs out of the journal, so that the next run makes them again."""
        gone = set(codepoints)
        self._write_journal({c: key for c, key in self.glyph_keys().items() if c not in gone})


def _journal_lines(keys: Mapping[int, str]) -> Iterator[str]:
    for codepoint, key in keys.items():
        yield json.dumps([codepoint_name(codepoint), key]) + "\n"


@dataclass
class Workspace:
    """The folder of one build."""

    root: Path

    def stage(self, name: str) -> StageFolder:
        return StageFolder(self.root / name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises WorkspaceError naming the process that holds it."""
        path = self.root / _LOCK
        with writing(path):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock_or_raise(handle, path)
            with writing(path):
                remove_partial(self.root.glob(PARTIAL))
                os.ftruncate(handle, 0)
                os.write(handle, json.dumps({"pid": os.getpid()}).encode("ascii"))
            yield
        finally:
            os.close(handle)


def _lock_or_raise(handle: int, path: Path) -> None:
    """An advisory lock on the open file: it vanishes with its process, so none is ever left behind."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock; two builds of one folder at once are the user's care there
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 200, 0).decode("ascii", "replace") or "another process"
        raise WorkspaceError(
            f"{path.parent}: another fontgen is building here ({holder}); wait for it, or choose another --output"
        ) from error
