"""Installed, not cloned: the wheel alone, in an environment of its own, makes a font outside the checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from tiny_build import NEW, make_project, tiny_checkpoint

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    result = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout, so that nothing is left in it."""
    copy = tmp_path_factory.mktemp("source") / "fontgen"
    shutil.copytree(ROOT / "fontgen", copy / "fontgen", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", copy / "out", copy, cwd=copy)
    (built,) = (copy / "out").glob("fontgen-*.whl")
    return built


def test_the_wheel_holds_the_package_with_all_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "fontgen").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_installed_alone_it_makes_a_font_from_two_fonts(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # the heavy dependencies of this environment, without the checkout that is installed in it:
    # a path in a .pth file brings modules, but runs none of the .pth files there
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).stdout.strip()
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    Path(packages, "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n", encoding="utf-8")

    project = make_project(tmp_path / "fonts")
    tiny_checkpoint(tmp_path / "tiny.safetensors")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    where = run(python, "-c", "import fontgen; print(fontgen.__file__)", cwd=folder).stdout
    assert where.startswith(str(tmp_path / "venv"))
    fontgen = tmp_path / "venv" / "bin" / "fontgen"
    source, target = project.root / "source.ttf", project.root / "target.ttf"
    run(fontgen, "init", "--source", source, "--target", target, "-o", "my.toml", cwd=folder)
    recipe = (folder / "my.toml").read_text(encoding="utf-8")
    assert "Measured on 24 of them: the source fits the target at scale" in recipe
    assert "#   joyo" in recipe
    assert '\npreset = "' in recipe
    build = (fontgen, "build", "my.toml", "--device", "cpu", "--checkpoint", tmp_path / "tiny.safetensors")
    result = run(*build, cwd=folder)
    made = TTFont(folder / "build" / "my" / "assemble" / "my.ttf")
    assert set(NEW) <= made.getBestCmap().keys()
    assert "build/my/proof/proof.html" in result.stdout
