"""benchmarks/service.py: a part that fails costs its own figures alone."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import service
from genrec.benchmarking import Claim, claim


def fine(value: float) -> Any:
    return lambda options, folder: ({"value": value}, [claim("service.fine", value, "ms", "<=", 1.0)])


def broken(options: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], list[Claim]]:
    raise AssertionError("nobody answers")


def run(out: Path, parts: dict[str, Any], *only: str) -> dict[str, Any]:
    options = argparse.Namespace(out=out, only=only, bundle=Path("b"))
    try:
        service.measure(options, parts)
    finally:
        found: dict[str, Any] = json.loads((out / "service.json").read_text())
    return found


def test_the_other_parts_figures_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="failed: bad"):
        run(tmp_path, {"bad": broken, "good": fine(0.5)})
    found = json.loads((tmp_path / "service.json").read_text())
    assert found["config"]["failed"] == {"bad": "AssertionError: nobody answers"}
    assert found["config"]["good"]["value"] == 0.5
    assert [one["id"] for one in found["claims"]] == ["service.fine"]
    assert "nobody answers" in capsys.readouterr().err


def test_a_part_that_is_measured_again_replaces_its_figures(tmp_path: Path) -> None:
    run(tmp_path, {"good": fine(0.5), "other": fine(0.6)})
    again = run(tmp_path, {"good": fine(0.7), "other": broken}, "good")
    assert (again["config"]["good"]["value"], again["config"]["other"]["value"]) == (0.7, 0.6)
    assert [one["value"] for one in again["claims"]] == [0.7]
    assert again["config"]["failed"] == {}
