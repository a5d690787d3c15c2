"""The checkup: what is there, what is not, and what a missing part would enable."""

import importlib.util
import json

import pytest

from genrec import doctor
from genrec.errors import MissingExtra


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """As if these modules were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in modules else real(name))


def test_what_is_installed_has_a_version() -> None:
    parts = {one["name"]: one for one in doctor.checkup()["parts"]}
    assert parts["torch"]["version"][0].isdigit()
    assert all(one["enables"] and one["install"].startswith("pip install") for one in parts.values())


def test_the_checkup_is_plain_data() -> None:
    found = doctor.checkup()
    assert json.loads(json.dumps(found)) == found
    assert all(found["shipped"].values())


def test_a_missing_part_stops_what_needs_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "trl")
    assert [command for command, can in doctor.checkup()["can"].items() if not can] == ["train"]
    doctor.require("recommend")
    with pytest.raises(MissingExtra, match="genrec train needs trl") as raised:
        doctor.require("train")
    assert "pip install 'genrec[train]'" in str(raised.value)


def test_pictures_need_matplotlib_and_say_so_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "matplotlib")
    doctor.require("evaluate")
    with pytest.raises(MissingExtra, match="evaluate --plots needs matplotlib"):
        doctor.require("evaluate --plots")


def test_without_torch_nothing_that_ranks_works(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "torch")
    assert not any(doctor.checkup()["can"].values())
    missing = {one["name"] for one in doctor.checkup()["parts"] if not one["version"]}
    assert "torch" in missing


def test_every_need_is_a_part() -> None:
    names = {part.name for part in doctor.PARTS}
    assert {need for needs in doctor.NEEDS.values() for need in needs} <= names
