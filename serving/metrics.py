"""What Prometheus reads. Counts; knows no request's content and no user."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """A registry of its own for every app, so that tests stand beside each other."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.requests = counter("genrec_requests", "Answered requests", ["route", "method", "status"])
        self.seconds = histogram("genrec_request_seconds", "From head to end", ["route"], buckets=_SECONDS)
        self.open = gauge("genrec_requests_open", "Requests in work")
        self.refused = counter("genrec_refused", "Refused before they were worked on", ["reason"])
        self.degraded = counter("genrec_degraded", "Slates without the language model", ["reason"])
        self.cache = counter("genrec_cache", "Looks into the cache of slates", ["result"])
        self.events = counter("genrec_events", "Events taken", ["result"])
        self.engine_up = gauge("genrec_engine_up", "1: the engine's process has loaded the bundle")
        self.engine_starts = counter("genrec_engine_starts", "Starts of the engine's process")
        self.engine_waiting = gauge("genrec_engine_waiting", "Requests in work or waiting at the engine")
        self.engine_seconds = histogram(
            "genrec_engine_seconds", "From asking the engine to its answer", ["task"], buckets=_SECONDS
        )
        self.engine_batch = histogram(
            "genrec_engine_batch", "Requests ranked together", buckets=(1, 2, 4, 8, 16, 32, 64)
        )
        self.items = gauge("genrec_items", "Items of the catalog", ["state"])
        self.bundles = counter("genrec_bundles", "Bundles that lay in the place of the one served", ["result"])
        self.of_engine = b""
        """What the engine's process counted, as it last told it: genrec.decoding.meter names it."""
        self.edition = gauge("genrec_catalog_edition", "Number of the last catalog edit that is live")

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry) + self.of_engine
