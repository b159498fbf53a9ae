"""Put the full fonts of `pipelines/zen-maru-bold.toml` into `fonts/`: `make fonts`.

With `--base-model` also those that `pipelines/base-model.toml` learns from, into `fonts/base-model/`. Complete TTF
files from npm packages, with their licences. A font that is there already is left alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from scripts.base_model_fonts import BASE_MODEL_FONTS
from scripts.npm_fonts import Package, PackageError, package_files

# What to call the font here: package, and the font's path in it. Noto Sans TC has the Big5 characters
# that Noto Sans JP lacks (9,743 of 13,302 are in the latter), in the same design.
FONTS = {
    "noto-sans-jp-bold": (
        Package(
            "@expo-google-fonts/noto-sans-jp",
            "0.4.3",
            "sha512-Fl+Z6vtD24HFAYsvzB0S9Nery1ly16B9PesdY0wBd+wEHAvkNglnkTUspU0HqGOubkmoa8zusJrKv6vDx1o70A==",
        ),
        "700Bold/NotoSansJP_700Bold.ttf",
    ),
    "noto-sans-tc-bold": (
        Package(
            "@expo-google-fonts/noto-sans-tc",
            "0.4.3",
            "sha512-69XAOTLPz0WlAxL6qJEKlDMxHsBd4J1M39HjV0gPF2o1xWVALOsVWvDgistnecVockA9wbU/tH5C/gyS2PdnHg==",
        ),
        "700Bold/NotoSansTC_700Bold.ttf",
    ),
    "zen-maru-gothic-bold": (
        Package(
            "@expo-google-fonts/zen-maru-gothic",
            "0.4.1",
            "sha512-DCDiIfyvhsq4geQRW5WBf2cxIU4qdz95RMcBMXsUgCORZUcLQEyKG/UwaRWjEBp+94GnnPEVEklhSa6DGn2raA==",
        ),
        "700Bold/ZenMaruGothic_700Bold.ttf",
    ),
}
LICENCE = "LICENSE_FONT"


def put(path: Path, data: bytes) -> None:
    """Write by rename, so that an interrupted run leaves no half font to be taken for a whole one."""
    part = path.with_name(f".part-{path.name}")
    part.write_bytes(data)
    os.replace(part, path)


def fetch(fonts: dict[str, tuple[Package, str]], folder: Path, archives: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (package, member) in fonts.items():
        font, licence = folder / f"{name}.ttf", folder / f"{name}-OFL.txt"
        if font.exists() and licence.exists():
            print(f"fonts: {font} is there")
            continue
        print(f"fonts: fetching {package.name} {package.version}", flush=True)
        with package_files(package, [member, LICENCE], archives=archives) as files:
            put(licence, files[LICENCE].read_bytes())
            put(font, files[member].read_bytes())
        print(f"fonts: {font}, {font.stat().st_size / 1e6:.1f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, metavar="DIR", help="a folder of the packages' .tgz files")
    parser.add_argument("--output", type=Path, metavar="DIR", default=Path("fonts"))
    parser.add_argument("--base-model", action="store_true", help="also the fonts of pipelines/base-model.toml")
    arguments = parser.parse_args()
    try:
        fetch(FONTS, arguments.output, arguments.packages)
        if arguments.base_model:
            fetch(BASE_MODEL_FONTS, arguments.output / "base-model", arguments.packages)
    except (PackageError, OSError) as error:
        print(f"fonts: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
