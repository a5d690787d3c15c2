"""A catalog that has no semantic ID left: a new item is refused, what is there goes on."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.running import Tiny, trained_here
from tests.helpers.server import Server


def test_an_item_too_many_is_refused_and_costs_nothing(tiny: Tiny, tmp_path: Path) -> None:
    """80 films and 81 codes: the first new item takes the last one."""
    settings = ("items.codes.levels=1", "items.codes.size=81", "optimiser.epochs=1", "mixture.explain=0")
    bundle = trained_here(tiny.data, tmp_path / "bundle", *settings)
    with Server(bundle, f"sqlite:///{tmp_path}/events.db", ["drain_s=0"]) as server, server.http() as http:
        fits, refused = (
            http.put(f"/v1/catalog/items/{name}", json={"fields": {"title": name, "genres": ["Drama"]}})
            for name in ("first", "second")
        )
        assert fits.status_code == 200
        assert refused.status_code == 409
        assert "no free semantic ID" in refused.json()["error"]["message"]
        assert "refit" in refused.json()["error"]["remedy"]
        assert http.get("/v1/catalog/items/second").status_code == 404
        assert http.put("/v1/catalog/items/first", json={"fields": {"title": "Again"}}).status_code == 200
        slate = http.post("/v1/recommendations", json={"history": ["f0001"], "k": 90, "explain": False}).json()
        assert not slate["degraded"]
        assert "first" in {item["id"] for item in slate["items"]}
