"""Releases: packed whole, the same bytes every time, refused when the font is not sound."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fontTools.ttLib import TTFont
from tiny_build import EVERYTHING, NEW, Project, make_project, tiny_checkpoint

from fontgen.cli import main
from fontgen.errors import ReleaseError
from fontgen.release.archive import archive_bytes, last_release, read_entry, unpack_font
from fontgen.release.texts import fontlog, licence_text

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


LICENCE = """licence = "This Font Software is licensed under the SIL Open Font License, Version 1.1."
copyright = "The Zen Maru Gothic Project Authors"
"""


def write(project: Project, **named: str) -> None:
    """Write the recipe; the fonts cut out for a tiny build have lost their licence."""
    project.write(**named)
    with project.recipe.open("a", encoding="utf-8") as file:
        file.write(LICENCE)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a stored checkpoint and a first release."""
    project = make_project(tmp_path_factory.mktemp("base") / "project")
    tiny_checkpoint(project.root / "tiny.safetensors")
    write(project)
    result = release(project, "1.000")
    assert result.exit_code == 0, result.output
    return project


@pytest.fixture
def project(base: Project, tmp_path: Path) -> Project:
    return base.copy(tmp_path / "project")


def release(project: Project, version: str, *arguments: str | Path) -> Result:
    given = (
        *("release", project.recipe, "--version", version, "--checkpoint", project.root / "tiny.safetensors"),
        *("--output", project.root / "dist", "--build", project.out, *arguments),
    )
    return CliRunner().invoke(main, [str(argument) for argument in given])


def contents(project: Project, version: str) -> dict[str, bytes]:
    with zipfile.ZipFile(project.root / "dist" / f"tiny-{version}.zip") as archive:
        return {name.removeprefix(f"tiny-{version}/"): archive.read(name) for name in archive.namelist()}


def test_a_release_holds_fonts_licence_log_proof_checks_and_sums(base: Project) -> None:
    files = contents(base, "1.000")
    assert set(files) >= {
        *(f"fonts/tiny.{suffix}" for suffix in ("ttf", "otf", "woff2")),
        *("LICENSE.txt", "FONTLOG.txt", "provenance.json", "SHA256SUMS"),
        *("proof/proof.html", "proof/sheet.png", "checks/tiny.ttf.json", "checks/gate.json"),
    }
    assert files["fonts/tiny.ttf"] == base.ttf.read_bytes()
    assert TTFont(base.ttf)["name"].getDebugName(5).startswith("Version 1.000")
    licence = files["LICENSE.txt"].decode()
    assert "The Zen Maru Gothic Project Authors" in licence
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    sums = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "SHA256SUMS"}
    assert "1.000\n- First release." in files["FONTLOG.txt"].decode()


def test_the_provenance_names_inputs_checkpoint_versions_and_figures_but_no_machine(base: Project) -> None:
    data = json.loads(contents(base, "1.000")["provenance.json"])
    assert data["release"] == "1.000"
    assert data["previous"] is None
    assert data["inputs"]["source.fonts.0"]["file"] == "source.ttf"
    digest = hashlib.sha256((base.root / "tiny.safetensors").read_bytes()).hexdigest()
    assert data["checkpoint"]["sha256"] == digest
    assert data["checkpoint"]["header"]["network"]["ngf"] == 4
    assert data["recipe"]["source"]["fonts"][0]["path"] == "source.ttf"
    assert data["figures"]["charset"]["generate"] == 7
    assert data["figures"]["check"]["tiny.ttf"] in {"pass", "warn", "info"}
    assert {"fontgen", "python", "torch", "fonttools"} <= set(data["versions"])
    assert set(data["fonts"]) == {"tiny.ttf", "tiny.otf", "tiny.woff2"}
    assert "fonts/tiny.provenance.json" not in contents(base, "1.000")  # its own says more
    for name, content in contents(base, "1.000").items():
        assert str(base.root).encode() not in content, name


def test_the_same_release_again_is_the_same_bytes_and_changes_nothing(project: Project) -> None:
    archive = project.root / "dist" / "tiny-1.000.zip"
    before = archive.read_bytes()
    assert release(project, "1.000").exit_code == 0
    assert archive.read_bytes() == before
    archive.unlink()
    shutil.rmtree(project.out)
    assert release(project, "1.000").exit_code == 0
    assert archive.read_bytes() == before


def test_a_release_never_changes(project: Project) -> None:
    write(project, family="Other")
    result = release(project, "1.000")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith("a release never changes: raise --version")


def test_the_next_release_tells_what_changed(project: Project) -> None:
    write(project, want=EVERYTHING.replace(chr(NEW[2]), ""))
    (project.root / "notes.txt").write_text("A character less.\n", encoding="utf-8")
    result = release(project, "1.001", "--notes", project.root / "notes.txt")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Since 1.000: 0 characters added, 0 drawn differently, 1 removed.\n")
    files = contents(project, "1.001")
    diff = json.loads(files["diff/diff.json"])
    assert (diff["removed"], diff["old"], diff["new"]) == ([f"U+{NEW[2]:04X}"], "tiny-1.000.ttf", "tiny.ttf")
    assert b"<!DOCTYPE html>" in files["diff/diff.html"]
    assert json.loads(files["provenance.json"])["previous"] == "1.000"
    log = files["FONTLOG.txt"].decode()
    assert log.index("1.001\n- A character less.\n- Since 1.000: ") < log.index("1.000\n- First release.")
    # a font can be given instead; slices for the web come along
    project.recipe.write_text(project.recipe.read_text().replace("[font.names]", "[font]\nweb = true\n\n[font.names]"))
    result = release(project, "1.002", "--previous", project.root / "target.ttf")
    assert result.exit_code == 0, result.output
    assert "Since target.ttf: 7 characters added" in result.stdout
    assert "web/tiny.css" in contents(project, "1.002")


def test_what_fails_its_checks_is_not_released(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from fontgen.fonts import check as checks

    real = checks.check_font

    def failing(path: Path, **named: object) -> checks.CheckReport:
        return real(path, **(named | {"expected": {0x10FFFD}}))  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "check_font", failing)
    write(project, family="Other")
    result = release(project, "1.001")
    assert result.exit_code == 1
    assert "not released: tiny.otf, tiny.ttf, tiny.woff2 fails its checks" in result.stderr.splitlines()[-1]
    assert not (project.root / "dist" / "tiny-1.001.zip").exists()


def test_characters_that_could_not_be_made_stop_it_unless_allowed(project: Project) -> None:
    write(project, want=EVERYTHING + "\U0002a6d6")
    result = release(project, "1.001")
    assert result.exit_code == 1
    assert "1 characters could not be made (U+2A6D6)" in result.stderr.splitlines()[-1]
    assert release(project, "1.001", "--allow-missing").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("1.1",), 2, "--version '1.1': write it as X.YYY"),
        (("1.001", "--previous", "nothing.zip"), 1, "nothing.zip: no such file to compare with"),
        (("1.001", "--licence", "nothing.txt"), 1, "nothing.txt: cannot be read as the licence"),
        (("1.001", "--notes", "nothing.txt"), 1, "nothing.txt: cannot be read as the notes"),
        (("1.001", "--checkpoint", "nothing.safetensors"), 2, "--checkpoint nothing.safetensors: no such file"),
    ],
)
def test_bad_input_is_one_line(base: Project, arguments: tuple[str, ...], status: int, message: str) -> None:
    result = release(base, *arguments)
    assert result.exit_code == status
    assert result.stderr.splitlines()[-1].startswith(f"error: {message}")


# parts


def test_the_last_release_is_the_highest_below(tmp_path: Path) -> None:
    for name in ("a-1.000", "a-1.010", "a-1.009", "a-2.000", "b-1.500", "a-1.20"):
        (tmp_path / f"{name}.zip").touch()
    assert last_release(tmp_path, "a", "1.011") == tmp_path / "a-1.010.zip"
    assert last_release(tmp_path, "a", "1.000") is None
    assert last_release(tmp_path / "nowhere", "a", "1.000") is None


def test_damaged_releases_and_releases_without_a_font_are_named(tmp_path: Path) -> None:
    (tmp_path / "a-1.000.zip").write_bytes(b"no archive")
    with pytest.raises(ReleaseError, match=r"a-1\.000\.zip: not a readable release"):
        read_entry(tmp_path / "a-1.000.zip", "FONTLOG.txt")
    (tmp_path / "a-1.001.zip").write_bytes(archive_bytes("a-1.001", {"readme": b""}))
    with pytest.raises(ReleaseError, match=r"holds no \.ttf to compare with"):
        unpack_font(tmp_path / "a-1.001.zip", (".ttf",), tmp_path)


def test_archives_carry_no_dates_and_are_in_order() -> None:
    data = archive_bytes("x", {"b": b"2", "a": b"1"})
    assert data == archive_bytes("x", {"a": b"1", "b": b"2"})
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert [entry.filename for entry in archive.infolist()] == ["x/SHA256SUMS", "x/a", "x/b"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_font_without_a_licence_needs_one(tmp_path: Path) -> None:
    from box_fonts import box_font

    font = box_font(tmp_path / "bare.ttf", {0x4E00: [(0, 0, 500, 500)]})
    with pytest.raises(ReleaseError, match=r"bare\.ttf: states no licence"):
        licence_text(font, None)
    (tmp_path / "LICENCE").write_text("Mine.", encoding="utf-8")
    assert licence_text(font, tmp_path / "LICENCE") == "Mine."


def test_the_log_carries_on() -> None:
    first = fontlog("Font", ["A", "B"], "1.000", ["First release."], "", None)
    second = fontlog("Font", ["A", "B"], "1.001", ["More."], "Thanks to C.", first)
    assert second.partition("ChangeLog\n\n")[2] == "1.001\n- Thanks to C.\n- More.\n\n1.000\n- First release.\n"


# the same steps on the demo


def test_make_release_makes_the_demo_from_a_stored_checkpoint_without_training(tmp_path: Path) -> None:
    """What continuous integration runs on a tag, on the demo's own fonts and recipe."""
    checkpoint = tiny_checkpoint(tmp_path / "demo.safetensors")
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    shutil.copy(ROOT / "Makefile", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["make", "release", f"PYTHON={sys.executable}", "VERSION=1.234", f"CHECKPOINT={checkpoint}"]
    # the environment is there: set-up is left out
    result = subprocess.run(
        [*command, "SETUP=", "RELEASE_FLAGS=--device cpu"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "train:" not in result.stderr
    with zipfile.ZipFile(tmp_path / "dist" / "demo-1.234.zip") as archive:
        (tmp_path / "demo.ttf").write_bytes(archive.read("demo-1.234/fonts/demo.ttf"))
        provenance = json.loads(archive.read("demo-1.234/provenance.json"))
    assert provenance["figures"]["charset"]["generate"] == 200
    assert provenance["figures"]["evaluate"]["glyphs"] == 200
    font = TTFont(tmp_path / "demo.ttf")
    truth = TTFont(ROOT / "fixtures" / "zen-maru-gothic-bold-truth.ttf")
    assert set(truth.getBestCmap()) <= set(font.getBestCmap())
    assert font["name"].getDebugName(5).startswith("Version 1.234")
