"""Bundles on the move: a verified copy, and publishing to a folder or to the Hugging Face hub.

Only safetensors leave: no file that a reader would have to unpickle. Does not know how bundles are made or run.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from genrec.bundle import Bundle, refuse_foreign
from genrec.errors import BundleError, MissingExtra, StorageError
from genrec.storage import replaced

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")


def copy_bundle(source: str | Path, destination: str | Path) -> Bundle:
    """Copies the files of the manifest, verified before and after; never overwrites.

    Raises BundleError (no bundle; the destination exists), CorruptBundle, NewerBundle, StorageError (the disk).
    """
    bundle, destination = Bundle.open(source), Path(destination)
    if destination.exists():
        raise BundleError("the destination exists", value=str(destination), remedy="name a folder that does not exist")
    return _copied(bundle, destination)


def push_bundle(source: str | Path, target: str) -> str:
    """Publishes a bundle to a folder, taking the place of a bundle there, or to a repository `owner/name` of the hub.

    A folder is what starts with `.`, `/` or `~`, has no `/`, or lies in a folder that exists. Returns where it now is.
    """
    bundle = Bundle.open(source)
    _refuse_pickles(bundle)
    if is_folder(target):
        folder = Path(target).expanduser()
        refuse_foreign(folder)
        return str(_copied(bundle, folder).folder)
    return _to_hub(bundle, target)


def is_folder(target: str) -> bool:
    """Whether `push` takes the target for a folder rather than for a name on the hub."""
    local = target.startswith((".", "/", "~")) or "/" not in target or not _HUB_NAME.fullmatch(target)
    return local or Path(target).parent.is_dir()


def _copied(bundle: Bundle, destination: Path) -> Bundle:
    with replaced(destination) as new:
        for name in ("manifest.json", *bundle.manifest.files):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.folder / name, new / name)
        Bundle.open(new)
    return Bundle(destination, bundle.manifest)


def _refuse_pickles(bundle: Bundle) -> None:
    foreign = [name for name in bundle.manifest.files if name.endswith(_PICKLED)]
    if foreign:
        raise BundleError(
            "a bundle is published with safetensors only", value=foreign, where=str(bundle.folder),
            remedy="train it again with this version",
        )  # fmt: skip


def _to_hub(bundle: Bundle, repository: str) -> str:
    try:
        from huggingface_hub import HfApi  # comes with transformers; a torch-free install has none
    except ImportError as cause:
        raise MissingExtra("the hub needs huggingface_hub", remedy="pip install huggingface_hub") from cause
    try:
        api = HfApi()
        api.create_repo(repository, exist_ok=True, private=True)
        return str(
            api.upload_folder(
                repo_id=repository, folder_path=bundle.folder, commit_message="genrec bundle",
                allow_patterns=["manifest.json", *bundle.manifest.files],
            )
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError) as cause:
        raise StorageError(
            "the hub did not take the bundle", value=f"{type(cause).__name__}: {cause}", where=repository,
            allowed="owner/name with network and a token; or a folder, as ./published",
            remedy="log in with `hf auth login` and check the network and the name",
        ) from cause  # fmt: skip
