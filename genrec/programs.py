"""Runs the shipped training programs with this Python. Does not know what they do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from genrec.resources import folder
from genrec.terminal import BAD, ProgramError


def run_training(program: str, arguments: Sequence[str]) -> None:
    """Runs `training/<program>`, its progress on this terminal; raises ProgramError when it does not end well."""
    path = folder("training") / program
    status = subprocess.run([sys.executable, str(path), *arguments], check=False, env=_environment()).returncode
    if status:
        error = ProgramError(
            f"{program} ended before its time", value=f"exit status {status}",
            remedy="read what it said above; --resume goes on from the last checkpoint",
        )  # fmt: skip
        error.told = status == BAD
        raise error


def _environment() -> dict[str, str]:
    """In a clone that is not installed the program finds the same genrec as we are."""
    clone = Path(__file__).resolve().parents[1]
    if not (clone / "pyproject.toml").is_file():
        return dict(os.environ)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(clone), *filter(None, [os.environ.get("PYTHONPATH")])])}
