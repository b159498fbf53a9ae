"""Print docs/recipes.md: every table and key of a recipe, as the settings models declare them.

    python -m scripts.recipe_reference > docs/recipes.md

A test compares the file with what this prints, so that the two never drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fontgen.presets import presets, sources_of_values
from fontgen.recipe import FontInput, Recipe

INTRODUCTION = """\
# Recipes

A recipe says what to build: one TOML file, read by `fontgen build my-font.toml` and by every command that takes a
recipe. `fontgen init` writes one for two fonts, with what it measured on them as comments; `pipelines/demo.toml` is a
small one that runs anywhere.

- Only `[source]` and `[target]` are needed; every other key has a default.
- Paths are relative to the folder of the recipe. Paths inside charset expressions are too.
- Unknown keys, wrong types, missing files and settings that do not go together stop the build before it begins, with
  one line that names the file, the line, the table and the key.
- The recipe with every default filled in is saved as `recipe.json` in the build folder.
- Units are in the names: `_em` is a share of the em (1.0 = the font's units per em), `_px` is pixels of the canvas.

## Example: your own font, on a GPU

```toml
# Bold kanji of my own, 4,800 so far; the font is to have Big5 and JIS X 0208.
device = "cuda"

[source]
fonts = [
    "fonts/NotoSansJP-Bold.otf",                                  # tried first
    { path = "fonts/NotoSansTC-VF.ttf", location = { wght = 700 } },  # for what the first lacks
]

[target]
font = "fonts/MyFont-Bold.ttf"

[charset]
want = "big5 + jisx0208"

[canvas]
size_px = 256

[network]
embedding_num = 1        # one style to learn
skip = "concat"

[train]
epochs = 150
batch_size = 16
precision = "bf16"       # cards that have it; leave it out on others
evaluate_every = 1000

[font.names]
family = "My Font Plus"
version = "1.000"

[output]
overrides = "my-corrections"   # U+9F98.png or U+9F98.svg in here replaces what the network made
on_suspect = "drop"            # rather a missing glyph than a doubtful one
```

## Example: a folder of scans

```toml
# 500 characters of handwriting, scanned, cut into squares and named by character (永.png) or codepoint (U+6C38.png).
[source]
fonts = ["fonts/LXGWWenKai-Regular.ttf"]

[target]
images = "scans"
name = "My Hand"

[charset]
want = "joyo + hiragana + katakana + cjk-punctuation"

[pairs]
held_out = 20            # with few pairs, a number rather than a share

[network]
embedding_num = 1
skip = "concat"
dropout = 0.2
source_residual = 1.0    # with few pairs: learn the difference from the source

[train]
steps = 4000
batch_size = 8
lr_schedule = "cosine"
augment_shift_em = 0.02  # few pairs: move and scale them a little
augment_scale = 0.03
evaluate_every = 500

[trace]
genre = "brush"

[font]
formats = ["ttf", "woff2"]
units_per_em = 1000

[font.names]
family = "My Hand"
style = "Regular"
version = "0.100"
```

Scans are squares that show the em box: the paper of a practice sheet's cell, not the ink's bounding box. They are dark
on light, at any size, grey or coloured. The scans themselves become glyphs of the font as well.

"""

PRESETS = """\
## Presets

`preset = "NAME"` before the first table of a recipe fills in the values below, wherever the recipe gives none of its
own. `fontgen init` writes the one for the machine it runs on, `fontgen plan my-font.toml --preset NAME` tries another.

{about}

Where a value comes from: † *practice* is a rule of thumb of people who run zi2zi, not measured with fontgen; *demo* is
as in `pipelines/demo-from-scratch.toml`, whose figures the README gives; *plan* is such that `fontgen plan` says it
fits the card.
"""

_UNITS = (
    (r"^units_per_em$", "font units"),
    (r"_em2$", "em²"),
    (r"_em$", "em"),
    (r"_px$|^canvas_size$|^(src|dst)_[xy]_offset$|^attention$", "px"),
    (r"^char_size$", "px per em"),
    (r"_degrees$", "degrees"),
    (r"^(steps|lr_warmup|log_every|evaluate_every|d_every|d_start|max_bad_steps)$", "steps"),
    (r"^epochs$", "epochs"),
    (r"^sample_glyphs$", "glyphs"),
)
"""Units by the key's name, for those that have one."""

_WORDS = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    datetime: "date and time",
    FontInput: "font",
}


def reference() -> str:
    """The whole of docs/recipes.md."""
    return INTRODUCTION + "\n".join(_sections())


def _sections() -> Iterator[str]:
    tables: list[tuple[str, FieldInfo, type[BaseModel]]] = []
    plain: dict[str, FieldInfo] = {}
    for name, field in Recipe.model_fields.items():
        model = _model_in(field.annotation)
        if model is None:
            plain[name] = field
        else:
            tables.append((field.alias or name, field, model))
    yield "## Before the first table\n"
    yield from _rows(plain)
    yield from _presets()
    for name, field, model in tables:
        yield from _table(name, field, model)
    yield "## Fonts\n"
    yield "Where a key's type is *font*, give a path, or a table with these keys:\n"
    yield from _rows(FontInput.model_fields)


def _presets() -> Iterator[str]:
    known = presets()
    about = "\n".join(f"- `{name}`: {preset.about}." for name, preset in known.items())
    yield PRESETS.format(about=about)
    yield f"| Key | {' | '.join(known)} | From |"
    yield f"|---|{'---|' * len(known)}---|"
    for key, source in sources_of_values().items():
        table, _, name = key.rpartition(".")
        values = [_value_at(preset.tables, key.split(".")) for preset in known.values()]
        shown = ["" if value is None else f"`{_toml(value)}`" for value in values]
        yield f"| `[{table}]` `{name}` | {' | '.join(shown)} | {source.replace('practice', '† practice')} |"
    yield "\nOn another canvas than the preset's, attention lies on the maps of the same depth: `[16, 32]` at 256 px is"
    yield "`[24, 48]` at 384 px.\n"


def _value_at(tables: dict[str, Any], parts: list[str]) -> Any:
    value: Any = tables
    for part in parts:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _table(name: str, field: FieldInfo, model: type[BaseModel]) -> Iterator[str]:
    is_list = get_origin(field.annotation) is list
    needed = " (required)" if field.is_required() else ""
    yield f"## `{f'[[{name}]]' if is_list else f'[{name}]'}`{needed}\n"
    if is_list:
        yield f"{_text(field.description)} The keys are those of `[target]`. May be given many times.\n"
        return
    yield f"{_text(model.__doc__)}\n"
    inner: list[tuple[str, FieldInfo, type[BaseModel]]] = []
    plain: dict[str, FieldInfo] = {}
    for key, value in model.model_fields.items():
        nested = _model_in(value.annotation)
        if nested is None or nested is FontInput:
            plain[key] = value
        else:
            inner.append((f"{name}.{value.alias or key}", value, nested))
    yield from _rows(plain)
    for path, value, nested in inner:
        yield from _table(path, value, nested)


def _rows(fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| Key | Type | Default | Unit | Meaning |"
    yield "|---|---|---|---|---|"
    for name, field in fields.items():
        cells = (f"`{name}`", _type_cell(field), _default(field), unit_of(name), _text(field.description))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def unit_of(name: str) -> str:
    return next((unit for pattern, unit in _UNITS if re.search(pattern, name)), "")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def _type_cell(field: FieldInfo) -> str:
    return ", ".join(part for part in (_type_words(field.annotation), *_bounds(field.metadata)) if part)


def _type_words(annotation: Any) -> str:
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_words(parts[0])
    if origin in {Union, UnionType}:
        return " or ".join(_type_words(part) for part in parts if part is not NoneType)
    if origin is Literal:
        return ", ".join(f'`"{part}"`' for part in parts)
    if origin is dict:
        return f"table of {_type_words(parts[1])} by {_type_words(parts[0])}"
    if origin is list or (origin is tuple and parts[-1] is Ellipsis):
        words = _type_words(parts[0])
        return f"list of {words}s" if parts[0] in {int, float, Path} or _model_in(parts[0]) else f"list of {words}"
    if origin is tuple:
        return f"[{', '.join(map(_type_words, parts))}]"
    raise TypeError(f"no words for {annotation!r}; add them to this script")


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
        for item in metadata:  # of annotated_types: Ge, Gt, Le, Lt
            if (limit := getattr(item, attribute, None)) is not None:
                yield f"{sign} {limit:g}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "–" if value is None or value in ("", {}) else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(reference(), end="")
