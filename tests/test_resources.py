"""Shipped folders are found in a clone, in an installed package, and nowhere else."""

from pathlib import Path

import pytest

from genrec import resources
from genrec.errors import GenrecError

ROOT = Path(__file__).resolve().parents[1]


def test_in_a_clone_it_is_the_folder_beside_the_package() -> None:
    assert resources.folder("prompts") == ROOT / "prompts"


def test_in_a_wheel_it_is_the_folder_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "genrec/shipped/prompts").mkdir(parents=True)
    (tmp_path / "prompts").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "genrec")
    assert resources.folder("prompts") == tmp_path / "genrec/shipped/prompts"


def test_a_stranger_beside_an_installed_package_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "genrec").mkdir()
    (tmp_path / "training").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "genrec")
    with pytest.raises(GenrecError, match="reinstall"):
        resources.folder("training")


@pytest.mark.parametrize("name", ["nothing", "tests", "..", ""])
def test_only_shipped_folders_have_a_name(name: str) -> None:
    with pytest.raises(GenrecError, match="prompts, training, serving"):
        resources.folder(name)
