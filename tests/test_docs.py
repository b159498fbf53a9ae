"""The documentation is true: commands parse, recipes load, links lead somewhere, tables agree with the code."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from docs_pages import INLINE, PAGE_IDS, PAGES, ROOT, arguments, blocks, command_lines, prose, text_of

from fontgen.charset import named_set, parse_charset, set_names
from fontgen.cli import main
from fontgen.pipeline import STAGE_NAMES
from fontgen.proof.curves import read_metrics
from fontgen.recipe import CanvasTable, Recipe
from fontgen.settings import Settings
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


# commands


def parse(words: list[str]) -> None:
    """Parse as the command line does, without running. Raises click.UsageError."""
    while words and words[0] in {"--debug", "--version", "--help", "-h"}:
        words = words[1:]
    if not words or words[0] == "COMMAND":
        return
    name, *rest = words
    command = main.commands.get(name)
    if command is None:
        raise click.UsageError(f"no such command: {name}")
    if name == "build" and "--from" in rest:
        stage = rest[rest.index("--from") + 1]
        if stage not in STAGE_NAMES and stage != "STAGE":
            raise click.UsageError(f"no such stage: {stage}")
    try:
        command.make_context(name, rest, parent=click.Context(main, info_name="fontgen"))
    except click.exceptions.Exit:
        return  # --help says its words and exits


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_every_command_line_shown_parses(page: Path) -> None:
    for words in command_lines(page):
        try:
            parse(words)
        except click.UsageError as error:
            pytest.fail(f"{page.name}: fontgen {shlex.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_commands_named_in_passing_exist(page: Path) -> None:
    for code in INLINE.findall(prose(page)):
        words = code.split()
        if len(words) == 2 and words[0] == "fontgen" and not words[1].startswith("-"):
            assert words[1] in main.commands or words[1].isupper(), f"{page.name}: `{code}`"


def test_every_command_is_documented_with_arguments() -> None:
    shown = {words[0] for page in PAGES for words in command_lines(page) if words}
    assert main.commands.keys() - shown == set()


@pytest.mark.parametrize("name", sorted(main.commands))
def test_the_example_in_a_command_s_help_parses(name: str) -> None:
    examples = [
        line.strip() for line in (main.commands[name].help or "").splitlines() if line.strip()[:8] == "fontgen "
    ]
    assert examples
    for example in examples:
        words = arguments(example)
        assert words[0] == name
        parse(words)


def test_a_wrong_command_line_would_be_noticed() -> None:
    for wrong in ("bild demo.toml", "build --charsett big5", "trace images", "build --from tracing"):
        with pytest.raises(click.UsageError):
            parse(wrong.split())


def test_make_targets_shown_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    for page in PAGES:
        code = [*INLINE.findall(prose(page)), *"\n".join(blocks(page, "", "sh", "bash")).splitlines()]
        shown = {match[1] for line in code if (match := re.match(r"make ([a-z-]+)", line.strip()))}
        assert shown <= targets, page.name


# recipes


def recipes_shown(page: Path) -> Iterator[dict[str, Any]]:
    """TOML blocks as recipes; what is no whole recipe gets the two tables every recipe needs."""
    for body in blocks(page, "toml"):
        data = tomllib.loads(body)
        yield {"source": {"fonts": ["source.ttf"]}, "target": {"font": "target.ttf"}} | data


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_recipes_shown_are_valid(page: Path) -> None:
    for data in recipes_shown(page):
        recipe = Recipe.model_validate(data)
        for expression in (recipe.charset.want, recipe.pairs.charset):
            if expression and "@" not in expression and "." not in expression:
                assert parse_charset(expression)


@cache
def reference() -> str:
    """What the script prints that makes docs/recipes.md."""
    command = [sys.executable, "-m", "scripts.recipe_reference"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout


def test_the_reference_of_recipes_is_up_to_date() -> None:
    written = text_of(ROOT / "docs" / "recipes.md")
    assert written == reference(), "run: python -m scripts.recipe_reference > docs/recipes.md"


def test_the_reference_names_every_key() -> None:
    def keys(model: Any) -> Iterator[str]:
        for name, field in model.model_fields.items():
            yield name
            for part in [field.annotation, *getattr(field.annotation, "__args__", ())]:
                if hasattr(part, "model_fields"):
                    yield from keys(part)

    text = reference()
    tables = {field.alias or name for name, field in Recipe.model_fields.items()}
    for key in set(keys(Recipe)) - {"register_"}:
        assert f"| `{key}` |" in text or f"[{key}]" in text or key in {"losses", "balance", "names"}, key
    assert {"source", "train", "register"} <= tables
    assert "[train.losses]" in text
    assert "[font.names]" in text


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_pipelines_and_files_shown_exist(page: Path) -> None:
    for shown in re.findall(r"\b((?:pipelines|fixtures|scripts)/[\w./-]*\w)", text_of(page)):
        assert (ROOT / shown).exists(), f"{page.name}: {shown}"


# links and words


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ +(.+?)\s*$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(linked), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_pages_speak_of_no_particular_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(?:work|home|root|tmp|mnt|Users)/", text_of(page))
    assert not re.search(r"\b(?:TODO|FIXME|TBD)\b|@@", text_of(page))


# tables that repeat what the code says


def rows_under(page: Path, heading: str) -> list[list[str]]:
    """Cells of the first table after a heading, without its head."""
    text = text_of(page)
    table = text[text.index(f"\n{heading}\n") :].split("\n|", 1)[1].split("\n\n", 1)[0]
    lines = ("|" + table).splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in lines]


def test_charsets_are_documented_with_their_counts() -> None:
    rows = rows_under(ROOT / "docs" / "charsets.md", "## The named sets")
    documented = {cells[0].strip("`"): tuple(int(n.replace(",", "")) for n in cells[1:3]) for cells in rows}
    han = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
    real = {
        name: (len(named_set(name)), sum(any(a <= c <= b for a, b in han) for c in named_set(name)))
        for name in set_names()
    }
    assert documented == real


def test_the_operators_documented_bind_as_the_code_does() -> None:
    assert parse_charset("big5 - big5-1 & jisx0208") == parse_charset("(big5 - big5-1) & jisx0208")


def test_settings_advised_for_training_exist() -> None:
    owners: list[type[Settings]] = [NetworkSettings, TrainSettings, LossSettings, BalanceSettings, CanvasTable]
    rows = rows_under(ROOT / "docs" / "training.md", "## When it does not go well")
    advised = [code for cells in rows for code in INLINE.findall(cells[2]) if re.match(r"[a-z]\w*( = .+)?$", code)]
    assert len(advised) > 20
    for code in advised:
        key, _, value = code.partition(" = ")
        owner = next((model for model in owners if key in model.model_fields), None)
        assert owner is not None or not value, code
        assert owner is not None or key in {"calibrate", "register"}, code
        if owner is not None and value:
            owner.model_validate(tomllib.loads(code))


def test_figures_shown_can_be_read(tmp_path: Path) -> None:
    (shown,) = blocks(ROOT / "docs" / "training.md", "json")
    (tmp_path / "metrics.jsonl").write_text(shown, encoding="utf-8")
    series = read_metrics(tmp_path / "metrics.jsonl")
    assert {"d_loss", "lambda_adv", "held_out.ssim"} <= series.keys()


def test_stages_are_documented_in_order() -> None:
    rows = rows_under(ROOT / "docs" / "architecture.md", "## Stages")
    assert [cells[0].strip("`") for cells in rows] == list(STAGE_NAMES)


def test_errors_are_documented_with_their_status() -> None:
    from fontgen import errors

    rows = rows_under(ROOT / "docs" / "architecture.md", "## Errors and exit statuses")
    documented = {cells[0].strip("`"): int(cells[2]) for cells in rows}
    children = {kind.__name__: kind.exit_status for kind in errors.FontgenError.__subclasses__()}
    assert documented == {name: status for name, status in children.items() if hasattr(errors, name)}


# who imports whom


def imports() -> Iterator[tuple[Path, str, bool]]:
    """(file, module imported, whether at its top level) for all of fontgen."""
    for file in sorted((ROOT / "fontgen").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module in {"fontgen", *_PARTS}:
                names += [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                yield file, name, node in tree.body


_PARTS = {"fontgen.fonts", "fontgen.glyphs", "fontgen.outlines", "fontgen.zi2zi", "fontgen.proof", "fontgen.stages"}


def part_of(file: Path) -> str:
    return file.relative_to(ROOT / "fontgen").with_suffix("").parts[0]


def test_parts_import_only_what_the_architecture_allows() -> None:
    text = text_of(ROOT / "docs" / "architecture.md")
    ground = set(re.findall(r"`(\w+)`", text.split("*ground floor* is", 1)[1].split(".", 1)[0]))
    rows = rows_under(ROOT / "docs" / "architecture.md", "### Who may import whom")
    allowed = {
        part: set(re.findall(r"`(\w+)`", cells[1])) for cells in rows for part in re.findall(r"`(\w+)`", cells[0])
    }
    assert "zi2zi" in allowed
    assert "errors" in ground
    wrong = set()
    for file, name, _ in imports():
        part, (top, _, rest) = part_of(file), name.partition(".")
        if top != "fontgen" or not rest or part in {"commands", "cli", "__main__", "__init__"}:
            continue
        other = rest.split(".")[0]
        may = set() if part in ground else allowed.get(part, set())
        if part == "charset":
            may = {"fonts"}
        if other not in ground | may | {part, "__version__"}:
            wrong.add(f"{part} imports {name}")
        if part == "recipe" and other in allowed and "settings" not in name:
            wrong.add(f"recipe imports {name}, more than settings")
    assert wrong == set()


def test_only_zi2zi_imports_torch() -> None:
    users = {part_of(file) for file, name, _ in imports() if name.split(".")[0] in {"torch", "torchvision"}}
    assert users == {"zi2zi", "doctor"}
    loud = {
        f"{file.name}: {name}"
        for file, name, at_top in imports()
        if at_top and name.startswith("fontgen.zi2zi.") and part_of(file) != "zi2zi"
    }
    assert {entry.split(": ")[1].split(".")[2].split("_")[-1] for entry in loud} <= {"settings", "header"}


def test_recipes_and_stages_load_without_torch() -> None:
    modules = "fontgen.pipeline, fontgen.zi2zi.header, fontgen.zi2zi.health, fontgen.zi2zi.keeping"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
