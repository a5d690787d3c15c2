"""Settings of a program: a YAML file checked against its pydantic class, with flags that override. Knows no program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from genrec.errors import ConfigError
from genrec.located import Source, read_yaml

Settings = TypeVar("Settings", bound=BaseModel)


def load_settings(kind: type[Settings], file: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """The settings of `file`, then `section.key=value` overrides; raises ConfigError for what the class refuses."""
    source, data = Source("settings", {}), dict[str, Any]()
    if file is not None:
        if not file.is_file():
            raise ConfigError("no such config file", value=str(file), remedy="see training/configs")
        source, data = read_yaml(file, ConfigError)
    put = {_put(data, override): override for override in overrides}
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise _taught(kind, error, source, put) from None


def _put(data: dict[str, Any], override: str) -> str:
    """The override's key, once its value stands in `data`."""
    path, separator, text = override.partition("=")
    if not separator:
        raise ConfigError("an override lacks its value", value=override, allowed="section.key=value")
    *sections, key = path.split(".")
    for section in sections:
        if data.get(section) is None:
            data[section] = {}
        data = data[section]
        if not isinstance(data, dict):
            raise ConfigError(f"{section} is no section", value=override, remedy=f"override {section} itself")
    try:
        data[key] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError("an override's value is not YAML", value=override, remedy="quote the value") from None
    return path


def _taught(kind: type[BaseModel], error: ValidationError, source: Source, put: Mapping[str, str]) -> ConfigError:
    """The first thing wrong, where it stands, and for an unknown key those that its section has."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    unknown = first["type"] == "extra_forbidden"
    return ConfigError(
        f"{place}: no such key" if unknown else f"{place}: {first['msg']}",
        value=first.get("input"),
        where=f"override {put[place]}" if place in put else source.at(place),
        allowed=", ".join(_keys(kind, first["loc"])) if unknown else "",
        remedy="correct or remove this key" if unknown else "correct this value",
    )


def _keys(kind: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The keys of the section that an error's place lies in."""
    for part in place[:-1]:
        inner = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else None
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            kind = inner
    return list(kind.model_fields)
