"""Suspects are drawn again by other means, the best is kept, and nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_build import Project, built_with_checkpoint, make_project, ran

from fontgen.glyphs.gate import calibrate_gate
from fontgen.glyphs.gate_model import GateModel
from fontgen.glyphs.store import ImageFolder, image_name
from fontgen.stages import repair, retry

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def strict_gate() -> Iterator[None]:
    """The gate doubts all that the tiny networks draw, which is the source, a little worn."""

    def strict(*arguments: Any, **options: Any) -> GateModel:
        model = calibrate_gate(*arguments, **options)
        return replace(model, threshold=model.threshold + 15)  # they lie 12 to 14 above it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repair, "calibrate_gate", strict)
        yield


@pytest.fixture(scope="module")
def built(strict_gate: None, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Without retries."""
    return built_with_checkpoint(tmp_path_factory.mktemp("built") / "project", "[gate]\n")


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    return built.copy(tmp_path / "project")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many glyphs each attempt drew."""
    counts: list[int] = []

    def counting(*arguments: Any) -> list[int]:
        made = draw(*arguments)
        counts.append(len(made))
        return made

    draw = retry.draw_stale
    monkeypatch.setattr(retry, "draw_stale", counting)
    return counts


def with_retries(project: Project, count: int) -> Project:
    text = project.recipe.read_text().partition("retries")[0]
    project.recipe.write_text(f"{text}retries = {count}\n" if count else text)
    return project


def scores(project: Project) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((project.out / "gate" / "gate.json").read_text())["scores"]
    return found


def retries(project: Project) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((project.out / "retry" / "retries.json").read_text())["glyphs"]
    return found


def test_the_best_drawing_of_each_suspect_goes_into_the_font(project: Project, drawn: list[int]) -> None:
    before, font = scores(project), project.ttf.read_bytes()
    doubted = {name for name, record in before.items() if record["suspect"]}
    assert doubted
    assert with_retries(project, 2).run("--dry-run").stdout.count(f"retry      not made yet: {len(doubted)} of 7") == 1
    result = project.run()
    assert result.exit_code == 0, result.output
    assert ran(result) == ["retry", "trace", "assemble", "check", "evaluate", "proof"]
    assert scores(project) == before
    found = retries(project)
    assert found.keys() == doubted
    assert drawn[0] == len(doubted)
    for name, record in found.items():
        assert record["before"] == before[name]
        assert record["now"]["score"] == max(one["score"] for one in (record["before"], *record["tries"]))
        assert [one["means"] for one in record["tries"]] == [{"passes": 5}, {"passes": 9}][: len(record["tries"])]
    kept = {name: record["kept"]["attempt"] for name, record in found.items() if record["kept"]["attempt"]}
    assert kept
    assert project.ttf.read_bytes() != font
    for name, attempt in kept.items():
        again = ImageFolder.open(project.out / "retry" / f"clean-{attempt}")
        assert again.files[int(name[2:], 16)].read_bytes() != (project.out / "clean" / f"{name}.png").read_bytes()
    still = sum(record["now"]["suspect"] for record in found.values())
    assert f"{still} suspect" in result.stdout
    assert project.run("--strict").exit_code == (1 if still else 0)
    provenance = json.loads((project.out / "assemble" / "tiny.provenance.json").read_text())
    assert provenance["figures"]["retry"]["suspects"] == still
    # without retries the first drawings come back
    assert with_retries(project, 0).run().exit_code == 0
    assert project.ttf.read_bytes() == font


def test_an_interrupted_retry_goes_on_and_comes_to_the_same(
    built: Project, tmp_path: Path, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = (with_retries(built.copy(tmp_path / name), 2) for name in ("whole", "broken"))
    assert whole.run().exit_code == 0
    expected = list(drawn)
    assert len(expected) == 2
    clean, calls = retry.clean_stale, iter((True, False))
    with monkeypatch.context() as patch:
        patch.setattr(
            retry, "clean_stale", lambda *a: clean(*a) if next(calls) else (_ for _ in ()).throw(KeyboardInterrupt)
        )
        assert broken.run().exit_code == 130
    drawn.clear()
    assert broken.run().exit_code == 0
    assert drawn == [0, 0]
    assert broken.ttf.read_bytes() == whole.ttf.read_bytes()
    assert retries(broken) == retries(whole)
    # one more costs one more; from the beginning, all of them
    drawn.clear()
    assert with_retries(broken, 3).run().exit_code == 0
    assert drawn[:2] == [0, 0]
    assert drawn[2] == sum(len(record["tries"]) == 3 for record in retries(broken).values())
    drawn.clear()
    assert broken.run("--from", "retry").exit_code == 0
    assert drawn[:2] == expected


def test_a_lost_image_of_a_retry_alone_is_made_again(project: Project, drawn: list[int]) -> None:
    assert with_retries(project, 1).run().exit_code == 0
    font = project.ttf.read_bytes()
    name = next(name for name, record in retries(project).items() if record["kept"]["attempt"])
    (project.out / "retry" / "clean-1" / image_name(int(name[2:], 16))).unlink()
    drawn.clear()
    result = project.run()
    assert ran(result)[:1] == ["retry"]
    assert drawn == [0]
    assert project.ttf.read_bytes() == font


def test_the_runs_other_checkpoint_is_a_means(built: Project, tmp_path: Path) -> None:
    """A trained run draws the second attempt with the checkpoint that was not chosen, where it is another one."""
    import torch
    from safetensors.torch import load_file, save_file

    from fontgen.zi2zi.header import HEADER_KEY, read_metadata

    project = make_project(tmp_path / "trained")
    with project.recipe.open("a") as file:
        file.write("\n[gate]\n")
    assert project.run().exit_code == 0
    used = json.loads((project.out / "train" / "stage.json").read_text())["figures"]["checkpoint"]
    assert used == "best.safetensors"
    path = project.out / "train" / "latest.safetensors"
    metadata = read_metadata(project.out / "train" / used)
    metadata["step"] += 1
    weights = {name: tensor * 0.9 for name, tensor in load_file(project.out / "train" / used).items()}
    assert all(isinstance(tensor, torch.Tensor) for tensor in weights.values())
    save_file(weights, path, metadata={HEADER_KEY: json.dumps(metadata)})
    assert with_retries(project, 2).run().exit_code == 0
    second = [record["tries"][1]["means"] for record in retries(project).values() if len(record["tries"]) > 1]
    assert second
    assert all(means["checkpoint"].endswith("train/latest.safetensors") for means in second)
