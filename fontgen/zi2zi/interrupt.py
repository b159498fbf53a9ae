"""Ctrl-C and SIGTERM while a network trains."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether somebody has asked to stop."""

    def __init__(self) -> None:
        self.wanted = False
        self.deaf = False
        """The process is ending with an error of its own: a signal must not cut its last words short."""

    @contextmanager
    def heard(self) -> Iterator[None]:
        """SIGINT and SIGTERM set `wanted`; a second SIGINT raises KeyboardInterrupt at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            self.wanted = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

        try:
            for number in before:
                signal.signal(number, ask_to_stop)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if self.deaf else handler)
