"""The workflows of continuous integration: valid, and what they run exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_docs import parse

from fontgen.cli import main

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
IDS = [file.name for file in FILES]
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def load(file: Path) -> dict[str, Any]:
    data: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    data["on"] = data.pop(True)  # YAML 1.1 reads the key `on` as a truth value
    return data


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in load(file)["jobs"].values():
        yield from job.get("steps", [])


def lines(file: Path) -> Iterator[str]:
    """Every command of every script, continuation lines joined, expressions replaced by a word."""
    for step in steps(file):
        for line in EXPRESSION.sub("word", step.get("run", "")).replace("\\\n", " ").splitlines():
            yield line.strip()


def test_there_is_one_for_tests_one_for_tags_and_one_for_others() -> None:
    assert {"tests.yml", "release.yml", "font.yml"} <= set(IDS)
    assert {"push", "pull_request"} <= load(FOLDER / "tests.yml")["on"].keys()
    assert load(FOLDER / "release.yml")["on"]["push"]["tags"]
    assert load(FOLDER / "font.yml")["on"].keys() == {"workflow_call"}


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_jobs_are_whole(file: Path) -> None:
    data = load(file)
    assert data["permissions"]
    for job in data["jobs"].values():
        assert ("steps" in job and "runs-on" in job) or "uses" in job
        for needed in [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", []):
            assert needed in data["jobs"]
    for step in steps(file):
        assert ("run" in step) != ("uses" in step), step
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_scripts_are_valid_shell(file: Path) -> None:
    for step in steps(file):
        if "run" in step:
            script = EXPRESSION.sub("word", step["run"])
            result = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_inputs_that_are_used_are_declared(file: Path) -> None:
    data = load(file)
    declared = {name for event in data["on"].values() for name in ((event or {}).get("inputs") or {})}
    used = set(re.findall(r"inputs\.([\w-]+)", file.read_text(encoding="utf-8")))
    assert used <= declared
    for job in data["jobs"].values():
        if not job.get("uses", "").startswith("./"):
            continue
        called = load(ROOT / job["uses"])["on"]["workflow_call"]["inputs"]
        assert job["with"].keys() <= called.keys()
        assert {name for name, entry in called.items() if entry.get("required")} <= job["with"].keys()


def test_commands_of_the_workflows_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) :=", makefile, re.MULTILINE))
    seen = []
    for file in FILES:
        for line in lines(file):
            if not line.startswith(("fontgen ", "make ")):
                continue
            words = shlex.split(line.partition("|")[0])
            if words[0] == "fontgen":
                parse(words[1:])
            if words[0] == "make":
                seen.append(line)
                arguments = [word for word in words[1:] if word not in {"-f", ".fontgen/Makefile"}]
                assert {word for word in arguments if "=" not in word} <= targets, line
                assert {word.partition("=")[0] for word in arguments if "=" in word} <= variables, line
    assert any("release" in line for line in seen)
    assert any("make test" in line for line in seen)
    assert "release" in main.commands


def test_every_path_of_the_repository_that_they_name_exists() -> None:
    for file in FILES:
        for path in re.findall(r"\b(?:pipelines|scripts|docs)/[\w./-]*\w", file.read_text(encoding="utf-8")):
            assert (ROOT / path).exists(), f"{file.name}: {path}"
