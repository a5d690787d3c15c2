"""Pages made of the program itself: every command with its flags, every setting, every route; and the README as home.

What a flag or a setting does is said once, where it is defined; a test sees that it is said at all. Knows no site:
docs/hooks.py puts the pages into it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import typer.main
from fastapi import FastAPI
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from genrec.cli.app import EXIT_CODES, application  # noqa: E402
from genrec.preparing import PrepareConfig  # noqa: E402
from genrec.tuning.align_settings import AlignSettings  # noqa: E402
from genrec.tuning.reading import ReadingSettings  # noqa: E402
from genrec.tuning.settings import PrivateSettings, SftSettings, ShrinkSettings  # noqa: E402
from serving import problems  # noqa: E402
from serving.app import ROUTERS  # noqa: E402
from serving.settings import ServeSettings  # noqa: E402

SETTINGS: dict[str, tuple[type[BaseModel], str]] = {
    "Training": (SftSettings, "`genrec train`, `genrec index`, `training/sft.py`; files in `training/configs`."),
    "Shrinking": (ShrinkSettings, "`genrec shrink`, `training/shrink.py`; `training/configs/shrink.yaml`."),
    "Private": (PrivateSettings, "`training/private.py`."),
    "Alignment": (AlignSettings, "`genrec align`, `training/dpo.py`; `training/configs/align.yaml`."),
    "Reading requests": (ReadingSettings, "`genrec train-chat`, `training/chat.py`."),
    "Serving": (ServeSettings, "`genrec serve`; in the environment `GENREC_ENGINE__TIMEOUT_S` is `engine.timeout_s`."),
    "Preparing": (PrepareConfig, "`genrec prepare`, by its flags; `genrec.prepare` from Python."),
}  # fmt: skip


def pages() -> dict[str, str]:
    """Path below docs/ → Markdown."""
    return {
        "reference/cli.md": cli_page(), "reference/settings.md": settings_page(), "reference/http.md": http_page(),
        "reference/python.md": python_page(), "index.md": home_page(),
    }  # fmt: skip


def home_page() -> str:
    """The README, its links as they are from docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\]\((?!https?:|#)(docs/)?", lambda found: "](" if found[1] else "](../", text)


def commands() -> Iterator[tuple[str, click.Command]]:
    """(`genrec train`, its command) of every command, groups opened."""
    root = typer.main.get_command(application())
    assert isinstance(root, click.Group) or hasattr(root, "commands")
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield f"genrec {name}", command
        for below, one in (inner or {}).items():
            yield f"genrec {name} {below}", one


def cli_page() -> str:
    parts = [
        "# Command line",
        "Made of the program. " + EXIT_CODES,
        "`genrec --install-completion` teaches your shell to complete them.",
    ]
    for name, command in commands():
        parts += [f"## {name}", inspect.cleandoc(command.help or ""), "\n".join(_flags(command))]
    return "\n\n".join(parts) + "\n"


def _flags(command: click.Command) -> Iterator[str]:
    yield "| | | default |"
    yield "|---|---|---|"
    for one in command.params:
        if one.name == "help":
            continue
        words = ", ".join(f"`{word}`" for word in (*one.opts, *one.secondary_opts))
        words = words if one.param_type_name == "option" else f"`{(one.name or '').upper()}`"
        shown = "needed" if one.required else _default(one.default)
        yield f"| {words} | {_cell(getattr(one, 'help', '') or '')} | {shown} |"


def _default(value: Any) -> str:
    return "" if value is None or callable(value) or value == () else f"`{value}`"


def settings_page() -> str:
    parts = ["# Settings", "Given in a YAML file (`--config`) and as `section.key=value` behind a command; later wins."]
    for name, (kind, where) in SETTINGS.items():
        parts += [f"## {name}", where, "\n".join(_rows(kind))]
    return "\n\n".join(parts) + "\n"


def _rows(kind: type[BaseModel]) -> Iterator[str]:
    yield "| setting | what it does | default |"
    yield "|---|---|---|"
    for name, said, default in described(kind):
        yield f"| `{name}` | {_cell(said)} | {_cell(default)} |"


def described(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted name, prose under it, default) of every setting of a class and of the classes in it."""
    prose = {name: text for one in reversed(kind.__mro__) if one.__module__ != "builtins" for name, text in _prose(one)}
    for name, field in kind.model_fields.items():
        inner = [one for one in (field.annotation, *get_args(field.annotation)) if inspect.isclass(one)]
        section = next((one for one in inner if issubclass(one, BaseModel)), None)
        if section is not None:
            yield from described(section, f"{prefix}{name}.")
        else:
            default = "needed" if field.is_required() else _value(field.default)
            default = "computed" if field.default_factory is not None else default
            yield f"{prefix}{name}", prose.get(name, field.description or ""), default


def _prose(kind: type) -> Iterator[tuple[str, str]]:
    """Names and the texts that stand under them in the source of a class."""
    try:
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):
        return
    assert isinstance(body, ast.ClassDef)
    for first, then in zip(body.body, body.body[1:], strict=False):
        named = isinstance(first, ast.AnnAssign) and isinstance(first.target, ast.Name)
        said = then.value if isinstance(then, ast.Expr) else None
        if named and isinstance(said, ast.Constant) and isinstance(said.value, str):
            yield first.target.id, inspect.cleandoc(said.value)


def _value(value: Any) -> str:
    return "" if value is None else f"`{value}`"


def http_page() -> str:
    """Of the OpenAPI document that a server gives out as well."""
    app = FastAPI(title="genrec", version="0", docs_url=None)
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    parts = ["# HTTP", "`GET /openapi.json` of a server says the same, with the shapes of bodies and answers."]
    for path, operations in app.openapi()["paths"].items():
        for method, one in operations.items():
            said = one.get("description", "").strip()
            parts += [f"## {method.upper()} `{path}`", f"{one['summary']}. {said}", _body(app.openapi(), one)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _body(document: dict[str, Any], operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = content.get("$ref", "").rpartition("/")[2]
    if not name:
        return ""
    fields = document["components"]["schemas"][name].get("properties", {})
    return "Body: " + ", ".join(f"`{field}`" for field in fields) + "."


def python_page() -> str:
    import genrec

    parts = ["# Python", "What `import genrec` gives; each name loads when it is first asked for."]
    parts += [f"::: genrec.{home}.{name}" for name, home in sorted(_homes(genrec).items())]
    parts += ["## Client of a server", "::: genrec.client.Client", "## Answers", "::: genrec.answers"]
    return "\n\n".join(parts) + "\n"


def _homes(package: Any) -> dict[str, str]:
    return {name: getattr(package, name).__module__.removeprefix("genrec.") for name in package.__all__}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
