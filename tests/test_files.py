"""Files appear whole or not at all, and a full disk is one line with the remedy."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fontgen.errors import FontgenError, WorkspaceError
from fontgen.files import atomic_path, read_json, write_bytes, write_json, write_text
from fontgen.parallel import parallel_map


def test_a_file_appears_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "永\n")
    assert path.read_bytes() == "永\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["c.txt"]


def test_a_file_gets_the_rights_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "f", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "f.bin"
    write_bytes(path, b"old")

    def half_written() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"new, but only ha")
            raise error

    with pytest.raises(type(error)):
        half_written()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(params=["replace", "write"])
def full_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def no_space(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if request.param == "replace":
        monkeypatch.setattr(os, "replace", no_space)
    else:
        monkeypatch.setattr(Path, "write_bytes", no_space)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text("{}")
    with pytest.raises(WorkspaceError, match=r"f\.json: no space left on the disk; free some space") as caught:
        write_json(path, {"a": 1})
    assert caught.value.exit_status == 1
    assert path.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EACCES, "change its permissions"), (errno.EIO, "cannot be written")]
)
def test_other_failures_to_write_are_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(WorkspaceError, match=remedy):
        write_bytes(tmp_path / "f", b"")


def test_a_folder_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "inside", b"")


def test_the_same_content_is_the_same_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": "永"})
    write_json(tmp_path / "b", {"a": "永", "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_text(encoding="utf-8").endswith("}\n")
    assert read_json(tmp_path / "a") == {"a": "永", "b": 1}


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", None])
def test_json_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "f.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorkspaceError, match=r"f\.json: cannot be read as JSON"):
        read_json(path)


# parallel work


def _square(number: int) -> int:
    return number * number


def _fails_at_100(number: int) -> int:
    if number == 100:
        raise WorkspaceError("the hundredth")
    return number


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("count", [0, 3, 64, 150])
def test_results_come_in_order_whatever_the_number_of_workers(workers: int, count: int) -> None:
    assert list(parallel_map(_square, range(count), workers=workers, chunk=7)) == [n * n for n in range(count)]


def test_an_error_in_a_worker_reaches_the_caller_whole() -> None:
    with pytest.raises(FontgenError, match="the hundredth"):
        list(parallel_map(_fails_at_100, range(150), workers=2))


def test_items_are_read_no_further_than_the_work_needs() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield number

    results = parallel_map(_square, items(), workers=2)
    assert next(results) == 0
    assert taken < 1000
    results.close()  # type: ignore[attr-defined]


def test_json_of_a_report_is_plain(tmp_path: Path) -> None:
    from fontgen.report import Report

    report = Report("trace", done=[1])
    report.add_failed(0x4E00, ValueError("too dense"))
    report.add_skipped(0x20000, "blank")
    assert report.exit_status == 1
    assert report.summary() == "trace: 1 done, 1 skipped, 1 failed"
    assert json.loads(json.dumps(report.to_json()))["failed"] == {"U+4E00": "too dense"}
    for codepoint in range(20):
        report.add_failed(codepoint, "x")
    assert list(report.failure_lines(limit=2))[-1] == "... and 19 more"
