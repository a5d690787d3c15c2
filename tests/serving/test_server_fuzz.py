"""Requests that schemathesis makes up from the OpenAPI document: whatever comes, the server never fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.running import Tiny
from tests.helpers.server import Server

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
PATIENT = ("limits.rate=100000", "limits.burst=100000", "drain_s=0", "engine.timeout_s=60")


def fuzz(server: Server, folder: Path, examples: int, phases: str) -> int:
    """Cases that were sent; fails where an answer is 5xx or not what the document promises."""
    words = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/openapi.json"]
    words += ["-H", f"Authorization: Bearer {server.key}", "--checks", CHECKS, "--phases", phases, "--no-color"]
    words += ["--max-examples", str(examples), "--seed", "1", "--continue-on-failure", "--request-timeout", "60"]
    words += ["--generation-database", "none"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    found = re.search(r"([\d,]+) generated", done.stdout)
    assert found, done.stdout[-2000:]
    return int(found[1].replace(",", ""))


def test_made_up_requests_never_fail(tiny: Tiny, tmp_path: Path) -> None:
    with Server(tiny.bundle, f"sqlite:///{tmp_path}/events.db", PATIENT) as server:
        assert fuzz(server, tmp_path, 10, "examples,fuzzing") >= 150
        with server.http() as http:
            assert http.get("/readyz").json() == {"status": "ok", "engine": "up"}


@pytest.mark.slow
def test_thousands_of_made_up_requests_never_fail(tiny: Tiny, tmp_path: Path) -> None:
    with Server(tiny.bundle, f"sqlite:///{tmp_path}/events.db", PATIENT) as server:
        assert fuzz(server, tmp_path, 120, "examples,coverage,fuzzing") >= 2000
        assert not [line for line in server.lines if line["event"] == "a request failed"]
