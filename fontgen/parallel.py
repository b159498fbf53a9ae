"""Per-glyph work over all cores, streamed: memory does not grow with the number of glyphs."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 16


def usable_cores() -> int:
    """Cores this process may use (containers and `taskset` counted in)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_chunk(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    return [function(item) for item in items]


def _ignore_interrupt() -> None:
    # Ctrl-C reaches the whole process group; the parent alone decides how to stop.
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None, chunk: int = _CHUNK
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`; `function` and items must be picklable.

    A forkserver (or spawn) context is used, since forking a process that holds torch's threads can
    deadlock. With few items, or one worker, everything runs in this process.
    """
    iterator = iter(items)
    first = list(islice(iterator, 4 * chunk))
    count = workers if workers is not None else usable_cores()
    if count <= 1 or len(first) < 4 * chunk:
        yield from map(function, first)
        yield from map(function, iterator)
        return

    def chunks() -> Iterator[list[Item]]:
        for start in range(0, len(first), chunk):
            yield first[start : start + chunk]
        while batch := list(islice(iterator, chunk)):
            yield batch

    method = "forkserver" if sys.platform != "win32" else "spawn"
    context = multiprocessing.get_context(method)
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_ignore_interrupt)
    try:
        waiting: list[Future[list[Result]]] = []
        for batch in chunks():
            waiting.append(executor.submit(_run_chunk, function, batch))
            if len(waiting) > 4 * count:
                yield from waiting.pop(0).result()
        while waiting:
            yield from waiting.pop(0).result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
