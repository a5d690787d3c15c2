"""What a program says when something is wrong: one red panel and an exit code, never a traceback of a known error.

Knows errors; knows no command.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from genrec.errors import GenrecError, shorten

FOUND, BAD, STOPPED = 1, 2, 130
"""Exit codes beside 0: a check found something; the input or the machine does not allow it; stopped by the user."""


class ProgramError(GenrecError):
    """A program that was started ended badly. `told`: it has said why on the terminal already."""

    told = False


@contextmanager
def guarded() -> Iterator[None]:
    """Turns a GenrecError into a panel on stderr and exit code 2, an interrupt into 130."""
    try:
        yield
    except GenrecError as error:
        if not (isinstance(error, ProgramError) and error.told):
            sys.stdout.flush()
            Console(stderr=True).print(panel(error))
        raise SystemExit(BAD) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped")
        raise SystemExit(STOPPED) from None


def panel(error: GenrecError) -> Panel:
    """The error with what was found, where, what is allowed and what to do."""
    found = "" if error.value is None else shorten(error.value)
    lines = [("where", error.where), ("found", found), ("allowed", error.allowed), ("remedy", error.remedy)]
    text = Text(error.problem, style="bold")
    for name, said in lines:
        if said:
            text.append(f"\n{name + ':':<9}", style="dim")
            text.append(said, style="not bold")
    return Panel(text, title=f"error: {type(error).__name__}", title_align="left", border_style="red")
