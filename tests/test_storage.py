"""Folders and files written whole or not at all, whatever happens midway."""

import errno
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from genrec import storage
from genrec.errors import GenrecError, StorageError
from genrec.storage import replaced, sha256, write_json


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(out: Path, text: str) -> None:
    with replaced(out) as new:
        (new / "deep").mkdir()
        (new / "deep" / "file.txt").write_text(text, encoding="utf-8")


def fail(out: Path, failure: BaseException) -> None:
    with replaced(out) as new:
        (new / "half.txt").write_text("half", encoding="utf-8")
        raise failure


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out"
    with replaced(out) as new:
        (new / "one.txt").write_text("1", encoding="utf-8")
        assert not out.exists()
        assert new.parent.parent == out.parent  # the same file system, so that a rename is enough
    assert names(out) == ["one.txt"]
    assert names(out.parent) == ["out"]


def test_an_old_folder_stays_until_the_end_and_then_goes_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "old")
    (out / "only-old.txt").write_text("", encoding="utf-8")
    with replaced(out) as new:
        assert names(out) == ["deep", "only-old.txt"]
        (new / "new.txt").write_text("", encoding="utf-8")
    assert names(out) == ["new.txt"]
    assert names(tmp_path) == ["out"]


def test_nothing_put_in_is_an_empty_folder(tmp_path: Path) -> None:
    with replaced(tmp_path / "out"):
        pass
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("failure", [ValueError("bad"), KeyboardInterrupt(), SystemExit(3), GenrecError("ours")])
def test_a_failure_passes_through_and_leaves_what_was(tmp_path: Path, failure: BaseException) -> None:
    out = tmp_path / "out"
    fill(out, "old")
    with pytest.raises(type(failure)) as found:
        fail(out, failure)
    assert found.value is failure
    assert names(tmp_path) == ["out"]
    assert (out / "deep" / "file.txt").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), pl.exceptions.ComputeError("No space")])
def test_a_disk_that_refuses_becomes_a_storage_error(tmp_path: Path, failure: Exception) -> None:
    with pytest.raises(StorageError, match=r"still stands.*No space") as found:
        fail(tmp_path / "out", failure)
    assert found.value.where == str(tmp_path / "out")
    assert names(tmp_path) == []


@pytest.mark.parametrize("broken", ["_sync", "mkdtemp"])
def test_a_disk_that_refuses_before_or_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    out = tmp_path / "out"
    fill(out, "old")
    monkeypatch.setattr(storage if broken == "_sync" else tempfile, broken, full)
    with pytest.raises(StorageError):
        fill(out, "new")
    assert names(tmp_path) == ["out"]
    assert (out / "deep" / "file.txt").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_a_rename_that_fails_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    out, rename = tmp_path / "out", Path.rename
    fill(out, "old")

    def second_fails(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise failure
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        fill(out, "new")
    assert names(tmp_path) == ["out"]
    assert (out / "deep" / "file.txt").read_text(encoding="utf-8") == "old"


def test_every_file_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    fsync = os.fsync

    def noted(number: int) -> None:
        flushed.append(number)
        fsync(number)

    monkeypatch.setattr(os, "fsync", noted)
    fill(tmp_path / "out", "text")
    assert flushed


def test_a_place_below_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError):
        fill(tmp_path / "file" / "out", "text")
    with pytest.raises(StorageError):
        write_json(tmp_path / "file" / "out.json", {})


def test_json_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "facts.json"
    write_json(path, {"title": "果酱", "n": [1, 2]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"title": "果酱", "n": [1, 2]}
    assert "果酱" in path.read_text(encoding="utf-8")
    write_json(path, [])
    assert json.loads(path.read_text(encoding="utf-8")) == []
    assert names(path.parent) == ["facts.json"]


def test_json_that_cannot_be_written_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"old": True})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError):
        write_json(path, {"new": True})
    assert json.loads(path.read_text(encoding="utf-8")) == {"old": True}
    assert names(tmp_path) == ["facts.json"]


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"tea" * 100_000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"tea" * 100_000).hexdigest()
