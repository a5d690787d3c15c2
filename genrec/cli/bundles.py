"""`genrec copy`, `genrec push` and `genrec export`: bundles on the move. Only export loads weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from genrec.cli.shared import AsJson, BundleFolder, bundle_facts, quiet_models, show_json
from genrec.doctor import require
from genrec.errors import ConfigError


def copy(
    bundle: Annotated[Path, typer.Argument(help="The bundle.")],
    destination: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    json: AsJson = False,
) -> None:
    """Copies a bundle and verifies every file's hash before and after; never overwrites."""
    from genrec.sharing import copy_bundle

    copied = copy_bundle(bundle, destination)
    if json:
        show_json(bundle_facts(copied))
    else:
        print(f"copied and verified {len(copied.manifest.files)} files to {copied.folder}")


def push(
    bundle: BundleFolder,
    target: Annotated[str, typer.Argument(help="A folder, as ./published, or owner/name on the Hugging Face hub.")],
    json: AsJson = False,
) -> None:
    """Publishes a bundle: safetensors only; model/ loads with plain transformers, adapter/ with peft."""
    from genrec.sharing import is_folder, push_bundle

    kind = "folder" if is_folder(target) else "hub"
    where = push_bundle(bundle, target)
    if json:
        show_json({"to": kind, "at": where})
    else:
        print(f"pushed to the {kind}: {where}")


def export(
    bundle: BundleFolder,
    out: Annotated[Path, typer.Option(help="Folder of the new bundle; its model/ is what `vllm serve` takes.")],
    merged: Annotated[bool, typer.Option("--merged", help="Whole weights, the adapter merged in.")] = False,
    dtype: Annotated[Literal["bf16", "f32"], typer.Option(help="Type of merged weights.")] = "bf16",
    quantise: Annotated[
        Literal["int8", "nf4"] | None, typer.Option(help="8- or 4-bit linear layers (bitsandbytes), adapter merged.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Writes a bundle that serves as one piece: merged in bfloat16 or float32, or with 8- or 4-bit weights."""
    require("recommend")
    if merged == (quantise is not None):
        raise ConfigError(
            "say what to export", value="both" if merged else "nothing", allowed="--merged or --quantise",
            remedy="--merged --dtype bf16 for a GPU; --quantise nf4 for the least memory",
        )  # fmt: skip
    quiet_models()
    from genrec.bundle import Bundle
    from genrec.model.exporting import export_merged, export_quantised

    opened = Bundle.open(bundle)
    made = export_merged(opened, out, dtype) if quantise is None else export_quantised(opened, out, quantise)
    if json:
        show_json(bundle_facts(made))
    else:
        print(f"exported to {made.folder}")
