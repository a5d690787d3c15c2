"""Priors on disk: one safetensors file in a bundle. Does not know weights of the mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from genrec.priors.collaborative import Collaborative
from genrec.priors.content import Content
from genrec.priors.mix import Prior
from genrec.priors.popularity import Popular

FILE = "priors.safetensors"


def save_priors(folder: Path, priors: tuple[Popular | Content | Collaborative, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Any] = {}
    for prior in priors:
        tensors |= prior.tensors()
    save_file(tensors, str(folder / FILE))


def load_priors(folder: Path) -> tuple[Prior, ...]:
    """The priors that the file holds; none where there is no file."""
    if not (folder / FILE).is_file():
        return ()
    tensors: dict[str, Any] = load_file(str(folder / FILE))
    kinds = (("popularity.", Popular), ("content.", Content), ("collaborative.", Collaborative))
    return tuple(kind.of(tensors) for prefix, kind in kinds if any(name.startswith(prefix) for name in tensors))
