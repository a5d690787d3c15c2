"""`python -m serving --bundle B`: the server as a program; `genrec serve` starts it. Knows no route."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from genrec.terminal import guarded
from serving import logs
from serving.keys import SCOPES, Keys, new
from serving.logs import say
from serving.run import run
from serving.seeding import seed
from serving.service import Service
from serving.settings import ServeSettings, settings_of

_FLAGS = ("bundle", "store", "host", "port", "keys", "data", "beside")


def main() -> None:
    with guarded():
        settings, as_json = _asked()
        logs.start()
        keys, secret = _keys(settings)
        service = Service.open(settings, keys)
        if settings.data is not None:
            say("interactions of the data are in the store", new=seed(service.store, settings.data))
        run(service, lambda url: _tell(service, url, secret) if as_json else _greet(service, url, secret))


def _asked() -> tuple[ServeSettings, bool]:
    """Settings, and whether a script is to read what it says."""
    parser = argparse.ArgumentParser(prog="genrec serve", description="Serves a bundle over HTTP.")
    parser.add_argument("--config", type=Path, help="YAML of settings")
    for name in (*_FLAGS, "engine"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--json", action="store_true", help="address and key as one line of JSON")
    parser.add_argument("overrides", nargs="*", help="settings as section.key=value")
    found = parser.parse_args()
    flags = [f"{name}={value}" for name in _FLAGS if (value := getattr(found, name)) is not None]
    flags += [f"engine.kind={found.engine}"] if found.engine else []
    return settings_of(found.config, [*flags, *found.overrides], os.environ), found.json


def _keys(settings: ServeSettings) -> tuple[Keys, str]:
    """The keys of the file, or one made for this run, and its secret."""
    if settings.keys is not None:
        return Keys.load(settings.keys), ""
    secret, key = new("this-run", SCOPES)
    return Keys.of([key]), secret


def _tell(service: Service, url: str, secret: str) -> None:
    """key: None where keys come from a file."""
    print(json.dumps({"url": url, "key": secret or None, "version": service.live.version}), flush=True)


def _greet(service: Service, url: str, secret: str) -> None:
    out = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    out.print(f"genrec serves bundle {service.live.version} at {url}", style="bold")
    key = secret or "$GENREC_API_KEY"
    if service.settings.page:  # what stands behind # stays in the browser: no server, proxy or log sees it
        out.print(Text(f"open: {url}/#key={secret}" if secret else f"open: {url}/ (it asks for a key)"), style="bold")
    out.print(
        Text(f"key: {secret} (made for this run; keys that stay: genrec key)" if secret else "keys: from the file")
    )
    item = service.live.catalog.item_ids[0]
    out.print(Text(
        f"try: curl -s {url}/v1/recommendations -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
        f" -d '{{\"history\": [\"{item}\"], \"k\": 3}}'"
    ))  # fmt: skip
    sys.stdout.flush()


if __name__ == "__main__":
    main()
