"""Finds the folders that ship beside the package: prompts, training, serving. Does not know what is in them."""

from __future__ import annotations

from pathlib import Path

from genrec.errors import GenrecError

FOLDERS = ("prompts", "training", "serving")
_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `name`: inside an installed package, or beside the package in a clone. Raises GenrecError."""
    clone = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else _PACKAGE / "shipped"
    places = [_PACKAGE / "shipped" / name, clone / name]
    found = [place for place in places if name in FOLDERS and place.is_dir()]
    if not found:
        raise GenrecError("no such shipped folder", value=name, allowed=", ".join(FOLDERS), remedy="reinstall genrec")
    return found[0]
