"""What is wrong with a recipe, in one line: the file, the line, the table, the key, and what was meant."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def explain(path: Path, text: str, error: ValidationError, model: type[BaseModel]) -> str:
    """One line for the first problem that `model` found in the TOML `text` of `path`, and how many more there are."""
    problems = error.errors()
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    keys = tuple(str(part) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{path}{line_of(text, keys)}: {_problem(keys, first, model)}{more}"


def _problem(keys: tuple[str, ...], problem: ErrorDetails, model: type[BaseModel]) -> str:
    kind, where = problem["type"], key_text(keys)
    if kind == "extra_forbidden":
        close = get_close_matches(keys[-1], known_keys(model, keys[:-1]), n=1)
        return f"unknown key {keys[-1]!r}{_table_text(keys[:-1])}" + (f"; did you mean {close[0]!r}?" if close else "")
    if kind == "missing":
        return f"{where}: missing; add it to the recipe"
    message = problem["msg"].removeprefix("Value error, ")
    if kind in {"value_error"}:
        return f"{where}: {message}" if where else message
    return f"{where}: {message[0].lower()}{message[1:]}, not {problem['input']!r}"


def _table_text(keys: tuple[str, ...]) -> str:
    return f" in [{'.'.join(keys)}]" if keys else ""


def key_text(keys: tuple[str, ...]) -> str:
    """`[train] losses.l1`: the table, then the key."""
    if not keys:
        return ""
    return f"[{keys[0]}]" + (f" {'.'.join(keys[1:])}" if len(keys) > 1 else "")


def known_keys(model: Any, keys: tuple[str, ...]) -> list[str]:
    """The keys that the table at `keys` of `model` may have."""
    for key in keys:
        fields = getattr(model, "model_fields", {})
        field = fields.get(key) or next((f for f in fields.values() if f.alias == key), None)
        if field is None:
            continue  # an index of a list
        model = _model_in(field.annotation)
    return [f.alias or name for name, f in getattr(model, "model_fields", {}).items()]


def _model_in(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if (found := _model_in(part)) is not None:
            return found
    return None


_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")


def line_of(text: str, keys: tuple[str, ...]) -> str:
    """`:12`, the line of the key in TOML text, or of the nearest table above it; "" when neither is there."""
    best = (0, 0)
    table: tuple[str, ...] = ()
    repeats: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEADER.match(line):
            table = tuple(part.strip().strip("\"'") for part in match[1].split("."))
            if line.lstrip().startswith("[["):  # the n-th table of an array
                repeats[table] = repeats.get(table, -1) + 1
                table = (*table, str(repeats[table]))
            here = table
        elif "=" in line and not line.lstrip().startswith("#"):
            here = table + tuple(part.strip().strip("\"'") for part in line.split("=", 1)[0].split("."))
        else:
            continue
        if here == keys[: len(here)] and len(here) > best[0]:
            best = (len(here), number)
    return f":{best[1]}" if best[0] else ""
