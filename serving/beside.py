"""Bundles that are served by name beside the main one: those that lie in one folder, each under its own folder's name.

They speak of the main bundle's catalog, so an edit of it counts for all. Knows no engine and no HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.errors import BundleError, CorruptBundle, GenrecError
from serving.live import Live
from serving.logs import say
from serving.schemas.shared import MODEL

_NAME = re.compile(r"[\w-][\w.-]{0,99}")


def lying(place: Path | None) -> dict[str, Path]:
    """Name → folder of every bundle that lies there, by its manifest alone; hidden folders are none."""
    if place is None or not place.is_dir():
        return {}
    found = sorted(place.glob("*/manifest.json"))
    return {path.parent.name: path.parent for path in found if not path.parent.name.startswith(".")}


def opened(folder: Path, catalog: Catalog) -> Bundle:
    """The bundle of this folder, if it can be served by the folder's name beside one of this catalog.

    Raises BundleError and its kind where it cannot.
    """
    name = folder.name
    if name == MODEL or not _NAME.fullmatch(name):
        raise BundleError(
            "this name cannot be asked for", value=name, where=str(folder), remedy="rename the folder",
            allowed=f"letters, digits, `.`, `_` and `-`; {MODEL} is the main bundle",
        )  # fmt: skip
    bundle = Bundle.open(folder)
    if not bundle.catalog.table.equals(catalog.table):
        raise BundleError(
            "a bundle beside the main one is of another catalog", value=bundle.version, where=str(folder),
            allowed="the items of the main bundle, in its order",
            remedy="train it with `genrec train --start` from the main bundle, or serve it by itself",
        )  # fmt: skip
    return bundle


@dataclass
class Beside:
    """lives: by name, over the main bundle's catalog as it is now. Replaced whole, never changed."""

    place: Path | None
    lives: Mapping[str, Live] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    """Name → version that cannot be served."""
    _told: dict[str, str] = field(default_factory=dict)
    """The same with those that may yet be whole: a copy may be under way."""

    @classmethod
    def open(cls, place: Path | None, main: Live) -> Beside:
        """Raises what keeps one of them from being served."""
        return cls(place, {name: _opened(folder, main) for name, folder in lying(place).items()})

    @property
    def folders(self) -> dict[str, Path]:
        """Version → folder of all that are served."""
        return {one.version: one.bundle.folder for one in self.lives.values()}

    def of(self, name: str) -> Live | None:
        """By name or version."""
        return self.lives.get(name) or next((one for one in self.lives.values() if one.version == name), None)

    def follow(self, main: Live, *, anew: bool = False) -> None:
        """The main catalog is another; anew: edits do not count any more that did, or the main bundle is another."""
        self.lives = dict(self._over(main)) if anew else {name: one.over(main) for name, one in self.lives.items()}

    def found(self, main: Live) -> dict[str, Live]:
        """What lies there now; what cannot be served is said once and left out, the one before it stays."""
        lives = {}
        for name, folder in lying(self.place).items():
            version, before = _version(folder), self.lives.get(name)
            if before is not None and version in ("", self._refused.get(name), before.version):
                lives[name] = before
            elif version not in ("", self._refused.get(name)):
                lives |= self._tried(name, folder, version, main)
        return lives

    def refuse(self, found: Mapping[str, Live], held: frozenset[str], error: GenrecError) -> None:
        """The engine cannot load what it does not hold yet."""
        for name, one in found.items():
            if one.version not in held:
                self._refused[name] = one.version
                self._tell(name, one.version, error)

    def _tried(self, name: str, folder: Path, version: str, main: Live) -> dict[str, Live]:
        try:
            return {name: _opened(folder, main)}
        except (GenrecError, OSError) as error:
            self._tell(name, version, error)
            if not isinstance(error, CorruptBundle | OSError):
                self._refused[name] = version
            return {name: self.lives[name]} if name in self.lives else {}

    def _tell(self, name: str, version: str, error: Exception) -> None:
        if self._told.get(name) != version:
            self._told[name] = version
            say("a bundle beside ours cannot be served", 40, error=error, name=name)

    def _over(self, main: Live) -> Iterator[tuple[str, Live]]:
        for name, one in self.lives.items():
            if one.bundle.catalog.table.equals(main.bundle.catalog.table):
                yield name, Live.open(one.bundle).over(main)
            else:
                say("a bundle beside ours is of another catalog now and rests", 40, name=name)


def _opened(folder: Path, main: Live) -> Live:
    return Live.open(opened(folder, main.bundle.catalog)).over(main)


def _version(folder: Path) -> str:
    """By the manifest alone; empty while it is being put there."""
    try:
        return Bundle.open(folder, verify=False).version
    except GenrecError:
        return ""
