"""What this machine has of what fontgen needs: `fontgen doctor`."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fontgen.errors import FontgenError
from fontgen.parallel import total_memory_gb, usable_cores

Status = Literal["ok", "warn", "fail"]

MINIMUM_PYTHON = (3, 11)
MEMORY_NEEDED_GB = 4.0
"""The most that the demo takes, by its own limit; production recipes at 384 px need about as much."""
DISK_NEEDED_GB = 2.0
"""Images, pairs and checkpoints of a full font at 384 px (21,000 glyphs, 6,600 pairs)."""

_PIP = "run `make setup`, or install it with pip"


@dataclass(frozen=True)
class Check:
    """One thing looked at: `fail` stops fontgen, `warn` makes it slow or takes a part of it away."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    """What to do; empty when the status is ok."""


# distribution -> the part of fontgen that goes without it, "" where nothing works
_PACKAGES: dict[str, str] = {
    "click": "",
    "fonttools": "",
    "freetype-py": "",
    "numpy": "",
    "pillow": "",
    "pydantic": "",
    "rich": "",
    "safetensors": "",
    "scikit-image": "",
    "scipy": "",
    "skia-pathops": "",
    "uharfbuzz": "checking fonts",
    "opentype-sanitizer": "checking fonts",
    "cffsubr": "subroutines in .otf files",
    "matplotlib": "loss curves",
    "brotli": "reading and writing WOFF2",
}


def diagnose(fonts: Iterable[Path] = (), *, folder: Path = Path(), fixtures: Path | None = None) -> list[Check]:
    """Look at everything; never raises for what it finds.

    `fonts` are opened and counted, free disk space is that of `folder`, and `fixtures` is where the
    demo's fonts should be (default: `fixtures` beside the package, when that is a checkout).
    """
    checks = [_python(), *_packages(), _torch(), _potrace(), _freetype(), _woff2()]
    checks += [_cores(), _memory(), _disk(folder)]
    checks += _fixtures(fixtures)
    checks += [_font(path) for path in fonts]
    return checks


def exit_status(checks: Sequence[Check]) -> int:
    return int(any(check.status == "fail" for check in checks))


def to_json(checks: Sequence[Check]) -> dict[str, Any]:
    """`{"ok": bool, "checks": [{"name", "status", "detail", "remedy"}, ...]}`."""
    return {"ok": exit_status(checks) == 0, "checks": [asdict(check) for check in checks]}


def _python() -> Check:
    detail = f"{platform.python_version()} ({platform.python_implementation()}, {platform.platform()})"
    if sys.version_info < MINIMUM_PYTHON:
        needed = ".".join(map(str, MINIMUM_PYTHON))
        return Check("Python", "fail", detail, f"install Python {needed} or newer and run `make setup`")
    return Check("Python", "ok", detail)


def installed_version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Check]:
    for distribution, part in _PACKAGES.items():
        version = installed_version(distribution)
        if version is not None:
            yield Check(distribution, "ok", version)
        elif part:
            yield Check(distribution, "warn", f"not installed: no {part}", f"{_PIP}: pip install {distribution}")
        else:
            yield Check(distribution, "fail", "not installed", f"{_PIP}: pip install {distribution}")


def _torch() -> Check:
    """torch itself may be damaged or built for another machine, so it is imported, here alone."""
    try:
        import torch

        torchvision = importlib.import_module("torchvision")
    except ImportError as error:
        return Check("torch", "fail", f"cannot be imported ({_first_line(error)})", f"{_PIP}: torch and torchvision")
    except (OSError, RuntimeError) as error:
        # libraries that do not load; versions of the two that do not belong together
        return Check(
            "torch",
            "fail",
            f"does not start ({_first_line(error)})",
            "install torch and torchvision again, both in one pip call",
        )
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        names = ", ".join(f"{device.name} {device.total_memory / 2**30:.0f} GB" for device in devices)
        return Check("torch", "ok", f"{versions}, CUDA {torch.version.cuda}: {names}")
    if shutil.which("nvidia-smi"):
        return Check(
            "torch",
            "warn",
            f"{versions}, no CUDA although this machine has an NVIDIA driver",
            "install a torch whose CUDA version the driver supports (nvidia-smi shows it)",
        )
    return Check("torch", "ok", f"{versions}, no CUDA: training runs on the CPU, minutes for the demo")


def _potrace() -> Check:
    versions = {name: installed_version(name) for name in ("pypotrace", "potracer")}
    have = {name: version for name, version in versions.items() if version is not None}
    libraries = "libpotrace and libagg with headers, pkg-config, a C++ compiler"
    if not have:
        return Check("potrace", "fail", "no module potrace", f"run `make setup`; pypotrace needs {libraries}")
    detail = ", ".join(f"{name} {version}" for name, version in have.items())
    if len(have) == 2:
        remedy = "pip uninstall both, then pip install pypotrace"
        return Check("potrace", "fail", f"{detail}: two packages in one module", remedy)
    try:
        import potrace
    except ImportError as error:
        remedy = f"pip install --force-reinstall --no-cache-dir {next(iter(have))}"
        return Check("potrace", "fail", f"{detail} cannot be imported ({_first_line(error)})", remedy)
    if "potracer" in have:
        remedy = f"for speed install {libraries}; then remove .venv and run `make setup`"
        return Check("potrace", "warn", f"{detail}: pure Python, many times slower than pypotrace", remedy)
    library = getattr(potrace, "potracelib_version", None)
    return Check("potrace", "ok", f"{detail}, {library() if callable(library) else 'libpotrace'}")


def _freetype() -> Check:
    try:
        import freetype
    except (ImportError, OSError, RuntimeError) as error:
        return Check("FreeType", "fail", f"does not load ({_first_line(error)})", f"{_PIP}: freetype-py")
    return Check("FreeType", "ok", ".".join(map(str, freetype.version())))


def _woff2() -> Check:
    """WOFF2 goes through fontTools, which needs brotli (or brotlicffi) and says so only when used."""
    try:
        from fontTools.ttLib import woff2
    except ImportError as error:
        return Check("WOFF2", "fail", f"fontTools does not load ({_first_line(error)})", f"{_PIP}: fonttools[woff]")
    if not woff2.haveBrotli:
        return Check("WOFF2", "warn", "no brotli: WOFF2 is neither read nor written", f"{_PIP}: brotli")
    return Check("WOFF2", "ok", "read and written through fontTools and brotli")


def _cores() -> Check:
    usable, present = usable_cores(), os.cpu_count() or 1
    return Check("cores", "ok", f"{usable} usable of {present}")


def _memory() -> Check:
    total = total_memory_gb()
    if total is None:
        return Check("memory", "ok", "cannot be told on this system")
    if total < MEMORY_NEEDED_GB:
        remedy = "use a smaller canvas and batch in the recipe, and close other programs"
        return Check("memory", "warn", f"{total:.1f} GB; the demo takes up to {MEMORY_NEEDED_GB:.0f} GB", remedy)
    return Check("memory", "ok", f"{total:.1f} GB")


def _disk(folder: Path) -> Check:
    name = f"disk at {folder.resolve()}"
    try:
        free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return Check(name, "fail", f"cannot be read ({error.strerror or error})", "choose another build folder")
    if free < DISK_NEEDED_GB:
        remedy = "free some space, or build into another folder with --output"
        return Check(name, "warn", f"{free:.1f} GB free; a full font takes about {DISK_NEEDED_GB:.0f} GB", remedy)
    return Check(name, "ok", f"{free:.1f} GB free")


_DEMO_FONTS = ("noto-sans-jp-bold.ttf", "zen-maru-gothic-bold.ttf", "zen-maru-gothic-bold-truth.ttf")


def _fixtures(folder: Path | None) -> list[Check]:
    if folder is None:
        folder = Path(__file__).resolve().parents[1] / "fixtures"
        if not (folder.parent / "pyproject.toml").is_file():
            return []  # installed as a package: the demo's fonts are not part of that
    absent = [name for name in _DEMO_FONTS if not (folder / name).is_file()]
    if absent:
        remedy = "restore them (`git checkout fixtures`) or make them (`python -m fixtures.make_fixtures`)"
        return [Check("fixtures", "warn", f"{folder} lacks {', '.join(absent)}", remedy)]
    return [Check("fixtures", "ok", f"{len(_DEMO_FONTS)} fonts in {folder}")]


def _font(path: Path) -> Check:
    from fontgen.fonts.face import Face, FontRef

    try:
        face = Face(FontRef.of(path))
    except FontgenError as error:
        detail, _, remedy = _first_line(error).removeprefix(f"{path}: ").partition("; ")
        return Check(str(path), "fail", detail, remedy or "use another font file")
    name = f"{face.family_name} {face.style_name}".strip() or "no name"
    return Check(str(path), "ok", f"{name}: {len(face.cmap):,} characters, {face.units_per_em} units per em")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
