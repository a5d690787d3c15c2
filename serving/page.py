"""The page at `/`: its files, and what a browser may do with them. Knows no data; the page asks the routes.

The files are the whole of what is public. They are read once, carry no secret, and load nothing from elsewhere: the
policy forbids it, and inline scripts as well.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).resolve().parent / "ui"
_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
)


@dataclass(frozen=True)
class PageFile:
    """One file, as it goes out."""

    content: bytes
    kind: str
    tag: str


def _files(folder: Path) -> dict[str, PageFile]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            found["/" if path.name == "index.html" else f"/ui/{path.name}"] = PageFile(
                content, _TYPES[path.suffix], tag
            )
    return found


FILES = _files(FOLDER)
"""By path of the URL."""


def answer(request: Request) -> Response:
    """The file of this path; 304 where the browser has it."""
    found = FILES[request.url.path]
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "ETag": found.tag}
    if request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.kind)
