"""copy and push: verified, safetensors only, nothing overwritten, nothing lost when the disk is full."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from genrec import sharing
from genrec.bundle import Bundle
from genrec.errors import StorageError
from genrec.storage import sha256
from tests.helpers.running import Done, Tiny

Command = Callable[..., Done]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip_a_byte(path: Path) -> None:
    bytes_ = bytearray(path.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    path.write_bytes(bytes(bytes_))


def fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)


def test_a_copy_is_the_same_bundle(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    done = genrec_command("copy", tiny.bundle, tmp_path / "new" / "copy")
    assert done.code == 0, done.err
    assert content(tmp_path / "new" / "copy") == content(tiny.bundle)
    Bundle.open(tmp_path / "new" / "copy")


def test_a_copy_never_overwrites(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    (tmp_path / "there").mkdir()
    done = genrec_command("copy", tiny.bundle, tmp_path / "there")
    assert (done.code, "destination exists" in done.err) == (2, True)
    assert list((tmp_path / "there").iterdir()) == []


def test_a_corrupt_bundle_is_not_copied(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    broken = Path(shutil.copytree(tiny.bundle, tmp_path / "broken"))
    flip_a_byte(broken / "priors" / "priors.safetensors")
    done = genrec_command("copy", broken, tmp_path / "copy")
    assert (done.code, "CorruptBundle" in done.err) == (2, True)
    assert not (tmp_path / "copy").exists()


def test_strangers_in_the_folder_do_not_travel(tiny: Tiny, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(tiny.bundle, tmp_path / "mine"))
    (mine / "secret.txt").write_text("token", encoding="utf-8")
    sharing.copy_bundle(mine, tmp_path / "copy")
    assert "secret.txt" not in content(tmp_path / "copy")


def test_a_full_disk_leaves_no_half_copy(
    tiny: Tiny, tmp_path: Path, genrec_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_the_disk(monkeypatch)
    done = genrec_command("copy", tiny.bundle, tmp_path / "copy")
    assert (done.code, "StorageError" in done.err, "No space left" in done.err) == (2, True, True)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_published_bundle(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sharing.push_bundle(tiny.bundle, str(tmp_path / "published"))
    before = content(tmp_path / "published")
    fill_the_disk(monkeypatch)
    with pytest.raises(StorageError):
        sharing.push_bundle(tiny.bundle, str(tmp_path / "published"))
    assert content(tmp_path / "published") == before


def test_a_full_disk_while_training_saves_leaves_the_old_bundle(tiny: Tiny, tmp_path: Path) -> None:
    old = Bundle.open(shutil.copytree(tiny.bundle, tmp_path / "bundle"))
    before = content(old.folder)

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError):
        Bundle.write(
            old.folder, old.manifest, catalog=old.catalog, index=old.index, space=old.space, prompts=old.prompts,
            weights=full,
        )  # fmt: skip
    assert content(old.folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_pushed_to_a_folder_the_model_loads_with_plain_transformers(
    tiny: Tiny, tmp_path: Path, genrec_command: Command
) -> None:
    done = genrec_command("push", "--bundle", tiny.bundle, tmp_path / "published")
    assert done.code == 0, done.err
    assert "pushed to the folder" in done.out
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "published" / "model")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "published" / "model")
    code = tokenizer.convert_tokens_to_ids("<a_0>")
    assert tokenizer.convert_ids_to_tokens(code) == "<a_0>"
    with torch.inference_mode():
        assert model(torch.tensor([[code]])).logits.shape[-1] > code
    assert not [name for name in content(tmp_path / "published") if name.endswith((".bin", ".pt", ".pkl"))]


def test_a_push_takes_the_place_of_a_bundle_but_of_nothing_else(tiny: Tiny, tmp_path: Path) -> None:
    target = tmp_path / "published"
    target.mkdir()
    (target / "diary.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(Exception, match="something else"):
        sharing.push_bundle(tiny.bundle, str(target))
    (target / "diary.txt").unlink()
    assert sharing.push_bundle(tiny.bundle, str(target)) == sharing.push_bundle(tiny.bundle, str(target))


def test_pickles_are_not_published(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    mine = Path(shutil.copytree(tiny.bundle, tmp_path / "mine"))
    (mine / "model" / "extra.bin").write_bytes(b"pickle")
    manifest = json.loads((mine / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["model/extra.bin"] = sha256(mine / "model" / "extra.bin")
    (mine / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = genrec_command("push", "--bundle", mine, tmp_path / "published")
    assert (done.code, "safetensors only" in done.err) == (2, True)


def test_the_hub_without_network_teaches(tiny: Tiny, genrec_command: Command) -> None:
    done = genrec_command("push", "--bundle", tiny.bundle, "no-such-owner/films")
    assert (done.code, "the hub did not take" in done.err, "hf auth login" in done.err) == (2, True, True), done.err


class FakeHub:
    """Takes what huggingface_hub's HfApi would send."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}

    def create_repo(self, name: str, *, exist_ok: bool, private: bool) -> None:
        self.sent |= {"name": name, "private": private}

    def upload_folder(self, **sent: Any) -> str:
        self.sent |= sent
        return "https://hub/films"


def test_to_the_hub_goes_what_the_manifest_names(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub()
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    assert sharing.push_bundle(tiny.bundle, "someone/films") == "https://hub/films"
    assert (hub.sent["name"], hub.sent["private"]) == ("someone/films", True)
    files = Bundle.open(tiny.bundle).manifest.files
    assert set(hub.sent["allow_patterns"]) == {"manifest.json", *files}


@pytest.mark.parametrize(
    ("target", "folder"),
    [("./a/b", True), ("/tmp/x", True), ("~/x", True), ("x", True), ("no-such-owner/x", False), ("a/b/c", True)],
)
def test_what_counts_as_a_folder(target: str, folder: bool) -> None:
    assert sharing.is_folder(target) is folder
