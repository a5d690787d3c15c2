"""No flag, setting or route without words: the pages of reference name every one of them, and say what it does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMAND = re.compile(r"(?:^ {4}|`)(genrec(?: [^`\n]*)?)(?=`|$)", flags=re.MULTILINE)
"""A command of a document: a line of an indented block, or inline code."""


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """docs/reference.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_flag_is_described(reference: ModuleType) -> None:
    page = reference.cli_page()
    silent, absent = [], []
    for name, command in reference.commands():
        assert command.help, name
        for one in command.params:
            if one.name == "help":
                continue
            words = one.opts if one.param_type_name == "option" else [(one.name or "").upper()]
            silent += [f"{name} {one.name}"] * (not (getattr(one, "help", "") or ""))
            absent += [f"{name} {word}" for word in words if f"`{word}`" not in page]
    assert silent == []
    assert absent == []


def test_documents_name_commands_and_flags_that_exist(reference: ModuleType) -> None:
    flags = {
        name: {word for one in command.params for word in (*one.opts, *one.secondary_opts)}
        for name, command in reference.commands()
    }
    flags |= {"genrec": {"--help", "--version", "--install-completion", "--show-completion"}, "genrec bench": set()}
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guide").glob("*.md")]
    texts = [(page.name, page.read_text(encoding="utf-8")) for page in pages]
    said = [(name, line) for name, text in texts for line in COMMAND.findall(text)]
    blocks = [
        (name, block)
        for name, text in texts
        for block in re.findall(r"```(?:sh|text)\n(.*?)```", text, flags=re.DOTALL)
    ]
    said += [(name, line) for name, block in blocks for line in block.splitlines() if line.startswith("genrec")]
    assert len(said) > 40
    wrong = []
    for page, line in said:
        words = line.split("#")[0].split()
        depth = max(depth for depth in (1, 2, 3) if " ".join(words[:depth]) in flags)
        known = {*flags[" ".join(words[:depth])], "--help"}
        unknown = [word for word in words[1:] if word.startswith("--") and word not in known]
        unknown += words[1:2] if depth == 1 and words[1:2] and words[1][0].islower() else []
        wrong += [f"{page}: {line}"] * bool(unknown)
    assert wrong == []


def test_every_setting_is_described(reference: ModuleType) -> None:
    page = reference.settings_page()
    silent = [
        f"{kind.__name__}: {name}"
        for kind, _ in reference.SETTINGS.values()
        for name, said, _ in reference.described(kind)
        if not said or f"`{name}`" not in page
    ]
    assert silent == []


def test_every_route_is_described(reference: ModuleType) -> None:
    from serving.app import ROUTERS

    page = reference.http_page()
    routes = [route for router in ROUTERS for route in router.routes]
    assert [route.path for route in routes if f"`{route.path.replace(':path}', '}')}`" not in page] == []
    assert [route.path for route in routes if not (route.summary and route.description)] == []


def test_every_public_name_has_its_place(reference: ModuleType) -> None:
    import genrec

    page = reference.python_page()
    assert [name for name in genrec.__all__ if f".{name}\n" not in page] == []
