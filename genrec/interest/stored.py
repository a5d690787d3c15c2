"""A detector on disk: one safetensors file with topics, usual values and threshold. Does not know bundles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from genrec.errors import DataError
from genrec.interest.drift import Detector, Usual
from genrec.interest.filtering import Filter
from genrec.interest.topics import Topics, TopicsConfig

FILE = "interest/detector.safetensors"
"""Where a bundle keeps it."""
_ARRAYS = ("chances", "usual", "places", "middle", "high")


def save_detector(detector: Detector, path: Path) -> None:
    topics, usual = detector.filter.topics, detector.usual
    arrays = (topics.chances, topics.usual, usual.places, usual.middle, usual.high)
    said = {
        "config": topics.config.model_dump_json(), "prior": json.dumps(detector.filter.prior),
        "threshold": json.dumps(detector.threshold), "rate": json.dumps(detector.rate),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    # safetensors writes the memory as it lies, whatever the strides say.
    save_file({name: np.ascontiguousarray(one) for name, one in zip(_ARRAYS, arrays, strict=True)}, str(path), said)


def load_detector(path: Path) -> Detector:
    """Raises DataError for a file that is missing or that `save_detector` did not write."""
    try:
        with safe_open(str(path), "numpy") as file:
            said = file.metadata() or {}
            chances, common, places, middle, high = (file.get_tensor(name) for name in _ARRAYS)
        topics = Topics(TopicsConfig.model_validate_json(said["config"]), chances, common)
        prior, threshold, rate = (float(json.loads(said[name])) for name in ("prior", "threshold", "rate"))
    except (OSError, SafetensorError, KeyError, ValueError) as cause:
        raise DataError("not a detector's file", where=str(path), remedy="name another: it is then learnt") from cause
    return Detector(Filter(topics, prior), Usual(places, middle, high), threshold, rate)
