"""`fontgen init`: a starter recipe for two fonts, with what was measured on them as comments."""

from __future__ import annotations

import os
from pathlib import Path

from fontgen.charset import named_set
from fontgen.errors import FontError, RecipeError
from fontgen.files import write_text
from fontgen.fonts.face import Face, FontRef, is_whitespace, open_face
from fontgen.fonts.stack import FontStack
from fontgen.glyphs.calibrate import Calibration, calibrate, calibration_sample
from fontgen.glyphs.render import render_ink
from fontgen.presets import presets

_SUGGESTED = ("jisx0208", "big5", "gb2312", "ksx1001-hangul", "joyo", "cjk-unified")

_FEW_PAIRS = 400
"""Below this the style comes through weakly; 5,000 pairs are the usual advice for training from scratch."""

_HAND_WORK = """\
Glyphs drawn by hand for {recipe}: U+9F98.png, U+9F98.svg or U+9F98.glif, or a UFO.
Each replaces what the network made. `fontgen fix {recipe} --chars 龘靐` puts traced outlines here to be corrected.
"""


def write_starter(source: Path, target: Path, recipe: Path, *, preset: str, force: bool = False) -> Path:
    """Measure two fonts and write a recipe that `fontgen build` takes as it is, with the preset to train by.

    Beside it comes the folder for hand work that the recipe names.

    Raises RecipeError when a recipe is there already, FontError when the fonts cannot go together.
    """
    if recipe.exists() and not force:
        raise RecipeError(f"{recipe}: exists already; choose another -o, or --force to overwrite it")
    source_face, target_face = open_face(FontRef.of(source)), open_face(FontRef.of(target))
    shared = sorted(source_face.cmap.keys() & target_face.cmap.keys())
    sources = FontStack([source_face.ref]).resolve(c for c in shared if not is_whitespace(c) and c > 0x2E7F).refs
    states = target_face.states(sources)
    usable = [c for c in sources if states[c] == "ok"]
    if not usable:
        raise FontError(f"{source} and {target}: no CJK character in common; use fonts that share some")
    measured = calibrate(
        sources,
        calibration_sample(usable),
        lambda codepoint, canvas: render_ink(target_face, codepoint, canvas),
        descender_em=-0.12,
    )
    write_text(recipe, _text(recipe, source_face, target_face, len(usable), measured, preset))
    # a file in it, since version control keeps no empty folder and a build refuses a missing one
    write_text(recipe.parent / _overrides(recipe) / "README.txt", _HAND_WORK.format(recipe=recipe.name))
    return recipe


def _overrides(recipe: Path) -> str:
    return f"{recipe.stem}-overrides"


def _text(recipe: Path, source: Face, target: Face, num_pairs: int, measured: Calibration, preset: str) -> str:
    place = measured.placement
    coverage = "\n".join(_coverage(source, target))
    offered = "\n".join(f"#   {name:<14} {known.about}" for name, known in presets().items())
    few = f"# Fewer than {_FEW_PAIRS} pairs: expect the structure to come through, the style less.\n"
    return f"""\
# {target.family_name} {target.style_name}, extended from {source.family_name} {source.style_name}.
# `fontgen build {recipe.name}` makes the font. docs/recipes.md explains every key.
#
# {num_pairs} characters are in both fonts.
{few if num_pairs < _FEW_PAIRS else ""}\
# Measured on {measured.num_glyphs} of them: the source fits the target at scale {place.scale:.4f},
# {place.dx_em:+.4f} em right and {place.dy_em:+.4f} em up of its place
# (soft IoU {measured.iou_before:.3f} -> {measured.iou_after:.3f}).
# It is measured again at every build; [calibrate] in the recipe overrides it.
#
# What the fonts have:
{coverage}

# What to train and how, for the machine that this was written on. There are
{offered}
# docs/recipes.md lists what each sets; keys given below win, such as epochs = 100 in [train].
# `fontgen plan {recipe.name}` says what fits this machine and how long it takes.
preset = "{preset}"

[source]
fonts = ["{_relative(source.ref.path, recipe)}"]

[target]
font = "{_relative(target.ref.path, recipe)}"

[charset]
# All that the source has; or a charset expression such as "big5 + jisx0208".
want = "{_relative(source.ref.path, recipe)}"

[font.names]
version = "1.000"

[output]
# What you draw yourself goes in here and wins; `fontgen fix` puts outlines here to be corrected.
overrides = "{_overrides(recipe)}"
"""


def _coverage(source: Face, target: Face) -> list[str]:
    lines = ["#   set              characters   source   target"]
    for name in _SUGGESTED:
        wanted = named_set(name)
        have = [sum(c in face.cmap for c in wanted) for face in (source, target)]
        lines.append(f"#   {name:<16} {len(wanted):>10} {have[0]:>8} {have[1]:>8}")
    return lines


def _relative(path: Path, recipe: Path) -> str:
    """The font's path as the recipe's folder sees it."""
    return Path(os.path.relpath(path.resolve(), recipe.resolve().parent)).as_posix()
