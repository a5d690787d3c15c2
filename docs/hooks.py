"""What mkdocs does beside its own work: adds the pages of reference, and makes names of links that leave docs/.

The pages are read in the repository, too, where such links lead somewhere; a site holds docs/ only.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

import reference  # noqa: E402

_LINK = re.compile(r"(?<!!)\[(?P<words>[^\]\n]*(?:\n[^\]\n]*)?)\]\((?P<target>(?!https?:|#|mailto:)[^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    for path, text in reference.pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    folder = (DOCS / page.file.src_uri).parent
    return _LINK.sub(lambda found: _inside(found, folder), markdown)


def _inside(found: re.Match[str], folder: Path) -> str:
    target = found["target"].partition("#")[0]
    place = (folder / target).resolve()
    if place.is_relative_to(DOCS) and (not place.exists() or place.is_file()):
        return found[0]
    name = f"docs/{place.relative_to(DOCS)}" if place.is_relative_to(DOCS) else str(place.relative_to(DOCS.parent))
    words = found["words"]
    return words if name in words or words.strip("`") in name else f"{words} (`{name}`)"
