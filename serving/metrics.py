"""What Prometheus reads. Counts; knows no request's content and no user."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """A registry of its own for every app, so that tests stand beside each other."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = {"registry": self.registry}
        self.requests = Counter("genrec_requests", "Answered requests", ["route", "method", "status"], **one)
        self.seconds = Histogram("genrec_request_seconds", "From head to end", ["route"], buckets=_SECONDS, **one)
        self.open = Gauge("genrec_requests_open", "Requests in work", **one)
        self.refused = Counter("genrec_refused", "Refused before they were worked on", ["reason"], **one)
        self.degraded = Counter("genrec_degraded", "Slates without the language model", ["reason"], **one)
        self.cache = Counter("genrec_cache", "Looks into the cache of slates", ["result"], **one)
        self.events = Counter("genrec_events", "Events taken", ["result"], **one)
        self.engine_up = Gauge("genrec_engine_up", "1: the engine's process has loaded the bundle", **one)
        self.engine_starts = Counter("genrec_engine_starts", "Starts of the engine's process", **one)
        self.engine_waiting = Gauge("genrec_engine_waiting", "Requests in work or waiting at the engine", **one)
        self.engine_seconds = Histogram(
            "genrec_engine_seconds", "From asking the engine to its answer", ["task"], buckets=_SECONDS, **one
        )
        self.engine_batch = Histogram(
            "genrec_engine_batch", "Requests ranked together", buckets=(1, 2, 4, 8, 16, 32, 64), **one
        )
        self.items = Gauge("genrec_items", "Items of the catalog", ["state"], **one)
        self.edition = Gauge("genrec_catalog_edition", "Number of the last catalog edit that is live", **one)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
