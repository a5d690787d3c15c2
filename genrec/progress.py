"""How far something long has come and how long it still takes: a bar on the terminal, where a program asked for one.

A call of the library draws nothing: the program says `watch()` first. Nothing is drawn where standard error is no
terminal. Does not know what takes so long.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_console: ContextVar[Console | None] = ContextVar("console", default=None)

At = Callable[[float], None]
"""Takes the share that is done, from 0 to 1."""


def watch(quiet: bool = False) -> None:
    """From here on bars are drawn on standard error, where that is a terminal that can; `quiet`: they are not."""
    console = Console(stderr=True)
    _console.set(console if console.is_interactive and not quiet else None)


@contextmanager
def bar(what: str) -> Iterator[At]:
    """A bar with the time left, gone when it is done; within it no other is drawn."""
    console = _console.get()
    if console is None:
        yield lambda share: None
        return
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as drawn:
        task, token = drawn.add_task(what, total=1.0), _console.set(None)
        try:
            yield lambda share: drawn.update(task, completed=min(share, 1.0))
        finally:
            _console.reset(token)


def along(what: str, total: int, step: int) -> Iterator[int]:
    """`range(0, total, step)` under a bar."""
    with bar(what) as at:
        for start in range(0, total, step):
            at(start / total)
            yield start


def log_lines() -> None:
    """The log as lines with the time of day on standard error; while a bar is drawn they stand above it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=[_Lines()])


class _Lines(logging.Handler):
    """Asks for standard error anew each time, for a bar takes its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)
