"""The one exception tree. Knows nothing of any room.

Every error says what was found, where, what is allowed and what to do about it.
"""

from __future__ import annotations

from typing import Any

_SHOWN = 120  # characters of an offending value that a message repeats


def shorten(value: Any) -> str:
    """The value as a message shows it: `repr`, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


class GenrecError(Exception):
    """Base of all errors that genrec raises on purpose.

    `value` is the offending value, `where` the place it stands (file:line, column, setting),
    `allowed` what would have been accepted, `remedy` the next thing to do.
    """

    def __init__(
        self, problem: str, *, value: Any = None, where: str = "", allowed: str = "", remedy: str = ""
    ) -> None:
        self.problem, self.value, self.where = problem, value, where
        self.allowed, self.remedy = allowed, remedy
        super().__init__(problem)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        found = f" (found {shorten(self.value)})" if self.value is not None else ""
        allowed = f" Allowed: {self.allowed}." if self.allowed else ""
        remedy = f" Remedy: {self.remedy}." if self.remedy else ""
        return f"{place}{self.problem}{found}.{allowed}{remedy}"


class DataError(GenrecError):
    """An interaction log, a catalog or one of their rows is not what it should be."""


class SplitError(DataError):
    """A split that leaves nothing to train or to test on, or that would leak the future."""


class UnknownItem(DataError):
    """An item that the catalog does not hold; `nearest` are titles that look alike."""

    def __init__(self, problem: str, *, nearest: list[str] | None = None, **where: Any) -> None:
        self.nearest = nearest or []
        super().__init__(problem, **where)


class ConfigError(GenrecError):
    """A setting, flag or YAML key that is unknown or out of range."""


class PromptError(GenrecError):
    """A prompt file that does not check, or a variable that it lacks or does not know."""


class IndexingError(GenrecError):
    """Semantic IDs that cannot be made, or do not fit catalog or vocabulary."""


class BundleError(GenrecError):
    """A bundle that cannot be read or written."""


class CorruptBundle(BundleError):
    """A file of the bundle is missing or its hash is not the manifest's."""


class NewerBundle(BundleError):
    """The bundle was written by a later format than this version reads."""


class EngineError(GenrecError):
    """A decoding request that the engine cannot serve."""


class UnknownModel(GenrecError):
    """A server was asked for a model by a name that it does not serve."""


class EngineDied(EngineError):
    """The process that holds the model is gone; nothing is answered until the engine is opened anew."""


class MissingExtra(GenrecError):
    """An optional package is needed; `remedy` is the pip line that brings it."""


class StorageError(GenrecError):
    """The disk is full or refuses; what stood before still stands."""


class StoreUnavailable(StorageError):
    """The event store cannot be reached or is too busy: nothing was acknowledged, and trying again is safe."""


class EventConflict(DataError):
    """An idempotency key came again with other content."""


class ServiceError(GenrecError):
    """A server refused or failed; `status` is HTTP's, `code` the server's word for it."""

    def __init__(self, problem: str, *, status: int = 0, code: str = "", **where: Any) -> None:
        self.status, self.code = status, code
        super().__init__(problem, **where)
