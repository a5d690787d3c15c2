"""The container files: every query of the dashboard resolves against /metrics, nobody is root, no secret is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from serving.metrics import Metrics

DEPLOY = Path(__file__).resolve().parents[2] / "serving" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "genrec.json").read_text(encoding="utf-8"))
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
SCRAPED = {"instance", "job"}
"""Labels that Prometheus gives every series."""


def exported() -> dict[str, set[str]]:
    """Series name → its labels, as /metrics names them."""
    found: dict[str, set[str]] = {}
    for collector, names in Metrics().registry._collector_to_names.items():
        labels = set(collector._labelnames)  # type: ignore[attr-defined]
        for name in names:
            found[name] = labels | ({"le"} if name.endswith("_bucket") else set())
    return found


def used(query: str) -> Iterator[tuple[str, set[str]]]:
    """Every series that a query names, with the labels that it expects of it."""
    yield from _used(promql_parser.parse(query.replace("$__rate_interval", "5m")), set())


def _used(node: Any, outer: set[str]) -> Iterator[tuple[str, set[str]]]:
    match type(node).__name__:
        case "VectorSelector":
            yield node.name, outer | {matcher.name for matcher in node.matchers.matchers}
        case "MatrixSelector":
            yield from _used(node.vector_selector, outer)
        case "AggregateExpr":
            yield from _used(node.expr, outer | set(node.modifier.labels if node.modifier else ()))
        case "Call":
            for argument in node.args:
                yield from _used(argument, outer)
        case "BinaryExpr":
            yield from _used(node.lhs, outer)
            yield from _used(node.rhs, outer)
        case "ParenExpr":
            yield from _used(node.expr, outer)
        case "NumberLiteral":
            return
        case other:
            raise AssertionError(f"a kind of expression that this test does not read: {other}")


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_of_the_dashboard_resolves(query: str) -> None:
    known = exported()
    named = list(used(query))
    assert named
    for name, labels in named:
        assert name in known, f"{name} is not exported: {', '.join(sorted(known))}"
        assert labels <= known[name] | SCRAPED, f"{name} has the labels {known[name]}"


def test_a_wrong_name_and_a_wrong_label_would_be_found() -> None:
    query = 'histogram_quantile(0.9, sum by (le, colour) (rate(a_bucket{x="1"}[5m]))) / (count(b) + 1)'
    assert list(used(query)) == [("a_bucket", {"le", "colour", "x"}), ("b", set())]


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for query in QUERIES.values() for name, _ in used(query)}
    families = {re.sub(r"_(total|created|bucket|sum|count)$", "", name) for name in exported()}
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown} == families


def test_legends_use_labels_that_the_query_keeps() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            kept = {label for _, labels in used(target["expr"]) for label in labels} | SCRAPED
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


def test_panels_do_not_overlap_and_read_the_provisioned_source() -> None:
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    for panel in DASHBOARD["panels"]:
        assert {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])} == {
            source["uid"]
        }


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_nobody_and_can_do_nothing(name: str) -> None:
    service = SERVICES[name]
    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "pid", "network_mode", "cap_add", "devices"} & set(service)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_only_the_server_reaches_the_database_and_only_from_inside() -> None:
    assert {name for name, service in SERVICES.items() if "store" in service["networks"]} == {"genrec", "postgres"}
    assert COMPOSE["networks"]["store"]["internal"]
    assert "ports" not in SERVICES["postgres"]


def test_no_secret_stands_in_a_file() -> None:
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    assert set(re.findall(r"^(\w+)=$", example, flags=re.MULTILINE)) == asked
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|TOKEN", name):
                assert value.startswith("${"), name
    assert {".env", "secrets/"} <= set((DEPLOY / ".gitignore").read_text(encoding="utf-8").split())


def test_what_is_mounted_is_there() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    for mount in mounts:
        if mount.startswith("./"):
            assert (DEPLOY / mount.split(":")[0]).exists(), mount
            assert mount.endswith(":ro")
    assert (DEPLOY / SERVICES["genrec"]["build"]["context"] / SERVICES["genrec"]["build"]["dockerfile"]).is_file()
    declared = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert declared == set(COMPOSE["secrets"])


def test_prometheus_has_a_key_of_its_own() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert (job["metrics_path"], job["static_configs"]) == ("/metrics", [{"targets": ["genrec:8000"]}])
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_key"


def test_the_image_runs_as_nobody() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    final = lines[max(place for place, line in enumerate(lines) if line.startswith("FROM ")) :]
    users = [line.split()[1] for line in final if line.startswith("USER ")]
    assert users == ["10001:10001"]
    assert final.index("USER 10001:10001") < next(n for n, line in enumerate(final) if line.startswith("ENTRYPOINT"))
    assert not [line for line in lines if line.startswith("ADD ") or re.search("(PASSWORD|SECRET|TOKEN)=", line)]
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    assert all((DEPLOY.parents[1] / name).exists() for name in copied)
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {f"!{name}" for name in copied} <= set(ignored)
    assert ignored[0] == "*"
