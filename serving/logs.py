"""Logs as lines of JSON, with pseudonyms in place of user ids. Never sees a prompt, a key or an item's text."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import sys
import traceback
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("genrec.serving")


@dataclass(frozen=True)
class Pseudonyms:
    """User id → the name that logs know it by: a keyed HMAC, so that nobody can try ids without the key."""

    secret: bytes

    @classmethod
    def of(cls, secret: str) -> Pseudonyms:
        """An empty secret takes a random one: pseudonyms then hold until the next start."""
        return cls(secret.encode() if secret else secrets.token_bytes(32))

    def __call__(self, user_id: str) -> str:
        digest = hmac.new(self.secret, user_id.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return digest.hexdigest()[:16]


class JsonLines(logging.Formatter):
    """time, level, event and the fields that were given. Of an exception only its type and where it was raised:
    its message may quote what a user wrote."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            line["error"] = record.exc_info[0].__name__
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        return json.dumps(line, ensure_ascii=False, default=str)


def say(event: str, level: int = logging.INFO, *, error: BaseException | None = None, **fields: Any) -> None:
    """One line."""
    log.log(level, event, exc_info=error, extra={"fields": fields})


def start() -> None:
    """Logs go to stderr; uvicorn's own lines are left out below warnings, and its access log altogether."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("genrec.serving", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True
