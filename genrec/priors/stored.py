"""Priors on disk: safetensors files in a bundle. Does not know weights of the mix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from genrec.evaluation.baselines.sasrec import Sasrec
from genrec.priors.collaborative import Collaborative
from genrec.priors.content import Content
from genrec.priors.mix import Mix
from genrec.priors.popularity import Popular
from genrec.priors.recent import Recent
from genrec.priors.sequence import Sequential
from genrec.priors.stand_ins import StandIns

FILE, NETWORK = "priors.safetensors", "sasrec.safetensors"
Stored = Popular | Recent | Content | Collaborative | Sequential


def save_priors(folder: Path, priors: tuple[Stored, ...], fresh: StandIns | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Any] = {} if fresh is None else {**fresh.tensors()}
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


def load_mix(folder: Path, weights: Mapping[str, float], model: bool = True) -> Mix:
    """The folder's priors under those of the weights that are of them; model: whether it joins them."""
    priors = load_priors(folder)
    known = {prior.name for prior in priors}
    held = {name: weight for name, weight in weights.items() if name in known}
    return Mix(priors, held, load_stand_ins(folder), model)


def load_stand_ins(folder: Path) -> StandIns | None:
    """None where the folder is of a version that knew none."""
    if not (folder / FILE).is_file():
        return None
    with safe_open(str(folder / FILE), framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if name.startswith("stand_ins.")}  # noqa: SIM118
    return StandIns.read(tensors) if tensors else None
