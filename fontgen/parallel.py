"""Per-glyph work over all cores, streamed: memory does not grow with the number of glyphs."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from fontgen.errors import WorkspaceError

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 16
_FEW = 64
"""Up to this many items are done in this process: starting workers costs about as much."""

MANY_GLYPHS = 1000
"""A font of more is worth a worker for each of its files."""

_PRELOADED = ["fontgen.glyphs.render", "fontgen.outlines.folder", "fontgen.fonts.join"]
"""Imported once by the server that workers are forked from; each of them would take most of a second over it. What the
first job that starts the server needs besides comes to them."""

_REUSED_BYTES = 128 << 20
_LARGEST_REUSED_BYTES = 32 << 20  # glibc takes no more
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)

_OBJECTS_BETWEEN_COLLECTIONS = 50_000  # a glyph takes some thousand short-lived ones, which no cycle holds


def usable_cores() -> int:
    """Cores this process may use (containers and `taskset` counted in)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def total_memory_gb() -> float | None:
    """Physical memory, or the limit of the container where that is lower; None where neither can be told."""
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    for limit_file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            physical = min(physical, int(Path(limit_file).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue  # no such control group, or "max": no limit
    return physical / 2**30


_work: Callable[[Any], Any]


def _start_worker(function: Callable[[Any], Any]) -> None:
    global _work
    _work = function  # sent once a worker, so that what it opens stays open
    # Ctrl-C reaches the whole process group; the parent alone decides how to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reuse_freed_memory()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _reuse_freed_memory() -> None:
    """Let glibc keep what arrays leave: memory fresh from the kernel is cleared first, a seventh of a tracer's time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _REUSED_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_REUSED_BYTES)


def _start_server() -> None:
    """Start the server that workers are forked from, unless it runs, where matrix products take one thread.

    There is a worker for every core already: on two cores, threads that wait for each other cost the gate's workers
    half of their time.
    """
    from multiprocessing import forkserver  # there is none on Windows

    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the libraries behind numpy read once, when they are loaded."""


def _home(function: Callable[[Any], Any]) -> list[str]:
    """The module that workers need for a function, where the server can import it too."""
    return [name] if (name := function.__module__) != "__main__" else []


def _run_chunk(items: list[Any]) -> list[Any]:
    return [_work(item) for item in items]


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    chunk: int = _CHUNK,
    few: int = _FEW,
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`; `function` and items must be picklable.

    A forkserver (or spawn) context is used, since forking a process that holds torch's threads can
    deadlock. Up to `few` items, and with one worker all, are done in this process. `chunk` items travel together.
    Raises WorkspaceError when a worker is killed.
    """
    iterator = iter(items)
    first = list(islice(iterator, few))
    count = workers if workers is not None else usable_cores()
    if count <= 1 or len(first) < few:
        yield from map(function, chain(first, iterator))
        return
    everything = chain(first, iterator)
    context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    context.set_forkserver_preload([*_PRELOADED, *_home(function)])
    if sys.platform != "win32":
        _start_server()
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=(function,))
    try:
        waiting: deque[Future[list[Result]]] = deque()
        while batch := list(islice(everything, chunk)):
            waiting.append(executor.submit(_run_chunk, batch))
            if len(waiting) > 4 * count:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise WorkspaceError(
            "a worker process was killed, most likely because memory ran out; close other programs and run the same "
            "command again: finished work is kept"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
