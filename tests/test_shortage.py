"""Memory that runs out, and disks that fill up, during training: one line, the last checkpoint kept, and on it goes."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from tiny_build import Project, half_written, make_project

from fontgen.cli import main
from fontgen.errors import TrainingError, WorkspaceError
from fontgen.parallel import parallel_map
from fontgen.zi2zi import shortage, trainer
from fontgen.zi2zi.checkpoint import save_state
from fontgen.zi2zi.header import describe_checkpoint
from fontgen.zi2zi.memory import foretell
from fontgen.zi2zi.metrics import MetricsLog
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

CPU = torch.device("cpu")
NETWORK = NetworkSettings(ngf=8, ndf=4, max_channels=16, num_downs=3, embedding_num=2, embedding_dim=4)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A recipe of six steps of four pairs, evaluated and saved at every second one."""
    project = make_project(tmp_path / "project")
    text = project.recipe.read_text().replace("steps = 3", "steps = 6\nevaluate_every = 2")
    project.recipe.write_text(text + '\n[output]\nfolder = "out"\n')
    return project


def train(project: Project) -> Result:
    return CliRunner().invoke(main, ["train", str(project.recipe)])


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def error_line(result: Result, status: int = 1) -> str:
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


@pytest.fixture
def memory_for_two_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Larger batches than two do not fit, from the fourth step on."""
    real, steps = Networks._losses, 0

    def limited(self: Networks, batch: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps > 3 and len(batch.style_index_B) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity")
        return real(self, batch, *arguments, **named)

    monkeypatch.setattr(Networks, "_losses", limited)


def die(item: int) -> int:
    if item == 70:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_a_killed_worker_is_one_line() -> None:
    with pytest.raises(WorkspaceError, match=r"a worker process was killed, .* run the same command again"):
        list(parallel_map(die, range(100), workers=2))


@contextmanager
def disk_that_takes(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: writes fail as they do on a full disk."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", ["trainer.safetensors", "latest.safetensors", "0000004.png"])
def test_a_disk_that_fills_up_in_training_loses_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The disk is full when the second evaluation writes a checkpoint, the state or the samples."""
    whole = project.copy(project.root.parent / "whole")
    assert train(whole).exit_code == 0
    replace, seen = os.replace, 0

    def full(source: Any, target: Any) -> None:
        nonlocal seen
        if Path(target).name == name:
            seen += 1
            if seen == (1 if name.endswith(".png") else 2):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        line = error_line(train(project))
    assert f"{name}: no space left on the disk; free some space and run the same command again" in line
    assert half_written(project.root) == []
    result = train(project)
    assert result.exit_code == 0, result.output
    assert "going on with the interrupted training" in result.stderr
    for kept in ("best", "latest", "trainer"):
        assert_same_weights(project.out / "train" / f"{kept}.safetensors", whole.out / "train" / f"{kept}.safetensors")


def test_a_last_checkpoint_left_behind_is_made_up_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the last state and the last checkpoint: the next command writes what is missing."""
    real = trainer.save_generator

    def killed(path: Path, generator: Any, header: Any) -> None:
        if path.name == "latest.safetensors" and header.step == 6:
            raise SystemExit(9)
        real(path, generator, header)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "save_generator", killed)
        assert train(project).exit_code == 9
    latest = project.out / "train" / "latest.safetensors"
    assert describe_checkpoint(latest)["step"] == 4
    assert train(project).exit_code == 0
    assert describe_checkpoint(latest)["step"] == 6


def test_a_checkpoint_or_metrics_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    state = {"weights": {"w": torch.zeros(50_000)}}
    with disk_that_takes(10_000), pytest.raises(WorkspaceError, match=r"t\.safetensors: cannot be written .*free some"):
        save_state(tmp_path / "t.safetensors", state, {})
    assert list(tmp_path.iterdir()) == []
    log = MetricsLog(tmp_path, tensorboard=False)
    log.append({"step": 1, "l1": 0.5})
    with disk_that_takes(40), pytest.raises(WorkspaceError, match=r"metrics\.jsonl: cannot be written"):
        log.append({"step": 2, "l1": 0.123456})
    assert not (tmp_path / "metrics.jsonl").read_text().endswith("}\n"), "a line cut short"
    log.cut(1)
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [1]


@pytest.mark.usefixtures("memory_for_two_pairs")
def test_out_of_memory_names_what_fits_and_the_training_goes_on_with_it(project: Project) -> None:
    line = error_line(train(project))
    assert line.startswith("error: out of memory on cpu (")
    assert line.endswith(
        "with batch_size 4; batch_size = 2 and accumulate = 2 in [train] would fit, 4 pairs a step as before; "
        "the last checkpoint is kept, and the same command goes on from it"
    )
    latest = project.out / "train" / "latest.safetensors"
    assert describe_checkpoint(latest)["step"] == 2
    assert half_written(project.root) == []
    project.recipe.write_text(project.recipe.read_text().replace("batch_size = 4", "batch_size = 2\naccumulate = 2"))
    result = train(project)
    assert result.exit_code == 0, result.output
    assert "going on with the interrupted training" in result.stderr
    assert describe_checkpoint(latest)["step"] == 6
    lines = (project.out / "train" / "metrics.jsonl").read_text().splitlines()
    assert sum('"held_out"' in line for line in lines) == 3, "the first evaluation was not made again"


def test_another_effective_batch_is_another_training(project: Project) -> None:
    assert train(project).exit_code == 0
    project.recipe.write_text(project.recipe.read_text().replace("batch_size = 4", "batch_size = 2"))
    result = train(project)
    assert result.exit_code == 0, result.output
    assert "going on" not in result.stderr


@pytest.mark.parametrize(
    ("error", "is_shortage"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_only_a_lack_of_memory_is_taken_for_one(tmp_path: Path, error: Exception, is_shortage: bool) -> None:
    settings = TrainSettings(batch_size=6)

    def failing() -> None:
        with shortage.naming_what_fits(NETWORK, settings, 32, CPU, tmp_path / "trainer.safetensors"):
            raise error

    with pytest.raises(TrainingError if is_shortage else RuntimeError) as caught:
        failing()
    if is_shortage:
        assert "batch_size = 3 and accumulate = 2 in [train] would fit" in str(caught.value)
        assert "checkpoint" not in str(caught.value), "there is none yet"


def test_what_no_batch_helps_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainSettings(batch_size=2)
    least = foretell(NETWORK, settings.model_copy(update={"batch_size": 1, "accumulate": 2}), 32, CPU).peak
    monkeypatch.setattr(shortage, "room_for_tensors", lambda device: (least - 1, "a card"))
    with (
        pytest.raises(TrainingError, match=r"no smaller batch fits; `fontgen plan` names what takes less memory$"),
        shortage.naming_what_fits(NETWORK, settings, 32, CPU, tmp_path / "none"),
    ):
        raise MemoryError
