"""Prompts: YAML files with a template for the prompt and one for the completion, checked on load.

Knows templates and their variables, and which phrasings an explanation may use; knows no catalog, tokenizer or model.
Every value that a template prints is cleaned unless it went through a filter that says otherwise (see slots):

    {{ title }}                    one cleaned line, for completions
    {{ message | slot }}           cleaned and delimited, `slot(200)` with at most 200 characters; for prompts
    {{ history | codes }}          semantic IDs as they are, refused if they are anything else
    {{ sentence | marked }}        a sentence that keeps its evidence markers
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, Self

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, ValidationInfo, model_validator

from genrec.alternatives import spread
from genrec.errors import PromptError
from genrec.located import Source, read_yaml
from genrec.slots import CLOSE, CONTROL, MARKERS, OPEN, Ready, clean, codes, marked, markers_in, slot

Value = str | int
Part = Literal["reason", "short", "contrast", "counterfactual", "rule"]
"""What a sentence does in an explanation: names a reason, the same in few words, says why not another item, what would
be without a choice, or which rule of the request is met."""
MOST_SENTENCES = 4096


class Phrasings(BaseModel):
    """Sentences that say the same kind of thing; each may be a completion.

    Every fact that a sentence names is shared by `{item}` and by each `{liked_…}` that it names, not by `{other}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """What is said: a shared director, a shared genre, no shared fact, …"""
    facts: int = Field(ge=0, le=2)
    """How many shared facts (field_1 and value_1, field_2 and value_2) the sentences need."""
    fields: tuple[str, ...] = ()
    """The catalog fields that the first fact may come from; empty: any, and the sentences name it as {field_1}."""
    part: Part = "reason"
    """What these sentences do in an explanation."""
    texts: tuple[str, ...] = Field(min_length=1)
    """Each is a sentence, or many: `[Like|As with] {liked_1}, …` is one for each part of a group."""

    def usable(self, evidence: int) -> list[tuple[str, ...]]:
        """The sentences that name no more than `evidence` of the liked items, those of one text together."""
        fit = [text for text in self.texts if len(markers_in(text) & {"liked_1", "liked_2"}) <= evidence]
        return [spread(text) for text in fit]


class Prompt(BaseModel):
    """One task in one language. `render` gives the prompt, `completed` the completion, `example` both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """The task; the file's name without its ending."""
    language: str
    """The language of the instruction; the folder's name."""
    version: int = Field(ge=1)
    """Raised when the words change, so that a bundle tells what it was trained on."""
    variables: dict[str, str]
    """Variable → what to put there. Exactly those that the two templates use."""
    prompt: str
    """Template of what the model reads."""
    completion: str
    """Template of what the model writes."""
    phrasings: tuple[Phrasings, ...] = ()
    """Sentences to choose from for a completion that is one sentence."""

    _source: Source = PrivateAttr()

    @model_validator(mode="after")
    def _checked(self, info: ValidationInfo) -> Self:
        self._source = info.context if isinstance(info.context, Source) else Source(f"prompt {self.name!r}", {})
        _check_variables(self, self._source)
        _check_phrasings(self.phrasings, self._source)
        return self

    def render(self, **values: Value) -> str:
        """The prompt; raises PromptError that names missing and unknown variables."""
        return self._fill("prompt", values)

    def completed(self, **values: Value) -> str:
        """The completion; raises PromptError that names missing and unknown variables."""
        return self._fill("completion", values)

    def example(self, **values: Value) -> dict[str, str]:
        """`{"prompt": …, "completion": …}`, as TRL reads it; takes the variables of both templates."""
        self._compare(values, set(self.variables), "variables")
        return {
            part: self._fill(part, {name: values[name] for name in _compiled(getattr(self, part)).lines})
            for part in ("prompt", "completion")
        }

    def fitting(self, fields: Sequence[str], evidence: int, part: Part = "reason") -> list[tuple[str, ...]]:
        """The sentences that hold, given the fields shared (best first) and by how many liked items they are; those
        that one text stands for are together.

        Phrasings for the first field replace the general ones; those for two facts need both from all evidence.
        """
        first = fields[0] if fields else ""
        mine = [group for group in self.phrasings if group.part == part]
        one = [group for group in mine if group.facts == 1]
        named = [group for group in one if first in group.fields] or [group for group in one if not group.fields]
        two = [group for group in mine if group.facts == 2]
        none = [group for group in mine if group.facts == 0]
        groups = (none, named, named + two)[min(len(fields), 2)]
        return [sentences for group in groups for sentences in group.usable(evidence)]

    def _fill(self, part: str, values: dict[str, Value]) -> str:
        compiled = _compiled(getattr(self, part))
        self._compare(values, set(compiled.lines), part)
        try:
            return compiled.template.render(values)
        except PromptError as wrong:
            place = f"{self._source.at(part)}: {part}"
            raise PromptError(wrong.problem, value=wrong.value, where=place, allowed=wrong.allowed) from None
        except jinja2.TemplateError as wrong:
            raise PromptError(f"the {part} does not render: {wrong}", where=self._source.at(part)) from None

    def _compare(self, values: dict[str, Value], wanted: set[str], part: str) -> None:
        differences = {"lacks": wanted - values.keys(), "does not know": values.keys() - wanted}
        if any(differences.values()):
            said = [f"{verb} {', '.join(sorted(names))}" for verb, names in differences.items() if names]
            raise PromptError(
                f"the {part} of {self.name} {' and '.join(said)}",
                where=self._source.at(part),
                allowed=", ".join(sorted(wanted)),
                remedy="pass exactly the variables of the template",
            )


@dataclass(frozen=True)
class Prompts:
    """All tasks of one language, by name, with the folder they came from. beside: the same in other languages, in which
    reasons are given, too."""

    language: str
    folder: Path
    by_name: dict[str, Prompt]
    beside: Mapping[str, Prompts] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Prompt:
        if name not in self.by_name:
            raise PromptError("no such prompt", value=name, where=str(self.folder), allowed=", ".join(self.by_name))
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    @property
    def every(self) -> tuple[Prompts, ...]:
        """These, then those beside them."""
        return (self, *self.beside.values())

    @property
    def control_tokens(self) -> list[str]:
        """Every control token of the templates and slots, sorted: what a vocabulary should know as one token."""
        prompts = [prompt for one in self.every for prompt in one.by_name.values()]
        templates = " ".join(prompt.prompt + prompt.completion for prompt in prompts)
        return sorted({OPEN, CLOSE, *CONTROL.findall(templates)})


def load_prompts(folder: Path, language: str, beside: Sequence[str] = ()) -> Prompts:
    """All prompts of `folder/language/*.yaml`, and of other languages beside them; raises PromptError (file and line)
    at the first wrong one."""
    files = sorted((folder / language).glob("*.yaml"))
    if not files:
        there = sorted(path.name for path in folder.glob("*") if path.is_dir())
        raise PromptError("no prompts in this language", value=language, where=str(folder), allowed=", ".join(there))
    others = {one: load_prompts(folder, one) for one in beside if one != language}
    return Prompts(language, folder / language, {file.stem: load_prompt(file) for file in files}, others)


def load_prompt(file: Path) -> Prompt:
    """One prompt file `…/<language>/<name>.yaml`; raises PromptError with file and line."""
    source, data = read_yaml(file, PromptError)
    try:
        prompt = Prompt.model_validate(data, context=source)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PromptError(f"{place}: {first['msg']}", where=source.at(place), allowed=_ALLOWED_KEYS) from None
    expected = {"name": file.stem, "language": file.parent.name}
    for key, wanted in expected.items():
        if getattr(prompt, key) != wanted:
            raise PromptError(
                f"{key} is not that of the file", value=getattr(prompt, key), where=source.at(key), allowed=wanted
            )
    return prompt


_ALLOWED_KEYS = ", ".join(Prompt.model_fields)


@dataclass(frozen=True)
class _Compiled:
    """A template, and the line within it of the first use of each of its variables."""

    template: jinja2.Template
    lines: dict[str, int]


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, finalize=_finalize, autoescape=False)
    environment.globals.clear()
    environment.filters.clear()
    environment.filters.update(slot=slot, codes=codes, marked=marked)
    return environment


def _finalize(value: object) -> str:
    return value if isinstance(value, Ready) else clean(str(value))


@cache
def _compiled(text: str) -> _Compiled:
    """Raises jinja2.TemplateSyntaxError."""
    tree = _environment().parse(text)
    names = meta.find_undeclared_variables(tree)
    uses = [(node.name, node.lineno) for node in tree.find_all(nodes.Name) if node.name in names]
    return _Compiled(_environment().from_string(text), dict(reversed(uses)))


def _check_variables(prompt: Prompt, source: Source) -> None:
    used: set[str] = set()
    for part in ("prompt", "completion"):
        lines = _template_lines(prompt, part, source)
        for name, line in lines.items():
            if name not in prompt.variables:
                raise PromptError(
                    f"the {part} uses a variable that is not declared",
                    value=name,
                    where=source.at(part, line - 1),
                    allowed=", ".join(prompt.variables),
                    remedy="declare it under variables, or correct its name",
                )
        used |= lines.keys()
    for name in prompt.variables.keys() - used:
        place = source.at(f"variables.{name}")
        raise PromptError(
            "a declared variable is in neither template", value=name, where=place, remedy="use it or drop it"
        )


def _template_lines(prompt: Prompt, part: str, source: Source) -> dict[str, int]:
    try:
        return _compiled(getattr(prompt, part)).lines
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(
            f"the {part} is not a template: {error.message}",
            where=source.at(part, error.lineno - 1),
            allowed="{{ variable }}, {% if variable %}, and the filters slot, codes, marked",
        ) from None


def _check_phrasings(groups: Sequence[Phrasings], source: Source) -> None:
    for number, group in enumerate(groups):
        needed, allowed = _markers_of(group)
        for place, text in enumerate(group.texts):
            sentences = _spread(text, source.at(f"phrasings.{number}.texts.{place}"))
            if not all(needed <= markers_in(one) <= set(allowed) for one in sentences):
                raise PromptError(
                    f"a {group.kind} phrasing has markers that do not fit its facts",
                    value=text,
                    where=source.at(f"phrasings.{number}.texts.{place}"),
                    allowed=f"{', '.join(allowed)}; {', '.join(sorted(needed))} must occur",
                )


_NEEDED: dict[Part, tuple[str, ...]] = {
    "reason": ("item",),
    "short": (),
    "contrast": ("item", "other", "liked_1"),
    "counterfactual": ("item", "liked_1"),
    "rule": ("rule",),
}


def _markers_of(group: Phrasings) -> tuple[set[str], list[str]]:
    """The markers that a sentence of this group must have, and those that it may have."""
    needed = {*_NEEDED[group.part], *(f"value_{fact + 1}" for fact in range(group.facts))}
    special = {"other": group.part == "contrast", "rule": group.part == "rule"}
    counted = [marker for marker in MARKERS if marker[-1] not in "12"[group.facts :] or marker.startswith("liked")]
    return needed, [marker for marker in counted if special.get(marker, True)]


def _spread(text: str, where: str) -> tuple[str, ...]:
    try:
        sentences = spread(text)
    except ValueError as wrong:
        raise PromptError(f"a phrasing's brackets do not fit: {wrong}", value=text, where=where) from None
    if len(sentences) > MOST_SENTENCES:
        raise PromptError(
            "a phrasing stands for too many sentences", value=len(sentences), where=where,
            allowed=f"at most {MOST_SENTENCES:,}", remedy="split it, or leave alternatives out",
        )  # fmt: skip
    return sentences
