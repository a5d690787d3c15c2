"""API keys: random secrets of which only the hash is kept, each with scopes. Does not know HTTP.

A secret has 256 random bits, so a plain SHA-256 suffices: there is no short password to guess.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genrec.errors import ConfigError
from genrec.storage import write_json

Scope = Literal["recommend", "events", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_MARK = "gk_"


class Key(BaseModel):
    """One key as it stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[\w.-]{1,64}$")
    """What logs and rate limits call it."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hash of the secret."""
    scopes: tuple[Scope, ...]
    """What it opens: recommend, events, admin, metrics."""
    rate: float | None = Field(None, gt=0)
    """Requests per second; nothing: the server's limit."""


@dataclass(frozen=True)
class Keys:
    """All keys, found by secret."""

    by_hash: dict[str, Key]

    @classmethod
    def of(cls, keys: Sequence[Key]) -> Keys:
        return cls({key.sha256: key for key in keys})

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Raises ConfigError with the place of what is wrong."""
        return cls.of(read(path))

    def find(self, secret: str) -> Key | None:
        """The key of a secret. What is compared are hashes, so the time it takes tells nothing of a secret."""
        return self.by_hash.get(hashed(secret))


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new(name: str, scopes: Sequence[Scope], rate: float | None = None) -> tuple[str, Key]:
    """A fresh secret and its key; raises ConfigError for a name or scope that cannot be."""
    secret = _MARK + secrets.token_urlsafe(32)
    try:
        return secret, Key(name=name, sha256=hashed(secret), scopes=tuple(scopes), rate=rate)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{first['loc'][0]}: {first['msg']}", value=first["input"],
            allowed=f"a name of letters, digits, . _ -; scopes {', '.join(SCOPES)}",
        ) from None  # fmt: skip


def read(path: Path) -> list[Key]:
    """The keys of a file; raises ConfigError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return [Key.model_validate(one) for one in data["keys"]]
    except OSError as error:
        remedy = f"make one: genrec key NAME --scope recommend --keys {path}"
        raise ConfigError("the file of keys cannot be read", value=str(error), where=str(path), remedy=remedy) from None
    except (ValueError, KeyError, TypeError) as error:
        problem = " ".join(str(error).split())[:200]
        allowed = '{"keys": [{"name", "sha256", "scopes"}]}'
        raise ConfigError(f"not a file of keys: {problem}", where=str(path), allowed=allowed) from None


def add(path: Path, key: Key) -> None:
    """Adds a key to a file, which is made where there is none, readable by its owner only; raises ConfigError."""
    known = read(path) if path.exists() else []
    if key.name in {one.name for one in known}:
        raise ConfigError("a key of this name is there", value=key.name, where=str(path), remedy="take another name")
    write_json(path, {"keys": [one.model_dump(exclude_none=True) for one in [*known, key]]})
    path.chmod(0o600)
