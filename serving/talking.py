"""A conversation → what to ask of the catalog, and the answer in words. Knows no HTTP.

What users and assistants wrote is read by the bundle's own model, or by the grammar: items, rules and leanings in terms
of the catalog come out, nothing else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from genrec.catalog import Catalog
from genrec.chatting.conversation import Conversation
from genrec.chatting.linking import examples
from genrec.chatting.replying import Line, no_match, question, reply, small_talk
from genrec.chatting.request import Request
from genrec.chatting.rules import allowed
from genrec.chatting.understanding import LONGEST, Grammar
from genrec.errors import ConfigError
from genrec.slots import clean
from serving.answering import slate
from serving.engine.messages import Read
from serving.engine.room import EngineDown
from serving.live import Live
from serving.past import Past
from serving.schemas.chat import ChatRequest, Held, Message
from serving.schemas.recommendations import MOST_RULES, Slate, SlateRequest
from serving.schemas.shared import MOST_ITEMS
from serving.service import Service

_LISTED = re.compile(r"^\s*\d{1,3}\.\s+(?P<line>.+)$", re.MULTILINE)
_DIVERSE = 0.5  # how different the items of a surprise are


@dataclass(frozen=True)
class Talk:
    """slate: none where a question comes first."""

    text: str
    whole: Conversation
    slate: Slate | None
    followup: str | None


def held_of(live: Live, held: Held | None) -> Conversation:
    """What holds before the messages; raises UnknownItem, ConfigError for items and fields that the catalog lacks."""
    if held is None:
        return Conversation()
    live.catalog.numbers([*held.liked, *held.disliked, *held.seen, *held.shown])
    allowed(live.catalog, [*held.rules, *held.liked_traits, *held.disliked_traits])
    return Conversation(
        liked=tuple(held.liked), disliked=tuple(held.disliked), seen=tuple(held.seen), shown=tuple(held.shown),
        rules=tuple(held.rules), liked_traits=tuple(held.liked_traits), disliked_traits=tuple(held.disliked_traits),
        moods=_words(held.moods), unwanted_moods=_words(held.unwanted_moods),
        count=held.count, surprise=held.surprise, language=held.language,
    )  # fmt: skip


async def understand(service: Service, messages: Sequence[Message], held: Conversation | None = None) -> Conversation:
    """All that the users said, oldest first; what the assistant had listed before counts as shown. held: what holds
    before that.

    Read by the bundle's model where it has learnt to and the engine is up, else by the grammar. Raises ConfigError for
    a message that is too long, EngineBusy.
    """
    whole = held or Conversation()
    if not messages:
        return whole
    grammar = await asyncio.to_thread(lambda: service.live.spoken.grammar)
    said = await asyncio.to_thread(_said, grammar, messages)
    for one, request in zip(said, await _read(service, grammar, said), strict=True):
        whole = whole.revised(request, one.shown)
    return whole


def _words(moods: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words for one in moods if (words := clean(one).strip())))


@dataclass(frozen=True)
class _Said:
    """A user's message; slate: the items listed last before it; shown: all that were listed before it."""

    text: str
    slate: tuple[str, ...]
    shown: tuple[str, ...]


def _said(grammar: Grammar, messages: Sequence[Message]) -> list[_Said]:
    found, slate, shown = list[_Said](), tuple[str, ...](), list[str]()
    for message in messages:
        if message.role == "user":
            if len(message.text) > LONGEST:  # a rule at its end would be dropped in silence
                raise ConfigError(
                    "a message is too long to be read whole", value=len(message.text), where="messages",
                    allowed=f"{LONGEST:,} characters", remedy="say it in fewer words",
                )  # fmt: skip
            found.append(_Said(message.text, slate, tuple(shown)))
        elif message.role == "assistant":
            listed = tuple(_listed(grammar, message.text))
            slate = listed or slate
            shown += listed
    return found


async def _read(service: Service, grammar: Grammar, said: Sequence[_Said]) -> list[Request]:
    if service.live.bundle.manifest.chat is not None:
        texts, slates = tuple(one.text for one in said), tuple(one.slate for one in said)
        try:
            found: list[Request] = await service.room.ask(
                "read", lambda number, deadline: Read(number, texts, slates, deadline)
            )
            return found
        except EngineDown:
            pass
    return await asyncio.to_thread(lambda: [grammar(one.text, one.slate) for one in said])


async def talk(service: Service, asked: ChatRequest, past: Past, whole: Conversation) -> Talk:
    """The answer; raises what `slate` raises."""
    live = service.of(asked.model)
    if whole.talk and not whole.vague:
        return Talk(small_talk(whole), whole, None, None)
    if whole.vague and not past.shown:
        ask = question(whole, examples(live.catalog))
        return Talk("\n".join(filter(None, [reply_aside(whole), ask])), whole, None, ask)
    made = await slate(service, wish(service, asked, whole), _with_liked(past, whole), whole.leaning or None)
    if made.no_match is not None:
        text = no_match(whole, made.no_match.relax, made.no_match.would_leave)
    else:
        lines = [Line(item.title, item.explanation or "") for item in made.items]
        text = reply(
            whole, lines, degraded=made.note.startswith("the language model"), titles=_titles(live.catalog, whole)
        )
    return Talk(text, whole, made, None)


def reply_aside(whole: Conversation) -> str:
    """What could not be linked, said before a question."""
    return reply(replace(whole, rules=()), []).partition("\n")[2] if whole.unlinked else ""


def wish(service: Service, asked: ChatRequest, whole: Conversation) -> SlateRequest:
    """What is asked of the catalog; raises ConfigError for more than a request may hold, rather than cut it."""
    exclude = list(dict.fromkeys([*whole.excluded, *asked.exclude]))
    if len(exclude) > MOST_ITEMS:
        raise ConfigError(
            "too many items were named in one conversation", value=len(exclude), where="messages",
            allowed=f"at most {MOST_ITEMS:,}", remedy="start a new conversation",
        )  # fmt: skip
    if len(whole.rules) > MOST_RULES:
        raise ConfigError(
            "too many rules in one conversation", value=len(whole.rules), where="messages",
            allowed=f"at most {MOST_RULES}", remedy="start a new conversation",
        )  # fmt: skip
    return SlateRequest(
        user_id=asked.user if asked.history is None else None,
        history=None if asked.user is not None and asked.history is None else list(asked.history or ()),
        k=min(whole.count or asked.k, service.settings.limits.k),
        filters=list(whole.rules),
        exclude=exclude,
        without=asked.without,
        weights=asked.weights,
        diversity=(_DIVERSE if whole.surprise else 0.0) if asked.diversity is None else asked.diversity,
        explain=asked.explain,
        language=whole.language,
        model=asked.model,
    )


def _with_liked(past: Past, whole: Conversation) -> Past:
    """What the user speaks well of counts as chosen last."""
    liked = tuple(item for item in whole.liked)
    shown = (*(item for item in past.shown if item not in liked), *liked)
    return replace(past, shown=shown, seen=tuple(dict.fromkeys([*past.seen, *liked])))


def _titles(catalog: Catalog, whole: Conversation) -> dict[str, str]:
    """Of the items that the user named, as far as they are still there."""
    named = [item for item in (*whole.liked, *whole.disliked, *whole.seen) if catalog.holds(item)]
    return {item: catalog.titles[int(number)] for item, number in zip(named, catalog.numbers(named), strict=True)}


def _listed(grammar: Grammar, text: str) -> list[str]:
    """Items that an answer of ours named: the title is the line, or what stands before its first colons."""
    found = []
    for match in _LISTED.finditer(text[:20_000]):
        parts = match["line"].split(": ")
        names = (": ".join(parts[:end]) for end in range(len(parts), 0, -1))
        found += [item for name in names if (item := grammar.links.title(name, fuzzy=False))][:1]
    return found
