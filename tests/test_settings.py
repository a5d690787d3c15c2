"""Settings files: what the class does not know is named, with its place and what it knows; flags override."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from genrec.errors import ConfigError
from genrec.settings import load_settings


class Optimiser(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: float = Field(0.1, gt=0)
    steps: int = 10


class Program(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "plain"
    tags: list[str] = []
    optimiser: Optimiser = Optimiser()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "program.yaml"
    path.write_text("name: tried\noptimiser:\n  steps: 20\n", encoding="utf-8")
    return path


def test_defaults_without_a_file() -> None:
    assert load_settings(Program) == Program()


def test_a_file_then_overrides(file: Path) -> None:
    assert load_settings(Program, file) == Program(name="tried", optimiser=Optimiser(steps=20))
    overrides = ["optimiser.rate=0.5", "tags=[a, b]", "name=other=1"]
    assert load_settings(Program, file, overrides) == Program(
        name="other=1", tags=["a", "b"], optimiser=Optimiser(rate=0.5, steps=20)
    )


def test_the_last_override_holds() -> None:
    assert load_settings(Program, None, ["optimiser.steps=1", "optimiser.steps=2"]).optimiser.steps == 2


def test_an_empty_section_can_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "program.yaml"
    path.write_text("optimiser:\n", encoding="utf-8")
    assert load_settings(Program, path, ["optimiser.steps=3"]).optimiser.steps == 3


def test_an_unknown_key_names_the_known_ones_and_its_line(file: Path) -> None:
    file.write_text("name: x\ncolour: red\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"program.yaml:2: colour: no such key.*Allowed: name, tags, optimiser\."):
        load_settings(Program, file)


def test_an_unknown_key_of_a_section_names_that_sections_keys(file: Path) -> None:
    file.write_text("optimiser:\n  steps: 1\n  lr: 0.1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"program.yaml:3: optimiser\.lr: no such key.*Allowed: rate, steps\."):
        load_settings(Program, file)


def test_a_wrong_value_names_its_place(file: Path) -> None:
    file.write_text("optimiser:\n  rate: -1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"program.yaml:2: optimiser\.rate: .*greater than 0 \(found -1\)"):
        load_settings(Program, file)


def test_an_override_at_fault_is_shown(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"override optimiser\.steps=many: optimiser\.steps: .*valid integer"):
        load_settings(Program, file, ["optimiser.steps=many"])
    with pytest.raises(ConfigError, match=r"override optimizer=1: optimizer: no such key.*Allowed: name"):
        load_settings(Program, file, ["optimizer=1"])


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("optimiser.steps", r"lacks its value.*section\.key=value"),
        ("name.first=1", "name is no section"),
        ("tags=[a", "not YAML"),
    ],
)
def test_overrides_that_cannot_be_read(file: Path, override: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_settings(Program, file, [override])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        load_settings(Program, tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text("- a\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not a YAML mapping"):
        load_settings(Program, tmp_path / "list.yaml")


@given(st.lists(st.sampled_from("abc.=[]{}: \n'\"1-!&*"), max_size=12).map("".join))
def test_any_override_is_taken_or_taught(override: str) -> None:
    with suppress(ConfigError):
        load_settings(Program, None, [override])
