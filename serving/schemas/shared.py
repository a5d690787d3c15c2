"""Types that several requests share. Know no route."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_PLAIN = r"^[^\x00-\x1f\x7f]+$"  # no control characters: databases and logs choke on some
UserId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_PLAIN)]
ItemId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_PLAIN)]
Weight = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
MOST_ITEMS = 1000
MODEL = "genrec"
"""What the main bundle is called."""
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PLAIN)]


class Body(BaseModel):
    """A request: what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Problem(Answer):
    """What went wrong."""

    class Error(Answer):
        """message: in words; code: for programs; param: where; found, allowed, remedy: how to do it right."""

        message: str
        type: str
        code: str
        param: str | None = None
        found: str | None = None
        allowed: str | None = None
        remedy: str | None = None
        request_id: str | None = None
        others: list[dict[str, str]] | None = None

    error: Error


PROBLEMS = {
    status: {"model": Problem, "description": said}
    for status, said in {
        400: "The body is not JSON",
        401: "No valid key",
        403: "The key lacks the scope",
        404: "The catalog or the store holds no such thing",
        408: "The body did not arrive in time",
        409: "The idempotency key came before with another event, or no semantic ID is left for a new item",
        413: "The body is too large",
        422: "The request does not fit; the message says what does",
        429: "More than this key may send; see Retry-After",
        503: "Overloaded, starting or stopping; see Retry-After",
    }.items()
}
"""For every route: what can be wrong with any request."""
