"""Priors on disk: safetensors files in a bundle. Does not know weights of the mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from genrec.evaluation.baselines.sasrec import Sasrec
from genrec.priors.collaborative import Collaborative
from genrec.priors.content import Content
from genrec.priors.popularity import Popular
from genrec.priors.recent import Recent
from genrec.priors.sequence import Sequential

FILE, NETWORK = "priors.safetensors", "sasrec.safetensors"
Stored = Popular | Recent | Content | Collaborative | Sequential


def save_priors(folder: Path, priors: tuple[Stored, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Any] = {}
    for prior in priors:
        tensors |= prior.tensors()
        if isinstance(prior, Sequential):
            prior.model.save(folder / NETWORK)
    save_file(tensors, str(folder / FILE))


def load_priors(folder: Path) -> tuple[Stored, ...]:
    """The priors that the folder holds; none where there is no file."""
    if not (folder / FILE).is_file():
        return ()
    tensors: dict[str, Any] = load_file(str(folder / FILE))
    kinds = (
        ("popularity.", Popular), ("recent.", Recent), ("content.", Content), ("collaborative.", Collaborative),
    )  # fmt: skip
    found: list[Stored] = [
        kind.of(tensors) for prefix, kind in kinds if any(name.startswith(prefix) for name in tensors)
    ]
    if "sequence.known" in tensors:
        found.append(Sequential(Sasrec.load(folder / NETWORK), tensors["sequence.known"].astype(bool)))
    return tuple(found)
