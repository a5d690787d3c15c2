"""Chat in OpenAI's shapes, with what they lack beside it: items, constraints, followup. Knows no route."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from genrec.answers import RecommendedItem
from genrec.chatting.request import Language
from genrec.chatting.rules import Rule
from serving.schemas.recommendations import MOST_RULES, NoMatch, Window
from serving.schemas.shared import MODEL, MOST_ITEMS, Answer, ItemId, UserId, Weight

"""What clients may call the model; its version does, too."""
_LONGEST = 20_000


class Part(BaseModel):
    """A part of a message; only text is read."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(max_length=40)
    text: str | None = Field(None, max_length=_LONGEST)


class Message(BaseModel):
    """user: read as a request; assistant: what it named counts as shown; others are not read."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = Field(None, max_length=_LONGEST)

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text or "" for part in self.content if part.type == "text")
        return self.content or ""


_MOST_LEANINGS = 50
Items = Annotated[list[ItemId], Field(max_length=MOST_ITEMS)]
Traits = Annotated[list[Rule], Field(max_length=_MOST_LEANINGS)]
Moods = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=200)]], Field(max_length=_MOST_LEANINGS)
]


class Held(BaseModel):
    """What holds already: `constraints` of an answer, as it was given or edited. Nothing in it is parsed as words."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    liked: Items = []
    """Items that count as chosen last."""
    disliked: Items = []
    """Items that do not come, and that speak against what is like them."""
    seen: Items = []
    """Items that do not come."""
    shown: Items = []
    """Items that were shown when others were asked for; they do not come either."""
    rules: list[Rule] = Field(default=[], max_length=MOST_RULES)
    """Met by every item."""
    liked_traits: Traits = []
    """Move items up that meet them."""
    disliked_traits: Traits = []
    """Move items down that meet them."""
    moods: Moods = []
    """Words that items are to be like."""
    unwanted_moods: Moods = []
    """Words that items are not to be like."""
    count: int | None = Field(None, ge=1, le=200)
    """How many."""
    surprise: bool = False
    """Whether items are to differ from each other."""
    language: Language = "en"
    """Of the answer, where no message decides."""


class ChatRequest(BaseModel):
    """OpenAI's request. What steers a language model's dice (temperature, top_p, seed …) is accepted and has no
    effect: the same conversation gets the same answer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str = Field(MODEL, max_length=100)
    """One of /v1/models."""
    messages: list[Message] = Field(default=[], max_length=200)
    """Read from the first to the last; later messages revise earlier ones. At least one, or `understood`."""
    understood: Held | None = None
    """What holds before the messages: an earlier answer's `constraints`, perhaps edited by whoever asked (genrec's
    own). Then only what was said since need be sent."""
    stream: bool = False
    """Server-sent events, as OpenAI sends them."""
    user: UserId | None = None
    """Whose stored history is read."""
    history: list[ItemId] | None = Field(None, max_length=MOST_ITEMS)
    """Item ids in place of a stored history (genrec's own)."""
    without: list[ItemId] = Field(default=[], max_length=MOST_ITEMS)
    """Items of the history that are read as if they had not happened (genrec's own)."""
    exclude: list[ItemId] = Field(default=[], max_length=MOST_ITEMS)
    """Items that never come (genrec's own)."""
    weights: dict[str, Weight] | None = Field(None, max_length=20)
    """Weights of priors in place of the bundle's (genrec's own)."""
    diversity: float | None = Field(None, ge=0, le=1)
    """0: the best items; towards 1: items less like each other; nothing: 0, and more for a surprise (genrec's own)."""
    k: int = Field(5, ge=1, le=200)
    """Items where the messages do not say how many (genrec's own)."""
    explain: bool = True
    """Whether each item comes with a reason (genrec's own)."""
    n: int = Field(1, ge=1, le=1)
    """One answer."""

    @model_validator(mode="after")
    def _something_said(self) -> ChatRequest:
        if not self.messages and self.understood is None:
            raise ValueError("give messages, at least one, or understood")
        return self


class Understood(Answer):
    """What the conversation came to: rules are met by every item, traits and moods move the order. unlinked: what of
    the last message the catalog does not know; taken_as: misspelt names in it, and what they were taken for."""

    liked: list[str]
    disliked: list[str]
    seen: list[str]
    shown: list[str]
    rules: list[Rule]
    liked_traits: list[Rule]
    disliked_traits: list[Rule]
    moods: list[str]
    unwanted_moods: list[str]
    count: int | None
    surprise: bool
    language: Language
    unlinked: list[str]
    taken_as: dict[str, str]


class Said(Answer):
    """One message of the answer."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(Answer):
    """The only one."""

    index: int = 0
    message: Said
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class Extras(Answer):
    """What genrec adds to OpenAI's answer; in a stream, to its last chunk."""

    recommendation_id: str | None
    """What feedback refers to."""
    items: list[RecommendedItem]
    constraints: Understood
    followup: str | None
    """A question, where the request is too vague to choose by."""
    no_match: NoMatch | None
    window: Window
    degraded: bool


class ChatCompletion(Extras):
    """OpenAI's answer and genrec's extras."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]


class Model(Answer):
    """A name that `model` of a request may be."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "genrec"
    version: str
    """Of the bundle behind it (genrec's own)."""
    adapter: str | None
    """Kind of its adapter; nothing where the weights are whole (genrec's own)."""
    ready: bool
    """Whether the language model answers under this name; slates of the priors until it does (genrec's own)."""


class Models(Answer):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


def chunk(identity: dict[str, Any], delta: dict[str, str], finish: str | None = None, **extras: Any) -> dict[str, Any]:
    """One piece of a streamed answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {**identity, "object": "chat.completion.chunk", "choices": [choice], **extras}
