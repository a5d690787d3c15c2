"""Folders written whole or not at all: aside first, flushed, then renamed. Does not know what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from safetensors import SafetensorError

from genrec.errors import StorageError


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """A new folder to fill; when the block ends well it becomes `out`, else `out` stays as it was.

    Raises StorageError when the disk is full or refuses.
    """
    with _told(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        new = aside / "new"
        with _told(out):
            new.mkdir()
            yield new
            for path in new.rglob("*"):
                _sync(path)
            _swap(new, out, aside / "old")
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_json(path: Path, data: Any) -> None:
    """Writes a file whole or not at all; raises StorageError."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}-{os.getpid()}")
        try:
            aside.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The file's hash, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _swap(new: Path, out: Path, old: Path) -> None:
    try:
        if out.exists():
            out.rename(old)
        new.rename(out)
    except BaseException:  # an interrupt, too, must not cost what stood there
        if old.exists() and not out.exists():
            old.rename(out)
        raise


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


@contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, SafetensorError) as error:
        raise StorageError(
            "the disk cannot be written; what stood there before still stands", value=str(error), where=str(out),
            remedy="free space on the disk, or choose a folder that you may write to",
        ) from error  # fmt: skip
