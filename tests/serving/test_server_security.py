"""Deny by default, and say nothing that is nobody's business."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from genrec.errors import ConfigError
from serving.app import ROUTERS
from serving.guard import HEALTH, PUBLIC
from serving.keys import Keys, add, hashed, new, read
from serving.logs import Pseudonyms
from tests.helpers.running import ROOT, Tiny
from tests.helpers.server import Server

SCOPES = ("recommend", "events", "admin", "metrics")
OPENS = {
    "/v1/recommendations": {"recommend"},
    "/v1/explanations": {"recommend"},
    "/v1/chat/completions": {"recommend"},
    "/v1/models": {"recommend"},
    "/v1/events": {"events"},
    "/v1/events/bulk": {"events"},
    "/v1/about": {"recommend"},
    "/v1/catalog/items": {"recommend"},
    "/v1/users": {"admin"},
    "/v1/users/{user_id}": {"admin"},
    "/v1/exports/{user_id}": {"admin"},
    "/v1/interests/{user_id}": {"admin"},
    "/v1/catalog/items/{item_id}": {"admin"},
    "/v1/metrics/online": {"metrics", "admin"},
    "/v1/tuning": {"admin"},
    "/metrics": {"metrics", "admin"},
}
"""What opens every route that is not public; a new route is entered here, or the test fails."""


def routes() -> Iterator[tuple[str, str]]:
    """(method, path) of every route of the application."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, Route)
            for method in route.methods or ():
                yield method, route.path.replace(":path}", "}")


ALL = sorted(set(routes()))


@pytest.fixture(scope="module")
def guarded(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with one key for each scope, and their secrets."""
    folder = tmp_path_factory.mktemp("guarded")
    secrets = {}
    for scope in SCOPES:
        secrets[scope], key = new(f"only-{scope}", [scope])
        add(folder / "keys.json", key)
    settings = ["limits.rate=100000", "limits.burst=100000", "drain_s=0", "log_secret=test"]
    with Server(tiny.bundle, f"sqlite:///{folder}/events.db", settings, keys=folder / "keys.json") as running:
        yield running, secrets


def test_the_application_has_no_other_routes(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    told = {(method.upper(), path) for path, one in document["paths"].items() for method in one}
    assert told == set(ALL)
    assert {path for _, path in ALL} == set(OPENS) | HEALTH


@pytest.mark.parametrize(("method", "path"), [*ALL, ("GET", "/openapi.json"), ("GET", "/docs"), ("POST", "/nowhere")])
def test_without_a_key_nothing_opens(server: Server, method: str, path: str) -> None:
    with httpx.Client(base_url=server.url) as http:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": server.key},
            {"X-API-Key": server.key},
        ):
            answer = http.request(method, re.sub(r"\{\w+\}", "x", path), headers=headers, json={})
            if path in PUBLIC:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_opens_its_scope_and_no_other(guarded: tuple[Server, dict[str, str]]) -> None:
    server, secrets = guarded
    for scope, secret in secrets.items():
        with server.http(secret) as http:
            for method, path in ALL:
                status = http.request(method, re.sub(r"\{\w+\}", "x", path), json={}).status_code
                if path in PUBLIC:
                    continue
                assert (status == 403) == (scope not in OPENS[path]), f"{scope} {method} {path}: {status}"
                assert status < 500


def test_headers_are_safe_and_cors_is_closed(server: Server) -> None:
    with server.http() as http:
        for answer in (
            http.get("/healthz", headers={"Origin": "https://evil.example"}),
            http.get("/v1/models", headers={"Origin": "https://evil.example"}),
            http.options("/v1/recommendations", headers={"Origin": "https://evil.example",
                                                         "Access-Control-Request-Method": "POST"}),
        ):  # fmt: skip
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "server" not in answer.headers


def test_logs_hold_no_id_key_or_text(guarded: tuple[Server, dict[str, str]]) -> None:
    server, secrets = guarded
    canary = "Canary Zebra Quartz"
    with server.http(secrets["recommend"]) as http:
        http.post("/v1/recommendations", json={"user_id": canary})
        http.post(
            "/v1/recommendations", json={"user_id": canary, "filters": [{"field": canary, "op": "=", "value": 1}]}
        )
        http.post("/v1/chat/completions", json={"user": canary, "messages": [{"role": "user", "content": canary}]})
        http.post("/v1/recommendations", json={"history": [canary]})
        http.get(f"/{canary}")
    with server.http(secrets["admin"]) as http:
        http.put("/v1/catalog/items/canary", json={"fields": {"title": canary}})
        http.get(f"/v1/users/{canary}")
        http.delete("/v1/catalog/items/canary")
        http.get("/v1/metrics/online")
    while not any(line.get("route") == "/v1/metrics/online" for line in server.lines):
        pass
    logged = json.dumps(server.lines) + "\n".join(server.said)
    assert "Zebra" not in logged
    assert "gk_" not in logged
    assert not any(secret in logged or hashed(secret) in logged for secret in secrets.values())
    users = [line["user"] for line in server.lines if "user" in line]
    assert users.count(Pseudonyms.of("test")(canary)) == 4


def test_errors_show_no_internals(http: httpx.Client) -> None:
    for answer in (http.get("/nowhere"), http.post("/v1/recommendations", json={"user_id": 5}), http.get("/v1/events")):
        assert set(answer.json()) == {"error"}
        assert not re.search(r"Traceback|\.py|sqlalchemy|site-packages", answer.text)


def test_a_secret_is_kept_as_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    command = [sys.executable, "-m", "serving.newkey", "shop", "--scope", "recommend", "--scope", "events",
               "--keys", str(path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    secret = done.stdout.strip()
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    found = Keys.load(path).find(secret)
    assert found is not None
    assert (found.name, found.scopes) == ("shop", ("recommend", "events"))
    assert Keys.load(path).find(secret + "x") is None
    again = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert again.returncode == 2
    assert "a key of this name is there" in again.stderr
    assert len(read(path)) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"keys": [{"name": "a"}]}', '{"keys": [{"name": "a b", "sha256": "0"}]}'])
def test_a_file_that_holds_no_keys_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(ConfigError, match="not a file of keys"):
        read(tmp_path / "keys.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.json")


@pytest.mark.parametrize(("name", "scopes"), [("", ["recommend"]), ("a b", ["recommend"]), ("shop", ["everything"])])
def test_keys_that_cannot_be(name: str, scopes: list[str]) -> None:
    with pytest.raises(ConfigError):
        new(name, scopes)  # type: ignore[arg-type]
