"""`genrec serve`, `genrec key` and `genrec chat`. Start programs or talk; know neither routes nor grammar."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.shared import AsJson, BundleFolder, ConfigFile, History, Overrides, console, quiet_models, show_json
from genrec.doctor import require

if TYPE_CHECKING:
    from genrec.talking import Talk

Keys = Annotated[Path | None, typer.Option(help="File of hashed API keys; without it a key for this run is made.")]


def serve(
    bundle: BundleFolder,
    overrides: Overrides = None,
    store: Annotated[str | None, typer.Option(help="sqlite:///file.db, or postgresql://… for several servers.")] = None,
    engine: Annotated[str | None, typer.Option(help="torch, or vllm.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: this machine only.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    keys: Keys = None,
    data: Annotated[Path | None, typer.Option(help="Prepared data whose users the server is to know.")] = None,
    beside: Annotated[
        Path | None, typer.Option(help="Folder of more bundles of this catalog, asked for by their folders' names.")
    ] = None,
    config: ConfigFile = None,
    json: Annotated[bool, typer.Option("--json", help="Address and key as one line of JSON, once it answers.")] = False,
) -> None:
    """Serves a bundle over HTTP: a page to look at, recommendations, chat, explanations, feedback. Prints the page's
    address, a key and a request."""
    require("serve")
    from genrec.programs import become_serving

    flags = {"store": store, "engine": engine, "host": host, "port": port, "keys": keys, "data": data}
    flags |= {"beside": beside, "config": config}
    given = [word for name, value in flags.items() if value is not None for word in (f"--{name}", str(value))]
    given += ["--json"] * json
    become_serving("serving", ["--bundle", str(bundle), *given, "--", *(overrides or ())])


def key(
    name: Annotated[str, typer.Argument(help="What logs and rate limits call it.")],
    scope: Annotated[list[str], typer.Option(help="What it opens: recommend, events, admin, metrics; repeatable.")],
    keys: Annotated[Path, typer.Option(help="File to add it to; made where there is none.")] = Path("keys.json"),
    rate: Annotated[float | None, typer.Option(min=0.001, help="Requests per second; default: the server's.")] = None,
    json: AsJson = False,
) -> None:
    """Makes an API key, prints it once, and keeps only its hash."""
    require("serve")
    from genrec.programs import ask_serving

    scopes = [word for one in scope for word in ("--scope", one)]
    words = [name, *scopes, "--keys", str(keys), *(["--rate", str(rate)] if rate else [])]
    secret = ask_serving("serving.newkey", words).strip()
    if json:
        show_json({"name": name, "scopes": scope, "key": secret, "keys": str(keys)})
    else:
        print(secret)


def chat(
    bundle: BundleFolder,
    history: History = None,
    json: Annotated[
        bool, typer.Option("--json", help="Messages from standard input, a line of JSON for each.")
    ] = False,
) -> None:
    """Talk about what to choose, in the terminal; an empty line or Ctrl-D ends it."""
    require("recommend")
    quiet_models()
    from genrec.cli.shared import titles
    from genrec.recommender import Recommender
    from genrec.talking import Talk

    recommender = Recommender.open(bundle)
    talk = Talk(recommender, tuple(recommender.find(titles(history))))
    if json:
        _answer_lines(talk)
        return
    out = console()
    out.print("[dim]Say what you are in the mood for; an empty line ends.[/dim]")
    while True:
        try:
            message = out.input("[bold cyan]you[/bold cyan] ").strip()
        except EOFError:
            return
        if not message:
            return
        out.print("[bold green]genrec[/bold green] ", end="")
        out.print(talk.say(message), highlight=False, markup=False)


def _answer_lines(talk: Talk) -> None:
    """{"reply", "items"} for every message of standard input; items: what the reply shows, best first."""
    for message in filter(None, map(str.strip, sys.stdin)):
        before = len(talk.shown)
        reply = talk.say(message)
        titles = dict(zip(talk.recommender.catalog.item_ids, talk.recommender.catalog.titles, strict=True))
        items = [{"id": item, "title": titles[item]} for item in talk.shown[before:]]
        print(dumps({"reply": reply, "items": items}, ensure_ascii=False), flush=True)
