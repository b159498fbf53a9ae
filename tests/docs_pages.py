"""What the documentation shows: its pages, their blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("README*.md")), ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGE_IDS = [page.name for page in PAGES]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_ENDS = {"|", "&&", "||", ";", ">", ">>", "2>"}


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> Iterator[str]:
    for language, body in FENCE.findall(text_of(page)):
        if language in languages:
            yield body


def prose(page: Path) -> str:
    return FENCE.sub("", text_of(page))


# commands

_PROGRAMS = "fontgen|make|pip|torchrun|tensorboard(?= -)|python3?|git|sudo|brew|npm|rm"
_COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )?(?:{_PROGRAMS}) ")
_PLACE = re.compile(f"{FENCE.pattern}|{INLINE.pattern}", re.MULTILINE | re.DOTALL)
_SHELL = {"", "sh", "bash", "console", "shell"}


def shown_commands(page: Path) -> Iterator[str]:
    """Every command line shown, in the order of the page, without comments.

    An inline one counts when it says more than a name: `fontgen build` alone is no command line. In a block that
    begins with a command every line has to be one.
    """
    for match in _PLACE.finditer(text_of(page)):
        language, body, code = match.groups()
        if code is not None:
            code = code.replace("\\|", "|")
            if _COMMAND.match(code) and not re.fullmatch(r"fontgen \S+", code):
                yield code
        elif language in _SHELL:
            lines = [line.strip() for line in body.replace("\\\n", " ").splitlines()]
            if lines and _COMMAND.match(lines[0] + " "):
                for line in lines:
                    assert _COMMAND.match(line + " "), f"{page.name}: no known program in the line {line!r}"
                    yield re.sub(r"\s+", " ", re.sub(r"\s# .*", "", line)).strip()


def arguments(line: str) -> list[str]:
    """The words of a command line after its program, up to a pipe."""
    words = shlex.split(line)[1:]
    ends = [number for number, word in enumerate(words) if word in _ENDS]
    return words[: ends[0]] if ends else words


def command_lines(page: Path) -> Iterator[list[str]]:
    """The arguments of every fontgen command shown."""
    for command in shown_commands(page):
        if command.startswith("fontgen "):
            yield arguments(command)
