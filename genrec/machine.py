"""Facts of the machine and the packages that a measurement was made with. Knows nothing of what is measured."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from genrec import __version__

PACKAGES = ("numpy", "polars", "scipy", "torch", "transformers", "peft", "trl", "accelerate", "vllm")


def describe() -> dict[str, Any]:
    """`{"machine": …, "versions": …}` as JSON-able data, ready for a result file."""
    return {"machine": machine(), "versions": {"genrec": __version__, **versions()}}


def machine() -> dict[str, Any]:
    """cores: those this process may use; memory_gib: all of the machine's; gpu: names, empty when there is none."""
    return {
        "cores": _cores(),
        "cpu": cpu_model(),
        "cpu_features": _cpu_features(),
        "gpu": gpus(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Package → version of those that are installed; nothing is imported."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def cpu_model() -> str:
    """The processor's name as the system gives it, "unknown" where it gives none."""
    for line in _cpu_lines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def best_device() -> str:
    """`cuda` where torch is installed and sees a GPU, `cpu` elsewhere."""
    if importlib.util.find_spec("torch") is None:
        return "cpu"
    import torch  # heavy, and nothing else here asks for it

    return "cuda" if torch.cuda.is_available() else "cpu"


def gpus() -> list[str]:
    """Names and memory of NVIDIA GPUs by nvidia-smi; empty without one."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (subprocess.SubprocessError, OSError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_features() -> list[str]:
    """Those that decide how fast matrices are multiplied."""
    flags = next((line.split(":", 1)[1].split() for line in _cpu_lines() if line.startswith("flags")), [])
    return [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
