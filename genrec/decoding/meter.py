"""What an engine counts and times, for Prometheus. Knows no engine; without a registry it keeps silent.

genrec_beam_step_seconds{level}      one level of a beam (torch: of a batch of beams), the model and the ranking
genrec_mask_seconds                  finding and ranking what the trie allows, of one level
genrec_prefix_tokens_total{kind}     prompt tokens: `first` reading, later `cached` or `recomputed` (torch: always)
genrec_candidates_rescored_total     items scored outside the beam
genrec_requests_waiting              requests that vLLM has not answered yet; 0 with torch
genrec_catalog_info{version}         1 for the index that new requests decode under
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genrec.errors import MissingExtra

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BRIEF = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)


class Meter:
    """Silent, and the interface of `Prometheus`."""

    def step(self, level: int, seconds: float) -> None:
        """A beam went one level down."""

    def prefix(self, asked: int, computed: int, requests: int, *, first: bool) -> None:
        """Prompt tokens asked for, and those that no cache held; the last of each request always is computed.

        first: whether the prompt is read for the first time, so that nothing can be computed *again*.
        """

    def rescored(self, items: int) -> None:
        """Items were scored outside the beam."""

    def catalog(self, version: str) -> None:
        """New requests decode under this index."""

    @contextmanager
    def waiting(self, requests: int) -> Iterator[None]:
        """So many requests are with the model."""
        yield

    @contextmanager
    def masking(self) -> Iterator[None]:
        """Time spent on what is allowed."""
        yield


class Prometheus(Meter):
    """Counts in a registry. One per registry: metric names are taken once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        try:
            from prometheus_client import Counter, Gauge, Histogram
        except ImportError as cause:
            raise MissingExtra("metrics need prometheus-client", remedy="pip install 'genrec[serve]'") from cause
        self._steps = Histogram(
            "genrec_beam_step_seconds", "One level of a beam.", ["level"], buckets=_SECONDS, registry=registry
        )
        self._mask = Histogram("genrec_mask_seconds", "What the trie allows.", buckets=_BRIEF, registry=registry)
        self._prefix = Counter(
            "genrec_prefix_tokens", "Prompt tokens, cached or recomputed.", ["kind"], registry=registry
        )
        self._rescored = Counter("genrec_candidates_rescored", "Items scored outside the beam.", registry=registry)
        self._waiting = Gauge("genrec_requests_waiting", "Requests with the model.", registry=registry)
        self._catalog = Gauge("genrec_catalog_info", "The index in use.", ["version"], registry=registry)

    def step(self, level: int, seconds: float) -> None:
        self._steps.labels(str(level)).observe(seconds)

    def prefix(self, asked: int, computed: int, requests: int, *, first: bool) -> None:
        again = 0 if first else max(0, computed - requests)
        self._prefix.labels("recomputed").inc(again)
        self._prefix.labels("first").inc(computed - again)
        self._prefix.labels("cached").inc(asked - computed)

    def rescored(self, items: int) -> None:
        self._rescored.inc(items)

    def catalog(self, version: str) -> None:
        self._catalog.clear()
        self._catalog.labels(version).set(1)

    @contextmanager
    def waiting(self, requests: int) -> Iterator[None]:
        self._waiting.inc(requests)
        try:
            yield
        finally:
            self._waiting.dec(requests)

    @contextmanager
    def masking(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._mask.observe(time.perf_counter() - start)
