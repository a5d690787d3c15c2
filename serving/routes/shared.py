"""What routes share: the service, the key's scope, the user's name in the log. Knows no route."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from serving.keys import Key, Scope
from serving.schemas.shared import PROBLEMS
from serving.service import Service

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer gk_…`", scheme_name="key")


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(service_of)]


def needs(request: Request, scopes: SecurityScopes, _: Annotated[Any, Depends(_bearer)] = None) -> Key:
    """The key that the guard found, if it opens one of the route's scopes; else 403."""
    key: Key | None = request.scope["state"].get("key")
    if key is None:
        raise HTTPException(401, "no valid API key")
    if not set(scopes.scopes) & set(key.scopes):
        raise HTTPException(403, f"this key lacks the scope: {' or '.join(scopes.scopes)}")
    return key


def router(noun: str, *scopes: Scope) -> APIRouter:
    """A router whose routes need a key with one of these scopes."""
    return APIRouter(tags=[noun], dependencies=[Security(needs, scopes=list(scopes))], responses=PROBLEMS)  # type: ignore[arg-type]


def note(request: Request, **fields: Any) -> None:
    """Adds to the request's log line: numbers, flags, pseudonyms; never a text of a user or an item."""
    request.scope["state"]["notes"].update(fields)


def note_user(request: Request, service: Service, user_id: str | None) -> None:
    if user_id is not None:
        note(request, user=service.pseudonyms(user_id))
