"""The command line: `genrec …`. Every command is a thin library call; no command loads torch before it needs it.

Does not know how anything is done.
"""

from __future__ import annotations

from genrec.terminal import guarded

__all__ = ["main"]


def main() -> None:
    """The entry point. A GenrecError becomes a red panel and exit code 2."""
    from genrec.cli.app import application

    with guarded():
        application()()
