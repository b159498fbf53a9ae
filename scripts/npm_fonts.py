"""Fonts out of npm packages: pinned versions, checked against the hash the registry published."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class PackageError(Exception):
    """A package that cannot be had or is not what was pinned; the message says what to do."""


@dataclass(frozen=True)
class Package:
    """An npm package at one version, with the `integrity` value of its registry entry."""

    name: str
    version: str
    integrity: str

    @property
    def archive_name(self) -> str:
        """The file name that `npm pack` gives the package."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


def _npm_pack(package: Package, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PackageError(
            "npm is not installed, and the fonts come from npm packages; install it "
            "(apt install npm, dnf install npm, brew install node) and run this again"
        )
    command = [npm, "pack", "--silent", f"{package.name}@{package.version}"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        lines = (result.stderr + result.stdout).strip().splitlines() or ["no message"]
        raise PackageError(f"{' '.join(command[1:])} failed: {lines[-1]}; check the network and run this again")


def _check(package: Package, archive: Path) -> None:
    algorithm, _, wanted = package.integrity.partition("-")
    digest = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode("ascii")
    if digest != wanted:
        raise PackageError(f"{archive}: not the {package.name} {package.version} that is pinned; remove it and retry")


@contextmanager
def package_files(package: Package, names: Iterable[str], *, archives: Path | None = None) -> Iterator[dict[str, Path]]:
    """Yield the files `names` of a package (paths below its root), unpacked in a temporary folder.

    `archives` is a folder that already holds what `npm pack` downloads; without it the package is
    fetched. Raises PackageError.
    """
    with tempfile.TemporaryDirectory(prefix="fontgen-fonts-") as temporary:
        folder = Path(temporary)
        archive = (archives or folder) / package.archive_name
        if archives is None:
            _npm_pack(package, folder)
        if not archive.is_file():
            raise PackageError(f"{archive}: no such file; put it there with npm pack {package.name}@{package.version}")
        _check(package, archive)
        found: dict[str, Path] = {}
        with tarfile.open(archive) as tar:
            for name in names:
                try:
                    member = tar.extractfile(f"package/{name}")
                except KeyError as error:
                    raise PackageError(f"{archive}: holds no {name}; another version is needed") from error
                assert member is not None
                path = folder / name.replace("/", "_")
                path.write_bytes(member.read())
                found[name] = path
        yield found
