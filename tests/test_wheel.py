"""What a user installs: one package without torch, with its prompts, programs and data inside."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """stdout of a command that neither sees this clone nor this environment's packages."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=cwd, env=clean, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, ROOT, cwd=built)
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that holds the wheel and its core dependencies only."""
    home = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", home, cwd=home)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=home)
    return python


def test_one_top_level_package_with_everything_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"genrec"}
    sources = {"prompts": "*.yaml", "training": "*.py", "serving": "*.py"}
    expected = {
        f"genrec/shipped/{path.relative_to(ROOT)}"
        for room, kind in sources.items()
        for path in (ROOT / room).rglob(kind)
    }
    expected |= {str(path.relative_to(ROOT)) for path in (ROOT / "genrec" / "data").iterdir()}
    assert expected - set(names) == set()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any("__pycache__" in name for name in names)


def test_it_imports_and_finds_its_prompts_without_torch(python: Path, tmp_path: Path) -> None:
    program = (
        "import importlib.util, genrec; from genrec import resources, prompting;"
        "prompts = prompting.load_prompts(resources.folder('prompts'), 'en');"
        "print(genrec.__file__, *prompts, importlib.util.find_spec('torch'))"
    )
    place, *names, torch = run(python, "-W", "error", "-c", program, cwd=tmp_path).split()
    assert Path(place).is_relative_to(python.parents[1])
    assert set(names) >= {"next_item", "item_to_id", "id_to_item", "explain", "chat"}
    assert torch == "None"


def test_the_bundled_films_are_inside(python: Path, tmp_path: Path) -> None:
    program = "from genrec.world import load_films; print(len(load_films()))"
    assert int(run(python, "-c", program, cwd=tmp_path)) > 500


def test_the_command_answers_without_torch(python: Path, tmp_path: Path) -> None:
    assert "demo" in run(python.parent / "genrec", "--help", cwd=tmp_path)
