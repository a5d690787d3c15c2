"""Every notebook runs from top to bottom, against a bundle trained in this session; none is committed with outputs."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers.running import ROOT, Tiny

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def test_there_are_four_and_the_guide_names_them() -> None:
    assert NOTEBOOKS == ["drift.ipynb", "own_catalog.ipynb", "slate.ipynb", "tour.ipynb"]
    page = (ROOT / "docs" / "guide" / "notebooks.md").read_text(encoding="utf-8")
    assert [name for name in NOTEBOOKS if f"(../../notebooks/{name})" not in page] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_is_committed_without_outputs(name: str) -> None:
    book = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    nbformat.validate(book)
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    assert book["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs(name: str, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREC_DEMO", str(demo))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures are to stand in the notebook
    book = nbformat.read(FOLDER / name, as_version=4)
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert sum(bool(cell.outputs) for cell in code) >= len(code) - 2
    assert "image/png" in json.dumps(book.cells) or name in ("tour.ipynb", "own_catalog.ipynb")


@pytest.fixture(scope="module")
def demo(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `genrec demo` leaves, small."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "data").symlink_to(tiny.data)
    (folder / "bundle").symlink_to(tiny.bundle)
    return folder
