"""Servers in processes of their own, on the tiny bundle."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.helpers.running import Tiny
from tests.helpers.server import Server


@pytest.fixture(scope="session")
def server(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that leave it as it is; its key opens everything. Tests take users and items of their own."""
    store = tmp_path_factory.mktemp("server") / "events.db"
    with Server(tiny.bundle, f"sqlite:///{store}", ["limits.rate=100000", "limits.burst=100000", "drain_s=0"]) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client
