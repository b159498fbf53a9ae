"""What a piece of work takes, with all the processes that it starts: wall and processor time, memory (Linux)."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType

_EVERY_S = 0.2  # a look at all processes takes some milliseconds, which count as well


@dataclass
class Usage:
    """`with Usage() as usage: ...`; the figures stand afterwards."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of all processes together."""
    peak_mib: float = 0.0
    """Largest sum of the memory that belongs to the processes (proportional set size), five times a second."""

    def __enter__(self) -> Usage:
        self._done = threading.Event()
        self._before = _family_times()
        self._begun = time.perf_counter()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall_s = time.perf_counter() - self._begun
        self._done.set()
        self._watcher.join()
        self.cpu_s = _family_times() - self._before

    def _watch(self) -> None:
        while not self._done.is_set():
            self.peak_mib = max(self.peak_mib, sum(map(_memory_mib, _family())))
            self._done.wait(_EVERY_S)


def _family() -> list[int]:
    """This process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """State, parent, ... as in proc(5), from the third field on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _family_times() -> float:
    """Seconds of processor time of the family, the dead included: each counts in the parent that waited for it."""
    spent = [_stat(pid)[11:15] for pid in _family()]
    return sum(map(int, chain.from_iterable(spent))) / os.sysconf("SC_CLK_TCK")


def _memory_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
