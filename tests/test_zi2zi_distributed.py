"""Several processes train and draw as one does: real torchrun, two processes, gloo."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from tiny_build import Project, half_written, make_project
from tiny_pairs import bar_pairs
from two_processes import gradients

from fontgen.cli import main
from fontgen.zi2zi.data import PairBatches
from fontgen.zi2zi.distributed import Team
from fontgen.zi2zi.header import describe_checkpoint
from fontgen.zi2zi.settings import TrainSettings

TESTS = Path(__file__).parent
TRAIN = """\
[train]
steps = {steps}
batch_size = {batch_size}
log_every = 1
evaluate_every = {evaluate_every}
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def torchrun(*arguments: str | Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    return subprocess.Popen(
        [*command, str(free_port()), *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Fonts and a recipe whose pairs are drawn already."""
    project = make_project(tmp_path_factory.mktemp("torchrun") / "project")
    write(project)
    assert fontgen(project, "pairs").exit_code == 0
    return project


def write(project: Project, *, batch_size: int = 4, steps: int = 4, evaluate_every: int = 2) -> None:
    project.write(train=TRAIN.format(steps=steps, batch_size=batch_size, evaluate_every=evaluate_every))
    with project.recipe.open("a", encoding="utf-8") as file:
        file.write(f'\n[infer]\npasses = 2\n\n[output]\nfolder = "{project.out}"\n')


def fontgen(project: Project, command: str) -> Result:
    return CliRunner().invoke(main, [command, str(project.recipe)])


def own_lines(stderr: str) -> list[str]:
    """What fontgen said at the end, without torchrun's reports of exit codes."""
    return [line for line in stderr.splitlines() if line.startswith(("error:", "stopped;"))]


def images_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 400
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def step_of(project: Project) -> int:
    """The last step that was logged."""
    metrics = project.out / "train" / "metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    return max((json.loads(line)["step"] for line in lines[:-1]), default=0)


def train_a_little(project: Project) -> list[int]:
    """The steps logged by two more steps of training in this process, which a signal ends."""
    from fontgen.zi2zi.metrics import MetricsLog

    steps: list[int] = []
    append = MetricsLog.append

    def interrupting(self: MetricsLog, line: dict[str, Any]) -> dict[str, Any]:
        steps.append(line["step"])
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return append(self, line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetricsLog, "append", interrupting)
        assert fontgen(project, "train").exit_code == 130
    return steps


def test_two_processes_give_the_gradients_of_one_with_the_double_batch(tmp_path: Path) -> None:
    process = torchrun(TESTS / "two_processes.py", tmp_path, folder=tmp_path)
    _, stderr = process.communicate(timeout=400)
    assert process.returncode == 0, stderr
    expected = gradients()
    assert {name.partition(".")[0] for name in expected} == {"generator", "discriminator"}
    for rank in range(2):
        found = load_file(tmp_path / f"{rank}.safetensors")
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4)


def test_every_process_takes_its_part_of_every_batch() -> None:
    pairs = bar_pairs()
    settings = TrainSettings(batch_size=2, augment_shift_em=0.05, augment_weight_em=0.02)
    alone = PairBatches(pairs, settings.model_copy(update={"batch_size": 6}), torch.device("cpu"))
    parts = [PairBatches(pairs, settings, torch.device("cpu"), Team(rank, 3)) for rank in range(3)]
    for step in range(5):
        whole = alone.next(np.random.default_rng(step))
        shares = [part.next(np.random.default_rng(step)) for part in parts]
        for index, tensor in enumerate(whole):
            assert torch.equal(tensor, torch.cat([share[index] for share in shares]))


def test_torchrun_trains_and_draws_as_one_process_does(drawn: Project, tmp_path: Path) -> None:
    alone, together = drawn.copy(tmp_path / "alone"), drawn.copy(tmp_path / "together")
    write(alone, batch_size=4)
    write(together, batch_size=2)
    process = torchrun("-m", "fontgen", "infer", together.recipe, folder=tmp_path)
    _, stderr = process.communicate(timeout=400)
    assert process.returncode == 0, stderr
    assert stderr.count("train: not made yet, running") == 1
    assert fontgen(alone, "train").exit_code == 0

    first, second = (project.out / "train" / "latest.safetensors" for project in (alone, together))
    assert describe_checkpoint(first)["step"] == describe_checkpoint(second)["step"] == 4
    one, other = load_file(first), load_file(second)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=2e-3, rtol=0.0)
    lines = [json.loads(line) for line in (together.out / "train" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "l1" in line] == [1, 2, 3, 4]

    shared = images_of(together.out / "infer")
    manifest = json.loads((together.out / "infer" / "manifest.json").read_text())
    assert len(shared) == 7
    assert all(record["uncertainty"] > 0 for record in manifest["glyphs"].values()), "who drew it says how surely"
    for path in (together.out / "infer").iterdir():
        if path.is_file():
            path.unlink()
    assert fontgen(together, "infer").exit_code == 0
    assert images_of(together.out / "infer") == shared
    assert json.loads((together.out / "infer" / "manifest.json").read_text()) == manifest


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
def test_a_fault_that_all_find_is_said_by_the_leading_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str, lines: int
) -> None:
    for name, value in (("LOCAL_RANK", rank), ("RANK", rank), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["train", str(tmp_path / "missing.toml")])
    assert result.exit_code == 2
    assert len(own_lines(result.stderr)) == lines


def test_sigterm_saves_once_a_killed_worker_loses_nothing_and_resume_takes_the_same_batch(
    drawn: Project, tmp_path: Path
) -> None:
    project = drawn.copy(tmp_path / "project")
    write(project, batch_size=2, steps=100_000, evaluate_every=100_000)
    state = project.out / "train" / "trainer.safetensors"

    process = torchrun("-m", "fontgen", "train", project.recipe, folder=tmp_path)
    wait_for(lambda: step_of(project) >= 3, process)
    assert not state.exists()
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=400)
    assert process.returncode != 0
    assert own_lines(stderr) == ["stopped; what was finished is kept: run the same command again to go on"], stderr
    saved = describe_checkpoint(project.out / "train" / "latest.safetensors")["step"]
    assert saved >= 3

    process = torchrun("-m", "fontgen", "train", project.recipe, folder=tmp_path)
    wait_for(lambda: step_of(project) >= saved + 3, process)
    leader = json.loads((project.out / "lock.json").read_text())["pid"]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (worker,) = (int(pid) for pid in children if int(pid) != leader)
    os.kill(worker, signal.SIGKILL)
    _, stderr = process.communicate(timeout=400)
    assert process.returncode != 0
    assert "  going on with the interrupted training" in stderr
    assert len(own_lines(stderr)) == 1, stderr
    assert "another process of this run ended without a word (killed, or out of memory)" in own_lines(stderr)[0]
    kept = describe_checkpoint(project.out / "train" / "latest.safetensors")["step"]
    assert kept >= saved + 3, "the steps since the last checkpoint are kept"
    assert not half_written(project.out)

    refused = fontgen(project, "train")
    assert refused.exit_code == 1
    assert "was trained with 4 pairs a step, now it is 2 (1 processes x batch_size 2 x accumulate 1)" in refused.stderr

    write(project, batch_size=4, steps=100_000, evaluate_every=100_000)
    steps = train_a_little(project)
    assert steps[0] == kept + 1, "one process with the double batch goes on"
