"""genrec: a generative recommender built on a fine-tuned causal language model.

The names of `__all__` load when they are first asked for, so that `import genrec` needs neither torch nor polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from genrec.bundle import Bundle
    from genrec.catalog import Catalog
    from genrec.errors import GenrecError
    from genrec.interactions import Interactions
    from genrec.items.index import ItemIndex
    from genrec.items.trie import Trie
    from genrec.preparing import PrepareConfig, load, prepare, validate
    from genrec.ragged import Ragged
    from genrec.recommender import Recommendation, Recommender
    from genrec.splitting import global_time, leave_last_out, rolling
    from genrec.world import WorldConfig, load_films, simulate

__all__ = [
    "Bundle",
    "Catalog",
    "GenrecError",
    "Interactions",
    "ItemIndex",
    "PrepareConfig",
    "Ragged",
    "Recommendation",
    "Recommender",
    "Trie",
    "WorldConfig",
    "global_time",
    "leave_last_out",
    "load",
    "load_films",
    "prepare",
    "rolling",
    "simulate",
    "validate",
]

_HOMES = {
    "Bundle": "bundle",
    "Catalog": "catalog",
    "GenrecError": "errors",
    "Interactions": "interactions",
    "ItemIndex": "items.index",
    "PrepareConfig": "preparing",
    "Ragged": "ragged",
    "Recommendation": "recommender",
    "Recommender": "recommender",
    "Trie": "items.trie",
    "WorldConfig": "world",
    "global_time": "splitting",
    "leave_last_out": "splitting",
    "load": "preparing",
    "load_films": "world",
    "prepare": "preparing",
    "rolling": "splitting",
    "simulate": "world",
    "validate": "preparing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'genrec' has no attribute {name!r}")
    return getattr(import_module(f"genrec.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
