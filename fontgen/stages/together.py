"""One recipe, several processes: what torchrun's processes do in turn while one of them leads the build."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fontgen.errors import FontgenError, TrainingError
from fontgen.stages import drawing, training
from fontgen.stages.build import Build

_INTERRUPTED = 130


def several() -> bool:
    """Whether torchrun has started more processes than this one."""
    return "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def together(build: Build) -> Iterator[None]:
    """Lead the other processes through the block. In those it does not return: they follow, then exit.

    Whatever ends one process ends all, with one message: the leader's, or that of the first to fail.
    """
    if not several():
        yield
        return
    from fontgen.zi2zi.distributed import join, leave

    build.team, build.device = join(build.device)
    try:
        if not build.team.leads:
            raise SystemExit(_follow(build))
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            yield
            build.team.told(None)
        finally:
            if signal.getsignal(signal.SIGTERM) is _stop:
                signal.signal(signal.SIGTERM, before)
    except FontgenError:
        build.team.say_last_words("")
        raise
    except Exception as error:
        if not build.team.is_loss(error):
            raise
        raise _explained(build.team) from error
    finally:
        leave()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _follow(build: Build) -> int:
    """Do what the leader says until it says no more: the exit status."""
    team = build.team
    build.talk.quiet = True
    work: dict[str, Callable[..., None]] = {"train": training.train_along, "infer": drawing.infer_along}
    try:
        while (order := team.told(None)) is not None:
            name, arguments = order
            work[name](build, **arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        if team.is_loss(error):
            raise _explained(team) from error
        if isinstance(error, FontgenError):
            words, status = str(error), error.exit_status
        else:
            words, status = f"{type(error).__name__}: {error}; this is a fault of fontgen", 1
        if not team.can_be_heard and team.say_last_words(""):
            raise _for_all(words) from error
        team.say_last_words(f"process {team.rank + 1} of {team.size}: {words}")
        return status
    return 0


def _explained(team: Any) -> BaseException:
    """What to end with after another process has gone: its words, once; nothing where somebody has said them."""
    words = team.last_words()
    if words is None:
        words = (
            "another process of this run ended without a word (killed, or out of memory); "
            "what was finished is kept: start the same command again to go on"
        )
        return _for_all(words) if team.leads or team.say_last_words("") else SystemExit(1)
    return TrainingError(words) if words and team.leads else SystemExit(1)


def _for_all(words: str) -> TrainingError:
    error = TrainingError(words)
    error.for_all = True
    return error
