"""What a command says while it works: a bar on a terminal, plain lines elsewhere, warnings as notes.

Progress and notes go to stderr; stdout carries results only, so that they can be piped.
"""

import json
import logging
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

import click

from rearrange.errors import CancelledError

__all__ = ["Console", "Interrupt", "show_json"]

_BAR_WIDTH = 24
_REDRAW_S = 0.1


class Interrupt:
    """Ctrl-C, remembered: a library that swallows it, or makes another error of it, does not go on for long.

    While the context lasts, SIGINT raises KeyboardInterrupt, as ever, and sets `seen`; the next progress report
    then stops the work. An import is not broken off, unless Ctrl-C comes again: libraries abort the process when
    they are, and CPython ends with SIGINT where one came while code from a string was run, as imports do.
    """

    seen = False

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator[None]:
        cls.seen = False
        before = signal.signal(signal.SIGINT, cls._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before or signal.SIG_DFL)

    @classmethod
    def _handle(cls, number: int, frame: FrameType | None) -> None:
        again, cls.seen = cls.seen, True
        if again or not _is_importing(frame):
            raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


class Console:
    """A Progress, and the place where log records go while a command runs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._drawn_at = 0.0
        self._shown = ""  # the bar's text on a terminal, the last stage elsewhere
        self._prefix = ""
        self._noted: set[str] = set()

    def __call__(self, fraction: float, message: str) -> None:
        """Report progress; `message` is `stage: what it does`.

        Raises
        ------
        CancelledError : Ctrl-C has been pressed.
        """
        if Interrupt.seen:
            raise CancelledError("stopped")
        if self._is_terminal:
            now = time.monotonic()
            if now - self._drawn_at < _REDRAW_S and fraction < 1.0:
                return
            self._drawn_at = now
            filled = round(_BAR_WIDTH * fraction)
            full, empty = ("█", "░") if "utf" in (self._stream.encoding or "").lower() else ("#", "-")
            bar = full * filled + empty * (_BAR_WIDTH - filled)
            width = shutil.get_terminal_size().columns - 1
            self._draw(f"{self._prefix}{bar} {fraction:4.0%} {message}"[:width])
            return
        stage, _, state = message.partition(": ")
        line = f"{self._prefix}{stage}"
        if state.startswith("up to date"):
            self._stream.write(f"{line}: {state}\n")
        elif line != self._shown:
            self._stream.write(f"{line} ...\n")
        self._shown = line
        self._stream.flush()

    def note(self, text: str) -> None:
        """Print a line above the bar, once."""
        if f"{self._prefix}{text}" in self._noted:
            return
        self._noted.add(f"{self._prefix}{text}")
        bar = self._shown
        self.clear()
        self._stream.write(f"{self._prefix}{text}\n")
        if self._is_terminal and bar:
            self._draw(bar)
        self._stream.flush()

    def clear(self) -> None:
        """Wipe the bar from the terminal."""
        if self._is_terminal and self._shown:
            self._stream.write("\r" + " " * len(self._shown) + "\r")
            self._stream.flush()
            self._shown = ""

    @contextmanager
    def item(self, name: str) -> Iterator[None]:
        """Put a name before all that is said, for one of several songs."""
        self._prefix, self._shown = f"{name}: ", ""
        try:
            yield
        finally:
            self.clear()
            self._prefix = ""

    def _draw(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(len(self._shown)))
        self._stream.flush()
        self._shown = text

    @contextmanager
    def listening(self) -> Iterator["Console"]:
        """Show warnings of the package's modules as notes, and leave a clean line at the end."""
        handler = _NoteHandler(self)
        package = logging.getLogger("rearrange")
        propagate, package.propagate = package.propagate, False
        package.addHandler(handler)
        try:
            yield self
        finally:
            package.removeHandler(handler)
            package.propagate = propagate
            self.clear()


class _NoteHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.note(f"note: {record.getMessage()}")


def show_json(value: Mapping[str, object]) -> None:
    """Print a result for machines."""
    click.echo(json.dumps(value, indent=1, allow_nan=False))
