"""What a run says while it works: a bar on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Update = Callable[[int, str], None]
"""(done so far, a few words about it)."""

_QUIET_SECONDS = 10.0
"""Off a terminal, long work says something about this often."""


class Talk:
    """Says lines and shows progress. `quiet` keeps only what must be read."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: str) -> None:
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, label: str, total: int, *, done: int = 0) -> Iterator[Update]:
        """Show progress up to `total` while the block runs; `done` is what an interrupted run had done before."""
        if self.quiet or total <= 0:
            yield lambda done, words: None
        elif sys.stderr.isatty():
            yield from self._bar(label, total, done)
        else:
            yield from self._lines(label, total, done)

    def _bar(self, label: str, total: int, before: int) -> Iterator[Update]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total, completed=before, words="")
            yield lambda done, words: bar.update(task, completed=done, words=words)

    def _lines(self, label: str, total: int, before: int) -> Iterator[Update]:
        started = last = time.monotonic()

        def update(done: int, words: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _QUIET_SECONDS and done > before:
                last = now
                left = (now - started) / (done - before) * (total - done)
                self.line(f"  {label} {done}/{total} {words} ({_duration(left)} left)")

        yield update


def _duration(seconds: float) -> str:
    """`48 s`, `12 min` or `3 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
