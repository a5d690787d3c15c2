"""README and guide tell the truth: their snippets run, their links lead somewhere, their make targets exist."""

import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from genrec.cli.shared import child_arguments
from tests.helpers.running import ROOT, TINY, Done

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
TITLES = ("Green Tea", "Teapot", "Tea Strainer", "Coffee", "Coffee Mill", "Milk Jug", "Sugar", "Biscuits")
HEAVY = {"train": TINY}  # command → what makes it small
LONG = ("train", "evaluate", "shrink", "align", "rate")
"""What of the guide is not run, for it trains, or wants another bundle; every flag is known to exist."""


def snippets(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text: str = TEXT) -> list[list[str]]:
    return [shlex.split(line) for block in snippets("sh", text) for line in block.splitlines() if line.strip()]


def told() -> list[list[str]]:
    """The commands of the README, then the quick ones that the guide adds, each once; the files are the same."""
    added = [words for page in GUIDE for words in commands(page.read_text(encoding="utf-8"))]
    found = [*commands(), *(words for words in added if not {*words[1:2]} & {*LONG})]
    return [words for place, words in enumerate(found) if words not in found[:place]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README speaks of."""
    products = [f"p{number},{title},{'tea' if number < 3 else 'table'}" for number, title in enumerate(TITLES)]
    (tmp_path / "products.csv").write_text("\n".join(["product,title,shelf", *products]), encoding="utf-8")
    # Customer c chooses every third product, beginning with product c.
    rows = [f"c{c},p{(c + 3 * step) % 8},{1000 * step + c}" for c in range(30) for step in range(7)]
    (tmp_path / "log.csv").write_text("\n".join(["customer,product,when", *rows]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_make_targets_exist() -> None:
    targets = [words[1] for words in commands() if words[0] == "make"]
    assert {"setup", "serve"} <= set(targets)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, flags=re.MULTILINE)] == []
    assert "genrec demo" in makefile


def test_every_other_line_is_a_genrec_command() -> None:
    assert {words[0] for words in told()} == {"make", "genrec"}


@pytest.mark.timeout(900)
def test_the_snippets_run_in_their_order(shop: Path, genrec_command: Callable[..., Done]) -> None:
    for words in told():
        if words[:2] == ["genrec", "serve"]:
            answers(words)
        elif words[0] == "genrec":
            done = genrec_command(*words[1:], *HEAVY.get("".join(words[1:2]), ()))
            assert done.code == 0, f"{shlex.join(words)}\n{done.out[-2000:]}{done.err[-2000:]}"
    assert (shop / "published" / "model" / "model.safetensors").is_file()
    (python,) = snippets("python")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True, env=environment)
    assert len(done.stdout.strip().splitlines()) == 5


def test_the_prompt_of_the_guide_is_the_one_that_ranks() -> None:
    (shown,) = snippets("yaml", (ROOT / "docs" / "guide" / "prompts.md").read_text(encoding="utf-8"))
    assert yaml.safe_load(shown) == yaml.safe_load((ROOT / "prompts" / "en" / "next_item.yaml").read_bytes())


def test_programs_that_documents_name_exist_and_know_their_flags() -> None:
    pages = [ROOT / "README.md", ROOT / "training" / "README.md", *sorted((ROOT / "docs").glob("*.md")), *GUIDE]
    call = r"(?:python|torchrun \S+ \S+|launch) ((?:training|benchmarks|docs)/\w+\.py(?:[^`\n]|\\\n)*)"
    texts = [(page.name, page.read_text(encoding="utf-8")) for page in pages]
    said = [(name, line.replace("\\\n", " ")) for name, text in texts for line in re.findall(call, text)]
    assert len(said) > 10
    wrong = []
    for page, line in said:
        program, *words = line.split()
        source = (ROOT / program).read_text(encoding="utf-8") if (ROOT / program).is_file() else ""
        source += inspect.getsource(child_arguments) * ("child_arguments(" in source)
        flags = [word.split("=")[0] for word in words if re.fullmatch(r"--[a-z-]+(=.*)?", word)]
        wrong += [f"{page}: {line}"] * (not source or any(f'"{flag}"' not in source for flag in flags))
    assert wrong == []


def test_the_snippet_of_the_store_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (python,) = snippets("python", (ROOT / "docs" / "store.md").read_text(encoding="utf-8"))
    *before, last = python.strip().splitlines()
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*before, f"print({last})"])], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "f0001" in done.stdout


def test_no_document_has_code_in_a_language_that_nothing_reads() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *GUIDE]
    fences = {word for page in pages for word in re.findall(r"^```(\w+)", page.read_text("utf-8"), flags=re.MULTILINE)}
    assert fences <= {"sh", "python", "yaml", "text"}


def answers(words: list[str]) -> None:
    """The server of a README line comes up, and ends well when it is told to."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "genrec.cli", *words[1:], "--port", "0", "drain_s=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("try: "))
        url = re.findall(r"http://[\w.:]+", line)[0]
        with urllib.request.urlopen(f"{url}/readyz", timeout=60) as answer:
            assert answer.status == 200
        process.terminate()
        assert process.wait(60) == 0


def test_the_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md", *GUIDE):
        targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [target for target in targets if not (page.parent / target).exists()] == [], page


def test_the_map_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:genrec|training|tests)/[\w/]+\.py)`", text)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_package_shows_the_readme() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["readme"] == "README.md"


def test_simulated_viewers_and_missing_parts_are_said() -> None:
    assert "viewers are simulated" in TEXT
    assert "What it does not do yet" in TEXT
