"""The build folder: what stands, what an interruption leaves, who holds the lock."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fontgen.errors import WorkspaceError
from fontgen.workspace import JOURNAL, STAGE, StageFolder, Workspace, file_hash, fingerprint

# fingerprints


def test_equal_parts_have_an_equal_fingerprint() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}, "x") == fingerprint({"b": [1, 2], "a": 1}, "x")


@pytest.mark.parametrize("other", [({"a": 2},), ({"a": 1}, None), ("a", 1), ({"a": "1"},), ({"a": True},)])
def test_other_parts_have_another_fingerprint(other: tuple[Any, ...]) -> None:
    assert fingerprint(*other) != fingerprint({"a": 1})


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    for name, content in {"a": b"1", "b": b"1", "c": b"2"}.items():
        (tmp_path / name).write_bytes(content)
    a, b, c = (file_hash(tmp_path / name) for name in "abc")
    assert a == b != c


def test_the_hash_of_a_folder_follows_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "U+4E00.png").write_bytes(b"1")
    hashes = [file_hash(tmp_path)]
    (tmp_path / "U+4E00.png").rename(tmp_path / "U+4E01.png")
    hashes.append(file_hash(tmp_path))
    (tmp_path / "U+4E01.png").write_bytes(b"2")
    hashes.append(file_hash(tmp_path))
    (tmp_path / "U+4E02.png").write_bytes(b"")
    hashes.append(file_hash(tmp_path))
    assert len(set(hashes)) == 4


# stages


@pytest.fixture
def stage(tmp_path: Path) -> StageFolder:
    folder = Workspace(tmp_path).stage("infer")
    folder.begin()
    return folder


def test_a_stage_stands_with_its_fingerprint_and_its_files(stage: StageFolder) -> None:
    (stage.path / "a.json").write_text("{}")
    assert not stage.stands("mark")
    stage.finish("mark", {"glyphs": 3}, ["a.json"])
    assert stage.stands("mark")
    assert not stage.stands("other")
    assert stage.figures == {"glyphs": 3}
    (stage.path / "a.json").unlink()
    assert not stage.stands("mark")


def test_a_stage_that_began_again_does_not_stand(stage: StageFolder) -> None:
    stage.finish("mark", {})
    stage.begin()
    assert not stage.stands("mark")
    assert stage.manifest == {}
    assert stage.path.is_dir()


def test_a_damaged_stage_manifest_is_named(stage: StageFolder) -> None:
    stage.finish("mark", {})
    text = (stage.path / STAGE).read_text()
    (stage.path / STAGE).write_text(text[: len(text) // 2])
    with pytest.raises(WorkspaceError, match=rf"infer/{STAGE}: cannot be read as JSON .*; remove it"):
        stage.stands("mark")


# glyphs


def make(stage: StageFolder, codepoint: int) -> None:
    (stage.path / f"{codepoint:04X}.png").write_text("ink")


def redo(stage: StageFolder, keys: dict[int, str], *, stop_after: int | None = None) -> list[int]:
    """Make what is stale, as a per-glyph stage does; returns what was made."""
    made = []
    stale = stage.stale_glyphs(keys, lambda c: stage.path / f"{c:04X}.png")
    for batch in stage.in_batches(keys, stale):
        for codepoint in batch:
            if stop_after is not None and len(made) == stop_after:
                raise KeyboardInterrupt
            make(stage, codepoint)
            made.append(codepoint)
    return made


def test_only_glyphs_whose_inputs_changed_are_made_again(stage: StageFolder) -> None:
    keys = {0x4E00: "a", 0x4E01: "b", 0x20000: "c"}
    assert redo(stage, keys) == [0x4E00, 0x4E01, 0x20000]
    assert redo(stage, keys) == []
    assert redo(stage, {**keys, 0x4E01: "other", 0x4E02: "new"}) == [0x4E01, 0x4E02]
    (stage.path / "4E00.png").unlink()
    assert redo(stage, keys) == [0x4E00, 0x4E01]


def test_files_of_glyphs_no_longer_wanted_go(stage: StageFolder) -> None:
    redo(stage, {0x4E00: "a", 0x4E01: "b"})
    (stage.path / "not ours.txt").write_text("kept")
    assert redo(stage, {0x4E00: "a"}) == []
    assert sorted(p.name for p in stage.path.glob("*.*")) == ["4E00.png", JOURNAL, "not ours.txt"]
    assert redo(stage, {0x4E00: "a", 0x4E01: "b"}) == [0x4E01]


def test_an_interruption_costs_only_the_batch_under_way(stage: StageFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fontgen.workspace._BATCH", 4)
    keys = {0x4E00 + n: str(n) for n in range(10)}
    with pytest.raises(KeyboardInterrupt):
        redo(stage, keys, stop_after=6)
    assert redo(stage, keys) == [0x4E00 + n for n in range(4, 10)]


def test_a_journal_cut_off_in_its_last_line_loses_that_glyph_alone(stage: StageFolder) -> None:
    keys = {0x4E00: "a", 0x4E01: "b", 0x4E02: "c"}
    redo(stage, keys)
    journal = stage.path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-4])
    assert stage.glyph_keys() == {0x4E00: "a", 0x4E01: "b"}
    assert redo(stage, keys) == [0x4E02]
    assert stage.glyph_keys() == keys


@pytest.mark.parametrize("line", ["{}", "3", '["U+4E00"]', '["U+XYZ", "a"]', '[1, "a"]', "\0\0\0\0", "\ufffd"])
def test_lines_that_are_no_entries_are_passed_over(stage: StageFolder, line: str) -> None:
    (stage.path / JOURNAL).write_bytes(line.encode("utf-16") + b'\n["U+4E01", "b"]\n' + line.encode() + b"\n")
    assert stage.glyph_keys() == {0x4E01: "b"}


def test_glyphs_that_failed_are_made_again(stage: StageFolder) -> None:
    keys = {0x4E00: "a", 0x4E01: "b"}
    redo(stage, keys)
    stage.forget([0x4E00])
    assert redo(stage, keys) == [0x4E00]


def test_a_full_disk_in_the_journal_is_one_line(stage: StageFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full(self: Path, *arguments: Any, **named: Any) -> Any:
        if self.name == JOURNAL:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(WorkspaceError, match=rf"{JOURNAL}: no space left on the disk"):
        redo(stage, {0x4E00: "a"})


# the lock

HOLD = """
import sys
from pathlib import Path
from fontgen.workspace import Workspace
with Workspace(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_that_another_process_holds_names_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workspace.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(
                WorkspaceError, match=rf"another fontgen is building here .*{holder.pid}.*--output"
            ) as caught,
            workspace.locked(),
        ):
            pass
        assert caught.value.exit_status == 1
        holder.kill()  # the lock goes with its process: nothing has to be cleared away by hand
    with workspace.locked():
        pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    with pytest.raises(KeyboardInterrupt), workspace.locked():
        raise KeyboardInterrupt
    with workspace.locked():
        pass


def test_a_full_disk_in_the_lock_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.ftruncate", full)
        with pytest.raises(WorkspaceError, match="no space left on the disk"), Workspace(tmp_path).locked():
            pass
    with Workspace(tmp_path).locked():
        pass


def test_a_build_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"), Workspace(tmp_path / "file" / "build").locked():
        pass
