"""Finding a format's files in a folder, or taking the one file that was named. Knows names only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PACKED = ("", ".gz")


def files_of(place: Path) -> list[Path]:
    """The files of a folder by name, hidden ones left out; a file alone is itself."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.iterdir() if path.is_file() and not path.name.startswith("."))


def part(place: Path, names: Sequence[str]) -> Path | None:
    """The file of a folder that bears one of the names (earlier names first), or ends so; .gz may follow."""
    files = files_of(place)
    for name in names:
        for path in files:
            if any(path.name.endswith(name + end) for end in PACKED):
                return path
    return None


def bare_suffix(path: Path) -> str:
    """The suffix in lower case, the one before .gz if there is one."""
    return (Path(path.stem) if path.suffix == ".gz" else path).suffix.lower()
