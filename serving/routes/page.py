"""GET / and what it loads. The only routes beside health that need no key: they hold no data."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serving import page

public = APIRouter(include_in_schema=False)


async def file(request: Request) -> Response:
    """A file of the page."""
    return page.answer(request)


for _path in page.FILES:
    public.add_api_route(_path, file, methods=["GET", "HEAD"])
