"""`genrec copy` and `genrec push`: bundles on the move. Do not load weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec.cli.shared import BundleFolder


def copy(
    bundle: Annotated[Path, typer.Argument(help="The bundle.")],
    destination: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
) -> None:
    """Copies a bundle and verifies every file's hash before and after; never overwrites."""
    from genrec.sharing import copy_bundle

    copied = copy_bundle(bundle, destination)
    print(f"copied and verified {len(copied.manifest.files)} files to {copied.folder}")


def push(
    bundle: BundleFolder,
    target: Annotated[str, typer.Argument(help="A folder, as ./published, or owner/name on the Hugging Face hub.")],
) -> None:
    """Publishes a bundle: safetensors only; model/ loads with plain transformers, adapter/ with peft."""
    from genrec.sharing import is_folder, push_bundle

    kind = "folder" if is_folder(target) else "hub"
    print(f"pushed to the {kind}: {push_bundle(bundle, target)}")
