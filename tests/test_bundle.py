"""The bundle on disk: written whole or not at all, hashed, versioned, and never outside its folder."""

import errno
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from genrec.bundle import FORMAT, Bundle, Manifest
from genrec.catalog import Catalog
from genrec.errors import BundleError, CorruptBundle, NewerBundle, StorageError
from genrec.items.index import ItemIndex
from genrec.items.space import ItemSpace
from genrec.prompting import load_prompts
from genrec.resources import folder
from genrec.sharing import copy_bundle

ROOT = Path(__file__).resolve().parents[1]
CATALOG = Catalog.from_table(pl.DataFrame({"item_id": ["tea", "jam"], "title": ["Tea", "果酱"], "year": [1990, 2001]}))
INDEX = ItemIndex(["tea", "jam"], np.array([[3, 1], [0, 2]]), (4, 4), np.ones((2, 4, 2), dtype=np.float32))
SPACE = ItemSpace.fit(np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32))
MANIFEST = Manifest(
    base="scratch", language="zh", window=20, context=64, split="global time", data_hash="abc", seed=7
)  # fmt: skip


def weights(new: Path) -> None:
    (new / "model").mkdir()
    save_file({"w": np.arange(6, dtype=np.float32)}, str(new / "model" / "model.safetensors"))


def write(out: Path, fill: Callable[[Path], None] = weights, index: ItemIndex = INDEX) -> Bundle:
    prompts = load_prompts(folder("prompts"), "zh")
    return Bundle.write(
        out, MANIFEST, catalog=CATALOG, index=index, space=SPACE, prompts=prompts, weights=fill, card="# Card"
    )  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write(tmp_path / "bundle")


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def rewrite(out: Path, **changes: Any) -> None:
    data = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    (out / "manifest.json").write_text(json.dumps(data | changes), encoding="utf-8")


def test_what_was_written_is_read(bundle: Bundle) -> None:
    again = Bundle.open(str(bundle.folder))
    assert again.manifest == bundle.manifest
    assert again.catalog.table.equals(CATALOG.table)
    assert (again.index.version, again.index.item_ids) == (INDEX.version, ["tea", "jam"])
    text = np.array([[0.5, 0.5, 0]], dtype=np.float32)
    assert again.space.vectors(text).tolist() == SPACE.vectors(text).tolist()
    assert again.prompts.language == "zh"
    assert again.prompts["next_item"].prompt == load_prompts(folder("prompts"), "zh")["next_item"].prompt
    assert load_file(str(again.folder / "model" / "model.safetensors"))["w"].tolist() == [0, 1, 2, 3, 4, 5]
    assert (again.folder / "README.md").read_text(encoding="utf-8") == "# Card"


def test_reasons_in_other_languages_bring_their_prompts(tmp_path: Path) -> None:
    prompts = load_prompts(folder("prompts"), "zh", ["en"])
    manifest = MANIFEST.model_copy(update={"reasons_in": ("en",)})
    parts: dict[str, Any] = {"catalog": CATALOG, "index": INDEX, "space": SPACE, "prompts": prompts, "weights": weights}
    again = Bundle.open(Bundle.write(tmp_path / "bundle", manifest, **parts).folder)
    assert [one.language for one in again.prompts.every] == ["zh", "en"]
    assert again.prompts.beside["en"]["explain"].prompt == load_prompts(folder("prompts"), "en")["explain"].prompt


def test_the_manifest_hashes_every_other_file(bundle: Bundle) -> None:
    files = content(bundle.folder)
    del files["manifest.json"]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == bundle.manifest.files
    assert {"catalog.parquet", "README.md", "model/model.safetensors", "prompts/zh/next_item.yaml"} <= set(files)
    assert bundle.manifest.format == FORMAT
    assert bundle.manifest.packages["numpy"] == np.__version__
    assert bundle.manifest.written_by


def test_the_version_is_that_of_the_content(bundle: Bundle, tmp_path: Path) -> None:
    assert Bundle.open(bundle.folder).version == bundle.version == copy_bundle(bundle.folder, tmp_path / "copy").version

    def other(new: Path) -> None:
        save_file({"w": np.zeros(6, dtype=np.float32)}, str(new / "model.safetensors"))

    assert write(tmp_path / "other", other).version != bundle.version


def test_every_flipped_byte_is_found_and_its_file_named(bundle: Bundle) -> None:
    for name in bundle.manifest.files:
        path = bundle.folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(CorruptBundle, match=f"not what was written.*'{name}'") as found:
            Bundle.open(bundle.folder)
        assert found.value.value == name
        path.write_bytes(whole)
    Bundle.open(bundle.folder)


def test_every_missing_file_is_found_and_named(bundle: Bundle) -> None:
    for name in bundle.manifest.files:
        (bundle.folder / name).rename(bundle.folder / "away")
        with pytest.raises(CorruptBundle, match=f"is missing.*'{name}'"):
            Bundle.open(bundle.folder)
        (bundle.folder / "away").rename(bundle.folder / name)


def test_a_file_that_was_cut_off(bundle: Bundle) -> None:
    path = bundle.folder / "catalog.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptBundle, match="copy the bundle again"):
        Bundle.open(bundle.folder)
    assert Bundle.open(bundle.folder, verify=False).manifest == bundle.manifest


def test_a_newer_format_is_refused_with_the_version_that_reads_it(bundle: Bundle) -> None:
    rewrite(bundle.folder, format=FORMAT + 1, written_by="9.8.7", shape_of_things_to_come=True)
    with pytest.raises(NewerBundle, match=r"later format.*use genrec 9\.8\.7 or newer"):
        Bundle.open(bundle.folder)
    rewrite(bundle.folder, written_by="")
    with pytest.raises(NewerBundle, match="use genrec of a later version"):
        Bundle.open(bundle.folder)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BundleError, match=r"not a bundle.*genrec train"):
            Bundle.open(place)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"{}", b'{"format": "x"}', b'{"format": Infinity}', bytes([255])]
)
def test_a_manifest_that_is_none(bundle: Bundle, text: bytes) -> None:
    (bundle.folder / "manifest.json").write_bytes(text)
    with pytest.raises(CorruptBundle, match="manifest"):
        Bundle.open(bundle.folder)


@pytest.mark.parametrize(
    ("changes", "said"), [({"window": "wide"}, "window"), ({"seed": None}, "seed"), ({"colour": "red"}, "colour")]
)
def test_a_manifest_with_wrong_values(bundle: Bundle, changes: dict[str, Any], said: str) -> None:
    rewrite(bundle.folder, **changes)
    with pytest.raises(CorruptBundle, match=f"the manifest's {said}"):
        Bundle.open(bundle.folder)


@pytest.mark.parametrize("name", ["../secret", "model/../../secret", "{absolute}", "..\\secret", "C:\\secret"])
def test_a_manifest_names_nothing_outside_the_folder(bundle: Bundle, tmp_path: Path, name: str) -> None:
    """Even with the right hash: a copy would write there, and publishing would give it away."""
    secret = tmp_path / "secret"
    secret.write_text("token", encoding="utf-8")
    name = name.format(absolute=secret)
    rewrite(bundle.folder, files=bundle.manifest.files | {name: hashlib.sha256(b"token").hexdigest()})
    for verify in (True, False):
        with pytest.raises(CorruptBundle, match="lies outside the bundle"):
            Bundle.open(bundle.folder, verify=verify)
    with pytest.raises(CorruptBundle):
        copy_bundle(bundle.folder, tmp_path / "deep" / "copy")
    assert not (tmp_path / "deep").exists()


def test_a_new_bundle_takes_the_place_of_an_old_one(bundle: Bundle) -> None:
    def other(new: Path) -> None:
        (new / "adapter").mkdir()
        (new / "adapter" / "one.txt").write_text("1", encoding="utf-8")

    write(bundle.folder, other)
    assert Bundle.open(bundle.folder).version != bundle.version
    assert not (bundle.folder / "model").exists()
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["bundle"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert Bundle.open(write(tmp_path / "empty").folder)


@pytest.mark.parametrize("kind", ["notes", "web app", "broken manifest", "file"])
def test_what_is_no_bundle_is_left_alone(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine", encoding="utf-8")
    else:
        out.mkdir()
        text = '{"name": "app", "icons": []}' if kind == "web app" else "mine"
        (out / ("diary.txt" if kind == "notes" else "manifest.json")).write_text(text, encoding="utf-8")
    before = out.read_bytes() if out.is_file() else content(out)
    filled: list[Path] = []
    with pytest.raises(BundleError, match="something else"):
        write(out, filled.append)
    assert (out.read_bytes() if out.is_file() else content(out)) == before
    assert filled == []
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StorageError),
        (RuntimeError("the model broke"), RuntimeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_write_that_fails_midway_changes_nothing(
    tmp_path: Path, old: bool, failure: BaseException, raised: type[BaseException]
) -> None:
    out = tmp_path / "bundle"
    before = content(write(out).folder) if old else {}

    def half(new: Path) -> None:
        weights(new)
        raise failure

    with pytest.raises(raised):
        write(out, half)
    assert content(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"] * old
    if old:
        Bundle.open(out)


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    def full(new: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"still stands.*No space left.*free space"):
        write(tmp_path / "bundle", full)


def test_index_and_catalog_must_be_of_the_same_items(tmp_path: Path) -> None:
    for index in (INDEX.select(np.array([1, 0])), INDEX.select(np.array([0]))):
        with pytest.raises(BundleError, match="different items"):
            write(tmp_path / "bundle", index=index)
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_opens_without_torch(bundle: Bundle) -> None:
    program = "import sys; from genrec.bundle import Bundle; b = Bundle.open(sys.argv[1])\n"
    program += "b.index, b.catalog, b.space, b.prompts; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle.folder)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.strip() == "False", done.stderr
