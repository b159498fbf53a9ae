"""A build that is killed 20 times, at any moment, ends in the font of one that never was."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from killer import Killer
from tiny_build import Project, half_written, make_project

KILLS = 20
FORMATS = ("ttf", "otf", "woff2")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    with Killer() as started:
        yield started


def fonts(folder: Path) -> list[bytes]:
    return [(folder / "assemble" / f"tiny.{suffix}").read_bytes() for suffix in FORMATS]


def test_killed_at_twenty_random_moments_every_continued_build_ends_in_the_same_bytes(
    killer: Killer, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    command = ("build", project.recipe, "--output")
    killer.run_in_server(*command, project.root / "whole")
    expected = fonts(project.root / "whole")
    changes_of_a_build = changes_of(project.root / "whole")

    dice = random.Random(20)
    killed: list[set[str]] = []
    while len(killed) < KILLS:
        # a build is killed, continued, killed again …; when it comes to its end all the same, another one begins
        shutil.rmtree(project.out, ignore_errors=True)
        status = -signal.SIGKILL
        while status == -signal.SIGKILL:
            moment = dice.randrange(1, changes_of_a_build // 3) if len(killed) < KILLS else None
            status, _ = killer.run(*command, project.out, folder=project.out, kill_at=moment)
            if status == -signal.SIGKILL:
                killed.append(finished_stages(project))
        assert status == 0
        assert fonts(project.out) == expected
        assert half_written(project.out) == []
    assert len({frozenset(stages) for stages in killed}) >= KILLS // 3, "the moments are not spread over the build"


def changes_of(folder: Path) -> int:
    """About how many changes make a build folder: each file is opened beside its place, changed and renamed."""
    return 3 * sum(path.is_file() for path in folder.rglob("*"))


def finished_stages(project: Project) -> set[str]:
    return {path.parent.name for path in project.out.glob("*/stage.json")}
