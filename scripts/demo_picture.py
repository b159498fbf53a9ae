"""Write docs/images/demo.png, the README's picture, from a finished demo build.

python -m scripts.demo_picture
"""

from __future__ import annotations

from pathlib import Path

from fontgen.pipeline import make_build
from fontgen.proof.sheet import contact_sheet
from fontgen.recipe import load_recipe
from fontgen.stages.showing import sheet_headings, sheet_rows
from fontgen.talk import Talk

PICTURE = Path("docs/images/demo.png")
ROWS = 12


def main() -> None:
    recipe = Path("pipelines/demo.toml")
    build = make_build(load_recipe(recipe), recipe, output=None, device=None, want=None, talk=Talk(quiet=True))
    contact_sheet(sheet_rows(build, ROWS), sheet_headings(build), PICTURE, tile_px=88, columns=3)


if __name__ == "__main__":
    main()
