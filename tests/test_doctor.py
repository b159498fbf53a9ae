"""`fontgen doctor` sees what is there and names the cure for what is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from fontgen import doctor
from fontgen.doctor import Check, diagnose, exit_status, to_json

FIXTURES = Path(__file__).parents[1] / "fixtures"


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def pretend_installed(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    real = doctor.installed_version
    monkeypatch.setattr(doctor, "installed_version", lambda name: versions[name] if name in versions else real(name))


def test_this_environment_is_sound() -> None:
    checks = diagnose([FIXTURES / "noto-sans-jp-bold.ttf"])
    assert [check for check in checks if check.status == "fail"] == []
    assert exit_status(checks) == 0
    assert "torchvision" in named(checks, "torch").detail
    assert "1,299 characters" in named(checks, str(FIXTURES / "noto-sans-jp-bold.ttf")).detail
    assert named(checks, "WOFF2").status == "ok"
    assert named(checks, "fixtures").status == "ok"


def test_every_problem_has_a_remedy_and_every_name_is_unique(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "installed_version", lambda name: None)
    checks = diagnose([tmp_path / "no.ttf"], folder=tmp_path / "nowhere", fixtures=tmp_path)
    assert exit_status(checks) == 1
    assert all(bool(check.remedy) == (check.status != "ok") for check in checks)
    assert len({check.name for check in checks}) == len(checks)


def test_json_holds_every_check() -> None:
    checks = [Check("a", "ok", "1"), Check("b", "fail", "gone", "bring it back")]
    assert json.loads(json.dumps(to_json(checks))) == {
        "ok": False,
        "checks": [
            {"name": "a", "status": "ok", "detail": "1", "remedy": ""},
            {"name": "b", "status": "fail", "detail": "gone", "remedy": "bring it back"},
        ],
    }
    assert to_json([Check("a", "warn", "slow", "wait")])["ok"] is True


def test_unreadable_fonts_fail_with_the_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes((FIXTURES / "noto-sans-jp-bold.ttf").read_bytes()[:5000])
    checks = diagnose([broken, tmp_path / "no.ttf"])
    assert named(checks, str(broken)).status == "fail"
    assert "no such font file" in named(checks, str(tmp_path / "no.ttf")).detail


@pytest.mark.parametrize(
    ("versions", "status", "words"),
    [
        ({"pypotrace": None, "potracer": None}, "fail", "no module potrace"),
        ({"pypotrace": "0.3", "potracer": "0.0.4"}, "fail", "two packages in one module"),
        ({"pypotrace": None, "potracer": "0.0.4"}, "warn", "pure Python"),
    ],
)
def test_potrace_bindings_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, versions: dict[str, str | None], status: str, words: str
) -> None:
    pretend_installed(monkeypatch, **versions)
    check = named(diagnose(), "potrace")
    assert (check.status, words in check.detail) == (status, True)


def test_a_missing_package_fails_or_takes_a_part_away(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, numpy=None, matplotlib=None)
    checks = diagnose()
    assert named(checks, "numpy").status == "fail"
    assert (named(checks, "matplotlib").status, named(checks, "matplotlib").detail) == (
        "warn",
        "not installed: no loss curves",
    )


def test_a_torch_that_cannot_be_imported_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    check = named(diagnose(), "torch")
    assert check.status == "fail"
    assert "make setup" in check.remedy


def test_an_old_python_little_memory_and_a_full_disk_show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**40, 2**40 - 2**28, 2**28))
    monkeypatch.setattr(doctor, "MINIMUM_PYTHON", (99, 1))
    monkeypatch.setattr(doctor, "total_memory_gb", lambda: 1.5)
    checks = diagnose(folder=tmp_path)
    assert "99.1" in named(checks, "Python").remedy
    assert named(checks, "memory").status == "warn"
    assert "0.2 GB free" in named(checks, f"disk at {tmp_path}").detail


def test_missing_fixtures_are_named(tmp_path: Path) -> None:
    (tmp_path / "noto-sans-jp-bold.ttf").touch()
    check = named(diagnose(fixtures=tmp_path), "fixtures")
    assert check.status == "warn"
    assert check.detail.endswith("lacks zen-maru-gothic-bold.ttf, zen-maru-gothic-bold-truth.ttf")


def test_importing_the_module_leaves_torch_alone() -> None:
    code = "import sys, fontgen.doctor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
