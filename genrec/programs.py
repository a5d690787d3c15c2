"""Runs the shipped programs of training/ and serving/ with this Python. Does not know what they do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from genrec.resources import folder
from genrec.terminal import BAD, ProgramError

STDERR = 2
"""The file descriptor: standard output is for what a command was asked for."""


def run_training(program: str, arguments: Sequence[str]) -> None:
    """Runs `training/<program>`, all it says on standard error; raises ProgramError when it does not end well."""
    path = folder("training") / program
    words = [sys.executable, str(path), *arguments]
    status = subprocess.run(words, check=False, env=_environment(), stdout=STDERR).returncode
    if status:
        error = ProgramError(
            f"{program} ended before its time", value=f"exit status {status}",
            remedy="read what it said above; --resume goes on from the last checkpoint",
        )  # fmt: skip
        error.told = status == BAD
        raise error


def become_serving(module: str, arguments: Sequence[str]) -> NoReturn:
    """This process becomes `python -m serving…`, so that whoever ends it ends the server. Does not come back."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], _environment(folder("serving").parent))


def run_serving(module: str, arguments: Sequence[str]) -> None:
    """Runs `python -m serving…` to its end, all it says on standard error; raises ProgramError, which has been told,
    when that is a bad one."""
    words = [sys.executable, "-m", module, *arguments]
    status = subprocess.run(words, check=False, env=_environment(folder("serving").parent), stdout=STDERR).returncode
    if status:
        error = ProgramError(f"{module} ended before its time", value=f"exit status {status}")
        error.told = status == BAD
        raise error


def ask_serving(module: str, arguments: Sequence[str]) -> str:
    """What `python -m serving…` prints; raises ProgramError, which has been told, where it does not end well."""
    words = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        words, check=False, env=_environment(folder("serving").parent), stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        error = ProgramError(f"{module} ended before its time", value=f"exit status {done.returncode}")
        error.told = done.returncode == BAD
        raise error
    return done.stdout


def _environment(*first: Path) -> dict[str, str]:
    """In a clone that is not installed the program finds the same genrec as we are; `first` is looked at before."""
    clone = Path(__file__).resolve().parents[1]
    places = [str(place) for place in first]
    places += [str(clone)] if (clone / "pyproject.toml").is_file() else []
    if not places:
        return dict(os.environ)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH")])])}
