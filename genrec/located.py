"""YAML files with the line of every value, so that an error can say where. Does not know what the keys mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from genrec.errors import GenrecError


@dataclass(frozen=True)
class Source:
    """A file, and the line on which the value of each dotted key begins."""

    file: str
    lines: dict[str, int]

    def at(self, key: str, further: int = 0) -> str:
        """`file:line` of a value, `further` lines on; of an unknown key, that of the nearest one above it."""
        while key not in self.lines and "." in key:
            key = key.rpartition(".")[0]
        return f"{self.file}:{self.lines[key] + further}" if key in self.lines else self.file


def read_yaml(file: Path, error: type[GenrecError]) -> tuple[Source, dict[str, Any]]:
    """The lines and the content of a YAML mapping; whatever is wrong with the file is raised as `error`."""
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        data = loader.construct_document(node) if node else None
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise error(f"not YAML: {problem.problem}", where=f"{file}:{line}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise error(f"cannot be read: {problem}", where=str(file)) from None
    if not isinstance(data, dict):
        raise error("not a YAML mapping", where=f"{file}:1", allowed="key: value lines")
    return Source(str(file), dict(_lines(node, ""))), data


def _lines(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, int]]:
    """(dotted key, line) of every value below a node; block text begins one line after its key."""
    pairs: list[tuple[str, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(str(number), value) for number, value in enumerate(node.value)]
    for name, value in pairs:
        block = isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")
        yield prefix + name, value.start_mark.line + 1 + block
        yield from _lines(value, f"{prefix}{name}.")
