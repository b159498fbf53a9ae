"""Builds in processes of their own, which end with SIGKILL at a chosen moment.

Run as a script it is the server: it runs one build itself, which imports everything, and forks a process for
each further one, so that a run costs only its own work. A moment is a number of changes to the build folder (a file
opened for writing, renamed, removed, a folder made): the process kills itself right before that change, whatever
the speed of the machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

_CHANGES = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate"}


class Killer:
    """The client: `run` starts a fontgen in a process of its own and waits for its end."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run_in_server(self, *arguments: str | Path) -> None:
        """Run a fontgen in the server's own process, once, so that those it forks have all modules."""
        self._ask(arguments, here=True)

    def run(self, *arguments: str | Path, folder: Path, kill_at: int | None = None) -> tuple[int, int]:
        """(exit status, or minus the signal that ended it; changes to `folder` that it came to)."""
        return self._ask(arguments, folder=str(folder), kill_at=kill_at)

    def _ask(self, arguments: tuple[str | Path, ...], **order: Any) -> tuple[int, int]:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        line = json.dumps({"arguments": list(map(str, arguments)), "here": False, **order})
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        status, changes = json.loads(self._server.stdout.readline())
        return status, changes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()


def _watch(folder: str, kill_at: int | None, report: int) -> None:
    changes = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        if event not in _CHANGES or not str(arguments[0]).startswith(folder):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        changes += 1
        os.pwrite(report, b"%-12d" % changes, 0)
        if changes == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _serve() -> None:
    from fontgen.cli import main

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what fontgen prints is no answer
    for line in sys.stdin:
        order = json.loads(line)
        if order["here"]:
            with suppress(SystemExit):
                main(order["arguments"])
            print(json.dumps([0, 0]), file=answers, flush=True)
            continue
        with tempfile.TemporaryFile() as report:
            child = os.fork()
            if child == 0:
                _watch(order["folder"], order["kill_at"], report.fileno())
                try:
                    main(order["arguments"])
                except SystemExit as end:
                    os._exit(int(end.code or 0))  # taking torch down properly would cost most of a run
            _, status = os.waitpid(child, 0)
            changes = int(os.pread(report.fileno(), 12, 0) or b"0")
        print(json.dumps([os.waitstatus_to_exitcode(status), changes]), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
