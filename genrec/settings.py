"""Settings of a program: a YAML file checked against its pydantic class, with flags that override. Knows no program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from genrec.errors import ConfigError
from genrec.located import read_yaml

Settings = TypeVar("Settings", bound=BaseModel)


def load_settings(kind: type[Settings], file: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """The settings of `file`, then `section.key=value` overrides; raises ConfigError for what the class does not know."""
    data: dict[str, Any] = {}
    if file is not None:
        if not file.is_file():
            raise ConfigError("no such config file", value=str(file), remedy="see training/configs")
        _, data = read_yaml(file, ConfigError)
    for override in overrides:
        _put(data, override)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise _taught(kind, error, str(file or "settings")) from None


def _put(data: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    if not separator:
        raise ConfigError("an override lacks its value", value=override, allowed="section.key=value")
    *sections, key = path.split(".")
    for section in sections:
        data = data.setdefault(section, {})
    data[key] = yaml.safe_load(text)


def _taught(kind: type[BaseModel], error: ValidationError, where: str) -> ConfigError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return ConfigError(
        f"{place}: {first['msg']}",
        value=first.get("input"),
        where=where,
        allowed=", ".join(_keys(kind, first["loc"])),
        remedy="correct or remove this key",
    )


def _keys(kind: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The keys of the section that an error's place lies in."""
    for part in place[:-1]:
        inner = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else None
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            kind = inner
    return list(kind.model_fields)
